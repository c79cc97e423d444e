#pragma once

#include "support/store_world.hpp"

namespace sluice::test {

/// Adds an adapter's `OrderStore` to the contract suite; call it at static initialisation (see
/// `StoreContract`). Always true.
///
/// What the suite asks for where the port leaves room:
/// - A batch is decided as if its messages were applied one at a time, in order: an order too large
///   for what is left does not stop a smaller one behind it.
/// - A row that exists decides, also below the fence. One of another sale or user: `invalid`.
/// - No user, or a quantity outside 1 … the sale's limit: `rejected{invalid}`, without a row.
/// - Orders rejected for stock or as a duplicate have a row, which `find` returns.
/// - `created_at` is the message's `reserved_at`.
/// - More messages than 4,096: `Errc::overloaded`. A range that runs backwards: `Errc::invalid`.
/// - The audit, the fence and the image of what does not exist: `Errc::not_found`.
/// - `applied_through` of a partition never goes back.
bool register_order_store_contract(StoreContract contract);

}  // namespace sluice::test
