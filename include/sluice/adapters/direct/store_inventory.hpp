#pragma once

#include <memory>

#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

/// The inventory of the database mode: it has no state, looks at the store's last known stock, and
/// is ready in the epochs that the store sells by itself. Optimistic: a grant holds nothing, so two
/// at once may grant the same unit; the store's `apply` decides and refuses the excess. Use it
/// together with a queue that decides at once.
///
/// It says `sold_out` only when the store has no unit left; when units are left but this very call
/// granted them already, it says `insufficient`. Windows and settlements are the store's own, so
/// `settle`, `close` and `set_window` succeed without doing anything, and nothing is ever overdue.
/// `rebuild` succeeds when the store sells under that very epoch, else `Errc::stale`. `store` is
/// callable from the caller's executor.
std::unique_ptr<Inventory> create_store_inventory(OrderStore& store);

}  // namespace sluice
