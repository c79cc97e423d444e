#include "sluice/recovery/late_reconciler.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

/// As the present epoch's grant of it.
OrderMessage under(Epoch epoch, OrderMessage message) {
  message.epoch = epoch;
  return message;
}

}  // namespace

LateReconciler::LateReconciler(RecoverySettings settings, Ports ports)
    : settings_(settings),
      ports_(ports),
      waiting_(ports.metrics.gauge("sluice_late_orders",
                                   "Orders from before a rebuild of their lane that the last look "
                                   "left undecided.")),
      adopted_(ports.metrics.counter("sluice_late_orders_adopted_total",
                                     "Late orders that were granted their units again.")),
      refused_(ports.metrics.counter("sluice_late_orders_refused_total",
                                     "Late orders that ended without units.")) {}

Task<std::size_t> LateReconciler::decide(Duty duty) {
  const auto max = std::min(settings_.overdue_max, kLateMax);
  const auto late = co_await ports_.late.undecided(deadline(), place_, max);
  if (!late) co_return late.error();
  // Those that cannot be decided now must not hide the ones behind them.
  const bool more = late->size() == max;
  place_ = more ? late->back().place : 0;

  std::vector<LateRefusal> given_up;
  std::map<LaneId, Orders> lanes;
  std::size_t missing = 0;
  for (const auto& order : *late) {
    if (!order.missing()) {
      lanes[order.message.lane].push_back(order);
    } else if (this->given_up(order, duty)) {
      given_up.push_back({order, RejectReason::fenced});
    } else {
      ++missing;
    }
  }
  const auto refused = co_await refuse(given_up, duty);
  if (!refused) co_return refused.error();
  std::size_t failed = 0;
  for (const auto& [lane, orders] : lanes) {
    const auto decided = co_await decide_lane(lane, orders, duty);
    if (decided) continue;
    failed += orders.size();
    log().info("sale {} lane {}: {} late orders wait for the next round: {}", lane.sale, lane.index,
               orders.size(), decided.error().message());
  }
  waiting_.Set(static_cast<double>(failed + missing));
  co_return failed + (more ? 1 : 0);
}

/// A message that was on its way when the order was noted has come by now, or never will.
bool LateReconciler::given_up(const LateOrder& order, const Duty& duty) const {
  if (mutant("late.given_up_early")) return true;
  const auto until = order.noted_at + settings_.missing_after + kClockSkew;
  if (ports_.clock.now() < until) return false;
  return ports_.queue.decides() || (duty.through && *duty.through >= until);
}

Task<> LateReconciler::decide_lane(LaneId lane, const Orders& orders, const Duty& duty) {
  const auto state = co_await ports_.lanes.look(lane, duty.inventory_up);
  if (!state) co_return state.error();
  const auto& head = state->head;
  if (head.fence != head.newest || !state->sells()) co_return Errc::not_ready;
  if (head.authority() == Authority::inventory) {
    co_return co_await adopt(lane, head.fence, orders, duty);
  }
  // The store has the units itself.
  std::vector<OrderMessage> messages;
  messages.reserve(orders.size());
  for (const auto& order : orders) messages.push_back(under(head.fence, order.message));
  co_return co_await apply(messages);
}

Task<> LateReconciler::adopt(LaneId lane, Epoch epoch, const Orders& orders, const Duty& duty) {
  std::vector<Attempt> attempts;
  attempts.reserve(orders.size());
  for (const auto& [message, noted_at, place] : orders) {
    attempts.push_back({message.id, message.user, message.quantity});
  }
  const Call call{lane, epoch, deadline()};
  const auto reply = co_await ports_.inventory.reserve(call, attempts);
  if (!reply) co_return reply.error();

  std::vector<OrderMessage> granted;
  std::vector<LateRefusal> refusals;
  bool waits = false;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const auto& [verdict, existing] = reply->reservations[i];
    const bool own = existing.id == orders[i].message.id;
    if (verdict == Verdict::granted || (verdict == Verdict::already && own)) {
      granted.push_back(under(epoch, orders[i].message));
    } else if (verdict == Verdict::already && existing.status != OrderStatus::queued) {
      refusals.push_back({orders[i], RejectReason::duplicate});
    } else if (verdict != Verdict::already && (!reply->may_return || mutant("late.no_patience"))) {
      refusals.push_back({orders[i], RejectReason::stock});
    } else {
      // The user's other order is undecided, or units may still come back.
      waits = true;
    }
  }
  const auto applied = co_await apply(granted);
  if (!applied) co_return applied;
  const auto refused = co_await refuse(refusals, duty);
  if (!refused) co_return refused;
  if (waits) co_return Errc::not_ready;
  co_return boost::system::in_place_value;
}

Task<> LateReconciler::apply(const std::vector<OrderMessage>& messages) {
  if (messages.empty()) co_return boost::system::in_place_value;
  const auto decided = co_await ports_.lanes.decide_now(messages);
  if (!decided) co_return decided.error();
  adopted_.Increment(static_cast<double>(messages.size()));
  log().info("{} late orders were decided", messages.size());
  co_return boost::system::in_place_value;
}

Task<> LateReconciler::refuse(const std::vector<LateRefusal>& refusals, const Duty& duty) {
  if (refusals.empty()) co_return boost::system::in_place_value;
  const auto refused = co_await ports_.late.refuse(deadline(), refusals, duty.leader);
  if (!refused) co_return refused;
  refused_.Increment(static_cast<double>(refusals.size()));
  std::vector<Outcome> outcomes;
  outcomes.reserve(refusals.size());
  for (const auto& [order, reason] : refusals) {
    outcomes.push_back({order.message.id, OrderStatus::rejected, reason});
  }
  log().warn("{} late orders ended without units", refusals.size());
  co_await announce(ports_.results, deadline(), outcomes);
  co_return boost::system::in_place_value;
}

}  // namespace sluice
