#include "sluice/inventory/inventory.hpp"

#include <algorithm>

#include "sluice/base/mutation.hpp"

namespace sluice {

bool valid(const Call& call, In<Attempt> attempts) noexcept {
  constexpr std::size_t kAttemptsMax = 1'024;
  const auto is_valid = [&](const Attempt& attempt) {
    return attempt.quantity > 0 && !attempt.user.text().empty() &&
           attempt.id.epoch() == call.epoch && attempt.id.lane() == call.lane.index;
  };
  return attempts.size() <= kAttemptsMax && std::ranges::all_of(attempts, is_valid);
}

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
