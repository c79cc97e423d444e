#include "sluice/inventory/inventory.hpp"

#include <algorithm>
#include <map>

#include "sluice/base/mutation.hpp"

namespace sluice {

bool valid(const Call& call, In<Attempt> attempts) noexcept {
  constexpr std::size_t kAttemptsMax = 1'024;
  const bool are_late = late(call, attempts);
  const auto is_valid = [&](const Attempt& attempt) {
    const auto epoch = attempt.id.epoch();
    return attempt.quantity > 0 && !attempt.user.text().empty() &&
           (are_late ? epoch < call.epoch : epoch == call.epoch) &&
           attempt.id.lane() == call.lane.index;
  };
  return attempts.size() <= kAttemptsMax && std::ranges::all_of(attempts, is_valid);
}

bool late(const Call& call, In<Attempt> attempts) noexcept {
  return !attempts.empty() && attempts.front().id.epoch() < call.epoch;
}

bool valid(const Call& call, In<LiveOrder> orders) noexcept {
  constexpr std::size_t kStagedMax = 1'024;
  const auto is_valid = [](const LiveOrder& live) {
    return is_live(live.second.status) && live.second.quantity > 0 && !live.first.text().empty();
  };
  return call.epoch >= 1 && call.epoch <= kEpochMax && orders.size() <= kStagedMax &&
         std::ranges::all_of(orders, is_valid);
}

bool valid(const Call& call, const LaneImage& image) noexcept {
  return image.lane == call.lane && image.epoch >= 1 && image.epoch <= kEpochMax &&
         image.stock >= 0;
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

Task<> settle(Inventory& inventory, Ticks deadline, In<OrderMessage> messages,
              In<Outcome> outcomes) {
  // A rebuild may have come between two reservations of one lane.
  std::map<std::pair<LaneId, Epoch>, std::vector<Settlement>> lanes;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& message = messages[i];
    // What is not decided yet keeps its units where they are.
    if (outcomes[i].status == OrderStatus::queued && !mutant("settle.unknown")) continue;
    lanes[{message.lane, message.epoch}].push_back(
        {message.id, message.user, message.quantity, settle_action(outcomes[i])});
  }
  Result<void> all;
  for (const auto& [lane, settlements] : lanes) {
    const Call call{lane.first, lane.second, deadline};
    const auto settled = co_await inventory.settle(call, settlements);
    if (!settled) all = settled;
  }
  co_return all;
}

}  // namespace sluice
