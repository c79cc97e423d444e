#include "sluice/inventory/inventory.hpp"

#include "sluice/base/mutation.hpp"

namespace sluice {

SettleAction settle_action(const Outcome& outcome) noexcept {
  if (outcome.status == OrderStatus::queued && mutant("settle.unknown")) {
    return SettleAction::give_back;
  }
  if (is_live(outcome.status) || mutant("settle.always_keep")) return SettleAction::keep;
  // Rejected for stock: the token that was taken had no unit behind it, so none returns.
  if (outcome.reason == RejectReason::stock && !mutant("settle.phantoms_back")) {
    return SettleAction::drop;
  }
  return SettleAction::give_back;
}

}  // namespace sluice
