#include "support/fake_transitions.hpp"

#include <algorithm>
#include <set>

namespace sluice::test {

std::optional<Order> FakeOrderTransitions::move_one(const Transition& transition) {
  const auto& key = transition.order;
  const auto it = store_.orders.find(key.id);
  if (it == store_.orders.end()) return std::nullopt;
  auto& order = it->second;
  if (order.lane.sale != key.sale || order.user != key.user) return std::nullopt;
  const bool due = order.pay_by && *order.pay_by <= clock_.now();
  if (order.status != OrderStatus::confirmed || (transition.move == Move::expire && !due)) {
    return order;
  }
  order.status = after(transition.move);
  if (is_live(order.status)) return order;
  store_.lanes[order.lane].stock += order.quantity;
  store_.lanes[order.lane].returned += order.quantity;
  store_.lanes[order.lane].returning += order.quantity;
  rows.push_back({order.lane, {order.id, order.user, order.quantity, SettleAction::give_back}});
  return order;
}

Task<std::vector<std::optional<Order>>> FakeOrderTransitions::move(Ticks /*deadline*/,
                                                                   In<Transition> transitions) {
  move_calls.emplace_back(transitions.begin(), transitions.end());
  const auto fault = co_await on_move.enter();
  if (fault && !fault->done) co_return fault->error;
  std::vector<std::optional<Order>> after;
  for (const auto& transition : transitions) after.push_back(move_one(transition));
  if (fault) co_return fault->error;
  co_return after;
}

Task<std::vector<OrderKey>> FakeOrderTransitions::due(Ticks /*deadline*/, std::size_t max) {
  const auto fault = co_await on_due.enter();
  if (fault) co_return fault->error;
  std::vector<const Order*> overdue;
  for (const auto& [id, order] : store_.orders) {
    const bool over = order.pay_by && *order.pay_by <= clock_.now();
    if (order.status == OrderStatus::confirmed && over) overdue.push_back(&order);
  }
  const auto longer = [](const Order* a, const Order* b) { return *a->pay_by < *b->pay_by; };
  std::stable_sort(overdue.begin(), overdue.end(), longer);
  std::vector<OrderKey> keys;
  for (const auto* order : overdue) {
    if (keys.size() == max) break;
    keys.push_back({order->id, order->lane.sale, order->user});
  }
  co_return keys;
}

Task<std::vector<LaneId>> FakeOrderTransitions::returning(Ticks /*deadline*/, std::size_t max) {
  const auto fault = co_await on_returning.enter();
  if (fault) co_return fault->error;
  std::set<LaneId> lanes;
  for (const auto& row : rows) lanes.insert(row.lane);
  std::vector<LaneId> first(lanes.begin(), lanes.end());
  if (first.size() > max) first.resize(max);
  co_return first;
}

Task<std::vector<Settlement>> FakeOrderTransitions::outbox(Ticks /*deadline*/, LaneId lane,
                                                           std::size_t max) {
  const auto fault = co_await on_outbox.enter();
  if (fault) co_return fault->error;
  std::vector<Settlement> settlements;
  for (const auto& row : rows) {
    if (row.lane == lane && settlements.size() < max) settlements.push_back(row.settlement);
  }
  co_return settlements;
}

Task<> FakeOrderTransitions::relayed(Ticks /*deadline*/, Fence taken, In<OrderId> orders) {
  relayed_calls.push_back({taken, {orders.begin(), orders.end()}});
  const auto fault = co_await on_relayed.enter();
  if (fault && !fault->done) co_return fault->error;
  const auto lane = store_.lanes.find(taken.lane);
  if (lane == store_.lanes.end() || lane->second.newest != taken.epoch) co_return Errc::stale;
  std::erase_if(rows, [&](const Row& row) {
    const bool named = std::find(orders.begin(), orders.end(), row.settlement.id) != orders.end();
    if (row.lane != taken.lane || !named) return false;
    lane->second.returning -= row.settlement.quantity;
    return true;
  });
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

}  // namespace sluice::test
