#pragma once

#include "support/store_world.hpp"

namespace sluice::test {

/// Adds an adapter's `OrderStore` to the contract suite; call it at static initialisation (see
/// `StoreContract`). Always true.
///
/// It has three sections: `OrderStoreContract` (deciding, looking up), `OrderStoreLog` and
/// `OrderStoreEpochs`. What they ask for where the port leaves room:
/// - A batch is decided as if its messages were applied one at a time, in order: an order too large
///   for what is left does not stop a smaller one behind it.
/// - A row that exists decides, also below the fence. One of another sale or user: `invalid`.
/// - No user, or a quantity outside 1 … the sale's limit: `rejected{invalid}`, without a row.
/// - Orders rejected for stock or as a duplicate have a row, which `find` returns.
/// - `created_at` is the message's `reserved_at`.
/// - More messages or fences than 4,096, more users than 1,024: `Errc::overloaded`.
/// - A range without messages and fences may run backwards: the log was cut or began anew, and is
///   read again from there. With any it is `Errc::invalid`. The log time of a partition never goes
///   back.
/// - The head, the next epoch, the image and the lane_snapshot of a lane that does not exist, and
/// making
///   it suspect: `Errc::not_found`.
/// - A rejection above the lane's fence, or one decided earlier, makes no epoch suspect.
bool register_order_store_contract(StoreContract contract);

}  // namespace sluice::test
