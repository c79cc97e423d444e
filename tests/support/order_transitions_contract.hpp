#pragma once

#include "support/store_world.hpp"

namespace sluice::test {

/// Adds an adapter's `OrderTransitions` to the contract suite, like
/// `register_order_store_contract`.
///
/// What it asks for where the port leaves room:
/// - A move that is not possible leaves the order as it is, and so it is answered.
/// - A rejected order, one of another sale or user, and one without a row do not move.
/// - More than 1,024 transitions or relayed rows: `Errc::overloaded`. A larger `max` is taken for
/// 1,024.
/// - `relayed` for a lane that does not exist: `Errc::stale`.
bool register_order_moves_contract(StoreContract contract);

}  // namespace sluice::test
