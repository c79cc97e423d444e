#pragma once

#include "support/store_world.hpp"

namespace sluice::test {

/// Adds an adapter's `SaleStore` to the contract suite; call it at static initialisation (see
/// `StoreContract`). Always true.
bool register_sale_store_contract(StoreContract contract);

}  // namespace sluice::test
