#include "sluice/inventory/inventory.hpp"

namespace sluice {

SettleAction settle_action(const Outcome& outcome) noexcept {
  if (is_live(outcome.status)) return SettleAction::keep;
  // Rejected for stock: the token that was taken had no unit behind it, so none returns.
  if (outcome.reason == RejectReason::stock) return SettleAction::drop;
  return SettleAction::give_back;
}

}  // namespace sluice
