#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "sluice/base/mutation.hpp"

#include "simulation/store.hpp"

namespace sluice::simulation {
namespace {

/// A status that a move may begin with.
bool may_move(OrderStatus status, Move move) {
  if (status == OrderStatus::confirmed) return true;
  if (status == OrderStatus::paid) return move != Move::pay && mutant("moves.any_status");
  return status == after(move) && move == Move::cancel && mutant("moves.returns_twice");
}

}  // namespace

bool Store::is_due(const Row& row) const {
  if (row.status != OrderStatus::confirmed || !row.pay_by) return false;
  return *row.pay_by <= clock_.now() || mutant("moves.expires_early");
}

Result<std::vector<std::optional<Order>>> Store::move(const std::vector<Transition>& transitions) {
  if (transitions.size() > kMovesMax) return Errc::overloaded;
  std::vector<OrderKey> keys;
  for (const auto& transition : transitions) {
    move_one(transition);
    keys.push_back(transition.order);
  }
  // All of them as they are after the whole transaction.
  auto moved = find(keys);
  for (std::size_t i = 0; moved && i < keys.size(); ++i) {
    if (!rows_.contains(keys[i].id)) (*moved)[i].reset();
  }
  std::set<LaneId> lanes;
  for (const auto& order : *moved) {
    if (order) lanes.insert(order->lane);
  }
  for (const auto lane : lanes) on_commit(lane);
  return moved;
}

void Store::move_one(const Transition& transition) {
  const auto& [key, move] = transition;
  const auto found = rows_.find(key.id);
  if (found == rows_.end()) return;
  auto& row = found->second;
  const auto& message = row.message;
  if (message.lane.sale != key.sale || message.user != key.user) return;
  const bool early = move == Move::expire && !is_due(row);
  if (!may_move(row.status, move) || early) return;
  const auto before = std::exchange(row.status, after(move));
  if (!is_live(row.status)) let_go(row);
  on_move(row, before);
}

void Store::let_go(const Row& row) {
  const auto& message = row.message;
  live_.erase({message.lane.sale, message.user});
  auto& lane = lanes_.at(message.lane);
  if (!mutant("moves.unit_kept")) lane.stock += message.quantity;
  lane.returned += message.quantity;
  if (mutant("moves.no_outbox")) return;
  const Settlement back{message.id, message.user, message.quantity, SettleAction::give_back};
  outbox_[message.lane].push_back(back);
}

Result<std::vector<OrderKey>> Store::due(std::size_t max) const {
  max = std::min(max, kMovesMax);
  std::vector<const Row*> overdue;
  for (const auto& [id, row] : rows_) {
    if (is_due(row)) overdue.push_back(&row);
  }
  // The rows have no order of their own: by id, too, so that a seed always tells the same story.
  std::ranges::sort(overdue, [](const Row* a, const Row* b) {
    return std::tie(*a->pay_by, a->message.id) < std::tie(*b->pay_by, b->message.id);
  });
  std::vector<OrderKey> keys;
  for (const auto* row : overdue) {
    if (keys.size() == max) break;
    keys.push_back({row->message.id, row->message.lane.sale, row->message.user});
  }
  return keys;
}

Result<std::vector<LaneId>> Store::returning(std::size_t max) const {
  max = std::min(max, kMovesMax);
  std::vector<LaneId> lanes;
  for (const auto& [lane, rows] : outbox_) {
    if (lanes.size() < max) lanes.push_back(lane);
  }
  return lanes;
}

Result<std::vector<Settlement>> Store::outbox(LaneId lane, std::size_t max) const {
  max = std::min(max, kMovesMax);
  const auto found = outbox_.find(lane);
  if (found == outbox_.end()) return std::vector<Settlement>();
  const auto& rows = found->second;
  const auto count = static_cast<std::ptrdiff_t>(std::min(max, rows.size()));
  return std::vector<Settlement>(rows.begin(), rows.begin() + count);
}

Result<void> Store::relayed(Fence taken, const std::vector<OrderId>& orders) {
  if (orders.size() > kMovesMax) return Errc::overloaded;
  const auto lane = lanes_.find(taken.lane);
  const bool last = lane != lanes_.end() && lane->second.head.newest == taken.epoch;
  if (!last && !mutant("outbox.relayed_any_epoch")) return Errc::stale;
  const auto found = outbox_.find(taken.lane);
  if (found == outbox_.end()) return {};
  std::erase_if(found->second, [&](const Settlement& row) {
    return std::ranges::find(orders, row.id) != orders.end();
  });
  if (found->second.empty()) outbox_.erase(found);
  return {};
}

std::int64_t Store::returning_units(LaneId lane) const {
  std::int64_t units = 0;
  const auto found = outbox_.find(lane);
  if (found == outbox_.end()) return units;
  for (const auto& row : found->second) units += row.quantity;
  return units;
}

}  // namespace sluice::simulation
