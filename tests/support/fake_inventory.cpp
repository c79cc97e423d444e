#include "support/fake_inventory.hpp"

#include <algorithm>
#include <string>

#include "sluice/inventory/winner_set.hpp"

namespace sluice::test {
namespace {

std::uint64_t pending_in(const FakeInventory::Lane& lane) {
  const auto queued = [](const auto& entry) {
    return entry.second.order.status == OrderStatus::queued;
  };
  return static_cast<std::uint64_t>(std::ranges::count_if(lane.records, queued));
}

std::int64_t held_in(const FakeInventory::Lane& lane) {
  std::int64_t held = 0;
  for (const auto& [user, record] : lane.records) {
    if (record.order.status == OrderStatus::queued) held += record.order.quantity;
  }
  return held;
}

}  // namespace

FakeInventory::Lane& FakeInventory::open_lane(LaneId id, std::int64_t stock, Epoch epoch) {
  Lane lane;
  lane.epoch = epoch;
  lane.stock = stock;
  lane.window.state = SaleState::open;
  lane.window.ends_at = TimePoint::max();
  return lanes_[id] = lane;
}

FakeInventory::Lane* FakeInventory::valid_lane(const Call& call) {
  const auto it = lanes_.find(call.lane);
  if (it == lanes_.end() || !it->second.ready || it->second.epoch != call.epoch) return nullptr;
  return &it->second;
}

Reservation FakeInventory::decide(Lane& lane, const Attempt& attempt, bool late) const {
  if (const auto it = lane.records.find(attempt.user); it != lane.records.end()) {
    const auto& order = it->second.order;
    const bool itself = order.id == attempt.id && order.status == OrderStatus::queued;
    return {itself ? Verdict::granted : Verdict::already, order};
  }
  const auto now = clock_.now();
  const bool open = lane.window.state == SaleState::open && now >= lane.window.starts_at &&
                    now < lane.window.ends_at;
  if (!open && !late) {
    return {Verdict::not_open, {}};
  }
  if (lane.stock == 0) return {Verdict::sold_out, {}};
  if (lane.stock < attempt.quantity) return {Verdict::insufficient, {}};
  lane.stock -= attempt.quantity;
  const OrderView order{attempt.id, OrderStatus::queued, attempt.quantity};
  lane.records[attempt.user] = {order, now, lane.epoch};
  lane.winners.push_back(winner_hash(attempt.user));
  return {Verdict::granted, order};
}

Task<ReserveReply> FakeInventory::reserve(Call call, In<Attempt> attempts) {
  reserved.emplace_back(attempts.begin(), attempts.end());
  const auto fault = co_await on_reserve.enter();
  if (fault && !fault->done) co_return fault->error;
  auto* lane = valid_lane(call);
  if (lane == nullptr) co_return Errc::not_ready;
  ReserveReply reply;
  for (const auto& attempt : attempts) {
    reply.reservations.push_back(decide(*lane, attempt, late(call, attempts)));
  }
  reply.version = lane->version;
  reply.may_return = pending_in(*lane) > 0;
  if (fault) co_return fault->error;
  co_return reply;
}

Task<> FakeInventory::settle(Call call, In<Settlement> settlements) {
  const auto fault = co_await on_settle.enter();
  if (fault && !fault->done) co_return fault->error;
  settled.push_back({call, {settlements.begin(), settlements.end()}});
  if (auto* lane = valid_lane(call)) {
    for (const auto& settlement : settlements) {
      const auto it = lane->records.find(settlement.user);
      if (it == lane->records.end() || it->second.order.id != settlement.id) continue;
      auto& order = it->second.order;
      if (settlement.action == SettleAction::keep) {
        if (order.status == OrderStatus::queued) order.status = OrderStatus::confirmed;
        continue;
      }
      if (settlement.action == SettleAction::give_back) {
        lane->stock += order.quantity;
        ++lane->version;
      }
      lane->records.erase(it);
    }
  }
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

Task<std::vector<std::optional<OrderView>>> FakeInventory::find(Call call, In<UserId> users) {
  const auto fault = co_await on_find.enter();
  if (fault) co_return fault->error;
  const auto* lane = valid_lane(call);
  if (lane == nullptr) co_return Errc::not_ready;
  std::vector<std::optional<OrderView>> found;
  for (const auto& user : users) {
    const auto it = lane->records.find(user);
    found.push_back(it == lane->records.end() ? std::nullopt : std::optional(it->second.order));
  }
  co_return found;
}

Task<LaneView> FakeInventory::view(Call call) {
  const auto fault = co_await on_view.enter();
  if (fault) co_return fault->error;
  const auto it = lanes_.find(call.lane);
  if (it == lanes_.end() || !it->second.ready) co_return LaneView{};
  const auto& lane = it->second;
  co_return LaneView{true,          lane.epoch, lane.version, lane.stock, pending_in(lane),
                     held_in(lane), lane.window};
}

Task<WinnersPage> FakeInventory::winners(Call call, std::string cursor, std::size_t max) {
  const auto fault = co_await on_winners.enter();
  if (fault) co_return fault->error;
  const auto* lane = valid_lane(call);
  if (lane == nullptr) co_return Errc::not_ready;
  winners_max = std::max(winners_max, max);
  const auto all = lane->winners.size();
  const auto from = cursor.empty() ? 0 : std::stoul(cursor);
  if (from > all || max < 1 || max > kWinnersPageMax) co_return Errc::invalid;
  const auto next = std::min(from + max, all);
  WinnersPage page;
  page.version = lane->version;
  page.stock = lane->stock;
  page.may_return = pending_in(*lane) > 0;
  for (auto i = from; i < next; ++i) page.hashes.push_back(lane->winners[i]);
  page.next = std::to_string(next);
  page.last = next == all;
  co_return page;
}

Task<std::vector<OrderMessage>> FakeInventory::overdue(Call call, Millis age, std::size_t max) {
  const auto fault = co_await on_overdue.enter();
  if (fault) co_return fault->error;
  overdue_ages.push_back(age);
  std::vector<OrderMessage> overdue;
  const auto records = has(call.lane) ? lanes_[call.lane].records : std::map<UserId, Record>();
  for (const auto& [user, record] : records) {
    const auto& order = record.order;
    if (order.status != OrderStatus::queued || clock_.now() - record.reserved_at < age) continue;
    const auto& at = record.reserved_at;
    const auto epoch = std::max(order.id.epoch(), record.granted_under);
    OrderMessage message{order.id, call.lane, epoch, user, order.quantity, at};
    overdue.push_back(std::move(message));
  }
  const auto oldest = [](const OrderMessage& a, const OrderMessage& b) {
    return a.reserved_at < b.reserved_at;
  };
  std::ranges::stable_sort(overdue, oldest);
  if (overdue.size() > max) overdue.resize(max);
  co_return overdue;
}

Task<> FakeInventory::close(Call call) {
  const auto fault = co_await on_close.enter();
  if (fault && !fault->done) co_return fault->error;
  const bool known = lanes_.contains(call.lane);
  auto& lane = lanes_[call.lane];
  if (!known || lane.epoch <= call.epoch) {
    lane.epoch = call.epoch;
    lane.ready = false;
    lane.closed = true;
  }
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

Task<> FakeInventory::stage(Call call, std::size_t place, In<LiveOrder> orders) {
  const auto fault = co_await on_stage.enter();
  if (fault && !fault->done) co_return fault->error;
  auto& there = staged[call.lane];
  if (there.epoch > call.epoch) co_return Errc::stale;
  if (place == 0) there = {call.epoch, {}};
  if (there.epoch != call.epoch || there.orders.size() != place) co_return Errc::unavailable;
  for (const auto& [user, order] : orders) there.orders[user] = order;
  if (there.orders.size() != place + orders.size()) co_return Errc::invalid;
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

Task<> FakeInventory::unstage(Call call) {
  const auto fault = co_await on_unstage.enter();
  if (fault && !fault->done) co_return fault->error;
  if (staged[call.lane].epoch <= call.epoch) staged.erase(call.lane);
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

Task<> FakeInventory::rebuild(Call call, const LaneImage& image, std::size_t count) {
  const auto fault = co_await on_rebuild.enter();
  if (fault && !fault->done) co_return fault->error;
  const bool known = lanes_.contains(call.lane);
  Lane& lane = lanes_[call.lane];
  if (known && (lane.ready || lane.closed) && image.epoch <= lane.epoch) co_return Errc::stale;
  const auto there = staged[call.lane];
  if (there.epoch != image.epoch || there.orders.size() != count) co_return Errc::unavailable;
  staged.erase(call.lane);
  lane = Lane();
  lane.epoch = image.epoch;
  lane.stock = image.stock;
  lane.window = image.window;
  for (const auto& [user, order] : there.orders) {
    lane.records[user] = {order, clock_.now()};
    lane.winners.push_back(winner_hash(user));
  }
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

Task<> FakeInventory::set_window(Call call, LaneWindow window) {
  const auto fault = co_await on_set_window.enter();
  if (fault && !fault->done) co_return fault->error;
  auto* lane = valid_lane(call);
  if (lane == nullptr) co_return Errc::not_ready;
  if (window.revision >= lane->window.revision) lane->window = window;
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

}  // namespace sluice::test
