#include "support/fake_store.hpp"

namespace sluice::test {

const Order* FakeOrderStore::live_order(SaleId sale, const UserId& user) const {
  for (const auto& [id, order] : orders) {
    if (order.lane.sale == sale && order.user == user && is_live(order.status)) return &order;
  }
  return nullptr;
}

Outcome FakeOrderStore::decide(const OrderMessage& message) {
  Outcome outcome;
  outcome.id = message.id;
  if (const auto it = orders.find(message.id); it != orders.end()) {
    outcome.status = it->second.status;
    outcome.reason = it->second.reason;
    return outcome;
  }
  outcome.status = OrderStatus::rejected;
  const auto lane = lanes.find(message.lane);
  if (lane == lanes.end()) {
    outcome.reason = RejectReason::invalid;
    return outcome;
  }
  if (message.epoch < lane->second.fence) {
    outcome.reason = RejectReason::fenced;
    return outcome;
  }
  if (live_order(message.lane.sale, message.user) != nullptr) {
    outcome.reason = RejectReason::duplicate;
  } else if (lane->second.stock < message.quantity) {
    outcome.reason = RejectReason::stock;
  } else {
    lane->second.stock -= message.quantity;
    outcome.status = OrderStatus::confirmed;
  }
  Order order;
  order.id = message.id;
  order.lane = message.lane;
  order.user = message.user;
  order.quantity = message.quantity;
  order.status = outcome.status;
  order.reason = outcome.reason;
  order.created_at = message.reserved_at;
  orders[message.id] = order;
  return outcome;
}

Task<std::vector<Outcome>> FakeOrderStore::apply(Ticks /*deadline*/, In<OrderMessage> messages,
                                                 std::optional<OffsetRange> range) {
  apply_calls.push_back({{messages.begin(), messages.end()}, range});
  const auto fault = co_await on_apply.enter();
  if (fault && !fault->done) co_return fault->error;
  if (range) {
    auto& position = positions[{range->topic, range->partition}];
    if (position != range->begin) co_return Errc::stale;
    position = range->next;
  }
  std::vector<Outcome> outcomes;
  for (const auto& message : messages) outcomes.push_back(decide(message));
  if (fault) co_return fault->error;
  co_return outcomes;
}

Task<std::vector<std::optional<Order>>> FakeOrderStore::find(Ticks /*deadline*/,
                                                             In<OrderKey> keys) {
  find_calls.emplace_back(keys.begin(), keys.end());
  const auto fault = co_await on_find.enter();
  if (fault) co_return fault->error;
  std::vector<std::optional<Order>> found;
  for (const auto& key : keys) {
    const auto it = orders.find(key.id);
    const bool theirs =
        it != orders.end() && it->second.lane.sale == key.sale && it->second.user == key.user;
    found.push_back(theirs ? std::optional(it->second) : std::nullopt);
  }
  co_return found;
}

Task<std::optional<Order>> FakeOrderStore::find_live(Ticks /*deadline*/, SaleId sale, UserId user) {
  const auto fault = co_await on_find_live.enter();
  if (fault) co_return fault->error;
  const auto* order = live_order(sale, user);
  if (order == nullptr) co_return std::optional<Order>();
  co_return std::optional<Order>(*order);
}

Task<Epoch> FakeOrderStore::fence_epoch(Ticks /*deadline*/, LaneId lane) {
  const auto fault = co_await on_fence_epoch.enter();
  if (fault) co_return fault->error;
  const auto it = lanes.find(lane);
  if (it == lanes.end()) co_return Errc::not_found;
  co_return it->second.fence;
}

Task<LaneImage> FakeOrderStore::fence(Ticks /*deadline*/, LaneId lane) {
  const auto fault = co_await on_fence.enter();
  if (fault) co_return fault->error;
  const auto it = lanes.find(lane);
  if (it == lanes.end()) co_return Errc::not_found;
  LaneImage image;
  image.lane = lane;
  image.epoch = ++it->second.fence;
  image.window = it->second.window;
  image.stock = it->second.stock;
  for (const auto& [id, order] : orders) {
    if (order.lane != lane || !is_live(order.status)) continue;
    image.winners.emplace_back(order.user, OrderView{id, order.status, order.quantity});
  }
  co_return image;
}

Task<std::int64_t> FakeOrderStore::position(Ticks /*deadline*/, std::string topic,
                                            std::int32_t partition) {
  const auto it = positions.find({topic, partition});
  co_return it == positions.end() ? 0 : it->second;
}

Task<std::optional<TimePoint>> FakeOrderStore::applied_through(Ticks /*deadline*/,
                                                               std::string /*topic*/,
                                                               std::int32_t /*partitions*/) {
  const auto fault = co_await on_applied_through.enter();
  if (fault) co_return fault->error;
  co_return applied;
}

Task<AuditFigures> FakeOrderStore::audit(Ticks /*deadline*/, SaleId sale) {
  AuditFigures figures;
  for (const auto& [id, lane] : lanes) {
    if (id.sale == sale) figures.stock += lane.stock;
  }
  for (const auto& [id, order] : orders) {
    if (order.lane.sale != sale) continue;
    if (is_live(order.status)) {
      figures.live_units += order.quantity;
      ++figures.live_orders;
    }
    figures.rejected_stock += order.reason == RejectReason::stock ? 1 : 0;
    figures.rejected_duplicate += order.reason == RejectReason::duplicate ? 1 : 0;
  }
  figures.initial = figures.stock + figures.live_units;
  co_return figures;
}

Task<Sale> FakeSaleStore::create(Ticks /*deadline*/, SaleDraft draft) {
  const auto fault = co_await on_create.enter();
  if (fault) co_return fault->error;
  Sale sale;
  sale.id = sales.empty() ? 1 : sales.rbegin()->first + 1;
  sale.terms = std::move(draft);
  sales[sale.id] = sale;
  co_return sale;
}

Task<std::vector<Sale>> FakeSaleStore::list(Ticks /*deadline*/, std::size_t max) {
  const auto fault = co_await on_list.enter();
  if (fault) co_return fault->error;
  std::vector<Sale> newest;
  for (auto it = sales.rbegin(); it != sales.rend() && newest.size() < max; ++it) {
    newest.push_back(it->second);
  }
  co_return newest;
}

Task<std::optional<Sale>> FakeSaleStore::get(Ticks /*deadline*/, SaleId sale) {
  const auto it = sales.find(sale);
  if (it == sales.end()) co_return std::optional<Sale>();
  co_return std::optional<Sale>(it->second);
}

Task<Sale> FakeSaleStore::set_state(Ticks /*deadline*/, SaleId sale, SaleState state) {
  const auto fault = co_await on_set_state.enter();
  if (fault) co_return fault->error;
  const auto it = sales.find(sale);
  if (it == sales.end()) co_return Errc::not_found;
  if (!may_become(it->second.state, state)) co_return Errc::stale;
  if (it->second.state != state) ++it->second.revision;
  it->second.state = state;
  co_return it->second;
}

Task<Lease> FakeControlStore::acquire(Ticks /*deadline*/, std::string /*name*/, std::string who,
                                      Millis /*ttl*/) {
  const auto fault = co_await on_acquire.enter();
  if (fault) co_return fault->error;
  if (holder.empty()) {
    holder = who;
    ++term;
  }
  Lease lease;
  lease.term = term;
  lease.held = holder == who;
  co_return lease;
}

Task<> FakeControlStore::release(Ticks /*deadline*/, std::string /*name*/, std::string who) {
  if (holder == who) holder.clear();
  co_return boost::system::in_place_value;
}

}  // namespace sluice::test
