#pragma once

#include "support/store_world.hpp"

namespace sluice::test {

/// Adds an adapter's `ControlStore` to the contract suite; call it at static initialisation (see
/// `StoreContract`). Always true.
bool register_control_store_contract(StoreContract contract);

}  // namespace sluice::test
