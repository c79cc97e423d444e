#include "sluice/recovery/return_reconciler.hpp"

#include <algorithm>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice {

ReturnReconciler::ReturnReconciler(RecoverySettings settings, Ports ports)
    : settings_(settings),
      ports_(ports),
      step_max_(std::clamp<std::size_t>(settings.overdue_max, 1, kMovesMax)),
      expired_(ports.metrics.counter("sluice_orders_expired_total",
                                     "Confirmed orders that nobody paid in time.")),
      relayed_(ports.metrics.counter("sluice_returns_relayed_total",
                                     "Cancelled and expired orders that the inventory let go of.")),
      waiting_lanes_(ports.metrics.gauge(
          "sluice_returns_waiting_lanes",
          "Lanes with returned units that could not be handed to the inventory yet.")) {}

Task<std::size_t> ReturnReconciler::expire() {
  if (mutant("expire.never")) co_return std::size_t{0};
  const auto due = co_await ports_.moves.due(deadline(), step_max_);
  if (!due) co_return due.error();
  if (due->empty()) co_return std::size_t{0};
  std::vector<Transition> transitions;
  transitions.reserve(due->size());
  for (const auto& order : *due) transitions.push_back({order, Move::expire});
  const auto moved = co_await ports_.moves.move(deadline(), transitions);
  if (!moved) co_return moved.error();

  std::vector<Outcome> outcomes;
  for (const auto& order : *moved) {
    // The others were paid or cancelled before the expiry.
    if (!order || order->status != OrderStatus::expired) continue;
    outcomes.push_back({order->id, order->status, order->reason});
  }
  if (outcomes.empty()) co_return std::size_t{0};
  expired_.Increment(static_cast<double>(outcomes.size()));
  log().info("{} orders expired unpaid", outcomes.size());
  co_await announce(ports_.results, deadline(), outcomes);
  co_return outcomes.size();
}

Task<std::vector<LaneId>> ReturnReconciler::relay(bool inventory_up) {
  auto lanes = co_await ports_.moves.returning(deadline(), kMovesMax);
  if (!lanes) co_return lanes.error();
  // Lanes that were not reached in time are the first of the next round.
  std::rotate(lanes->begin(), std::ranges::upper_bound(*lanes, last_), lanes->end());
  const auto enough = ports_.clock.ticks() + settings_.tick;

  std::vector<LaneId> left;
  std::unordered_set<LaneId> failing;
  for (const auto lane : *lanes) {
    if (ports_.clock.ticks() >= enough) {
      left.push_back(lane);
      continue;
    }
    last_ = lane;
    const auto done = co_await relay_lane(lane, inventory_up, enough);
    if (done && *done == Handed::all) continue;
    left.push_back(lane);
    if (done) continue;
    failing.insert(lane);
    if (failing_.contains(lane)) continue;
    log().warn("sale {} lane {}: returned units wait for the next round: {}", lane.sale, lane.index,
               done.error().message());
  }
  failing_ = std::move(failing);
  waiting_lanes_.Set(static_cast<double>(left.size()));
  co_return left;
}

Task<ReturnReconciler::Handed> ReturnReconciler::relay_lane(LaneId lane, bool inventory_up,
                                                            Ticks enough) {
  const auto state = co_await ports_.lanes.look(lane, inventory_up);
  if (!state) co_return state.error();
  // Units are handed over only while somebody grants under exactly the last epoch allotted.
  const bool newest = state->head.fence == state->head.newest;
  if (!(newest && state->sells()) && !mutant("relay.any_epoch")) {
    co_return newest && !inventory_up ? Errc::unavailable : Errc::not_ready;
  }
  for (;;) {
    const auto rows = co_await ports_.moves.outbox(deadline(), lane, step_max_);
    if (!rows) co_return rows.error();
    if (rows->empty()) co_return Handed::all;
    const auto handed = co_await hand_over(lane, state->head, *rows);
    if (!handed) co_return handed.error();
    if (rows->size() < step_max_) co_return Handed::all;
    if (ports_.clock.ticks() >= enough) co_return Handed::some;
  }
}

Task<> ReturnReconciler::hand_over(LaneId lane, LaneHead head,
                                   const std::vector<Settlement>& rows) {
  const Fence taken{lane, head.fence};
  std::vector<OrderId> orders;
  orders.reserve(rows.size());
  for (const auto& row : rows) orders.push_back(row.id);

  if (mutant("relay.forgotten_first")) {
    const auto forgotten = co_await ports_.moves.relayed(deadline(), taken, orders);
    if (!forgotten) co_return forgotten;
  }
  // Where the store sells, its row already counts the units: there is no inventory to tell.
  if (head.authority() == Authority::inventory) {
    const Call call{lane, head.fence, deadline()};
    const auto settled = co_await ports_.inventory.settle(call, rows);
    if (!settled) co_return settled;
  }
  const auto forgotten = co_await ports_.moves.relayed(deadline(), taken, orders);
  if (forgotten) relayed_.Increment(static_cast<double>(rows.size()));
  co_return forgotten;
}

}  // namespace sluice
