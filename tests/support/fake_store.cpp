#include "support/fake_store.hpp"

#include <algorithm>
#include <set>

namespace sluice::test {

const Order* FakeOrderStore::live_order(SaleId sale, const UserId& user) const {
  for (const auto& [id, order] : orders) {
    if (order.lane.sale == sale && order.user == user && is_live(order.status)) return &order;
  }
  return nullptr;
}

Outcome FakeOrderStore::decide(const OrderMessage& message) {
  if (const auto it = orders.find(message.id); it != orders.end()) {
    return {message.id, it->second.status, it->second.reason};
  }
  Outcome outcome{message.id, OrderStatus::rejected, RejectReason::none};
  const auto lane = lanes.find(message.lane);
  if (lane == lanes.end()) outcome.reason = RejectReason::invalid;
  if (outcome.reason != RejectReason::none) return outcome;
  const auto parked = late.find(message.id);
  if (parked != late.end() && parked->second.reason != RejectReason::none) {
    outcome.reason = parked->second.reason;
    return outcome;
  }
  if (message.epoch < lane->second.fence) return park(message);
  late.erase(message.id);
  if (live_order(message.lane.sale, message.user) != nullptr) {
    outcome.reason = RejectReason::duplicate;
  } else if (lane->second.stock < message.quantity) {
    outcome.reason = RejectReason::stock;
  } else {
    lane->second.stock -= message.quantity;
    outcome.status = OrderStatus::confirmed;
  }
  auto& row = lane->second;
  const bool proven = outcome.status == OrderStatus::rejected && message.epoch == row.fence;
  if (proven && row.by_store != row.fence) row.suspect = row.fence;
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

Outcome FakeOrderStore::park(const OrderMessage& message) {
  const auto place = static_cast<std::int64_t>(late.size()) + 1;
  auto& [order, reason] = late.try_emplace(message.id, Late{{message, now, place}}).first->second;
  order.message = message;
  return {message.id, OrderStatus::queued, RejectReason::none};
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
  if (range) {
    for (const auto& fence : range->fences) raise(fence);
  }
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
    found.push_back(theirs ? std::optional(it->second) : late_order(key));
  }
  co_return found;
}

std::optional<Order> FakeOrderStore::late_order(const OrderKey& key) const {
  const auto it = late.find(key.id);
  if (it == late.end()) return std::nullopt;
  const auto& [row, reason] = it->second;
  if (row.message.lane.sale != key.sale || row.message.user != key.user) return std::nullopt;
  Order order;
  order.id = key.id;
  order.lane = row.message.lane;
  order.user = row.message.user;
  order.quantity = row.message.quantity;
  order.status = reason == RejectReason::none ? OrderStatus::queued : OrderStatus::rejected;
  order.reason = reason;
  return order;
}

bool FakeOrderStore::waits(LaneId lane) const {
  return std::ranges::any_of(late, [lane](const auto& entry) {
    const auto& [order, reason] = entry.second;
    return reason == RejectReason::none && order.message.lane.sale == lane.sale;
  });
}

Task<> FakeLateOrders::note(Ticks /*deadline*/, In<OrderKey> orders) {
  ++notes;
  const auto fault = co_await on_note.enter();
  if (fault && !fault->done) co_return fault->error;
  for (const auto& [id, sale, user] : orders) {
    const LaneId lane{sale, id.lane()};
    const auto row = store_.lanes.find(lane);
    const bool behind = row != store_.lanes.end() && id.epoch() < row->second.fence;
    if (!behind || store_.orders.contains(id)) continue;
    const auto place = static_cast<std::int64_t>(store_.late.size()) + 1;
    const OrderMessage message{id, lane, id.epoch(), user, 0, store_.now};
    store_.late.try_emplace(id, FakeOrderStore::Late{{message, store_.now, place}});
  }
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

Task<std::vector<LateOrder>> FakeLateOrders::undecided(Ticks /*deadline*/, std::int64_t after,
                                                       std::size_t max) {
  const auto fault = co_await on_undecided.enter();
  if (fault) co_return fault->error;
  std::vector<LateOrder> orders;
  for (const auto& [id, row] : store_.late) {
    if (row.reason == RejectReason::none && row.order.place > after) orders.push_back(row.order);
  }
  std::ranges::sort(orders, {}, &LateOrder::place);
  if (orders.size() > max) orders.resize(max);
  co_return orders;
}

Task<> FakeLateOrders::refuse(Ticks /*deadline*/, In<LateRefusal> refusals, Term leader) {
  const auto fault = co_await on_refuse.enter();
  if (fault && !fault->done) co_return fault->error;
  if (store_.term && *store_.term != leader) co_return Errc::stale;
  for (const auto& [order, reason] : refusals) {
    const auto row = store_.late.find(order.message.id);
    const bool same = row != store_.late.end() && row->second.reason == RejectReason::none &&
                      row->second.order.message.quantity == order.message.quantity;
    if (same) row->second.reason = reason;
  }
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

Task<std::optional<Order>> FakeOrderStore::find_live(Ticks /*deadline*/, SaleId sale, UserId user) {
  const auto fault = co_await on_find_live.enter();
  if (fault) co_return fault->error;
  if (const auto* order = live_order(sale, user)) co_return *order;
  for (const auto& [id, row] : late) {
    const bool undecided = row.reason == RejectReason::none && !row.order.missing();
    const auto& message = row.order.message;
    if (undecided && message.lane.sale == sale && message.user == user) {
      co_return late_order({id, sale, user});
    }
  }
  co_return std::nullopt;
}

void FakeOrderStore::raise(const Fence& fence) {
  const auto it = lanes.find(fence.lane);
  if (it == lanes.end() || fence.epoch > it->second.newest) return;
  it->second.fence = std::max(it->second.fence, fence.epoch);
}

Task<LaneHead> FakeOrderStore::head(Ticks /*deadline*/, LaneId lane) {
  const auto fault = co_await on_head.enter();
  if (fault) co_return fault->error;
  const auto it = lanes.find(lane);
  if (it == lanes.end()) co_return Errc::not_found;
  const auto& row = it->second;
  co_return LaneHead{row.fence, row.newest, row.by_store, row.suspect, waits(lane)};
}

bool FakeOrderStore::leads(std::optional<Term> leader) const {
  return !leader || !term || *leader == *term;
}

Task<std::vector<std::pair<LaneId, LaneHead>>> FakeOrderStore::heads(Ticks /*deadline*/,
                                                                     In<SaleId> sales) {
  const auto fault = co_await on_heads.enter();
  if (fault) co_return fault->error;
  std::vector<std::pair<LaneId, LaneHead>> heads;
  for (const auto sale : sales) {
    for (auto it = lanes.lower_bound({sale, 0}); it != lanes.end() && it->first.sale == sale;
         ++it) {
      const auto& row = it->second;
      heads.emplace_back(
          it->first, LaneHead{row.fence, row.newest, row.by_store, row.suspect, waits(it->first)});
    }
  }
  co_return heads;
}

Task<Epoch> FakeOrderStore::next_epoch(Ticks /*deadline*/, LaneId lane, Authority authority,
                                       std::optional<Term> leader) {
  const auto fault = co_await on_next_epoch.enter();
  if (fault && !fault->done) co_return fault->error;
  if (!leads(leader)) co_return Errc::stale;
  const auto it = lanes.find(lane);
  if (it == lanes.end()) co_return Errc::not_found;
  auto& row = it->second;
  const bool same = (row.by_store == row.newest) == (authority == Authority::store);
  if (!leader || !same || row.unopened == 0 || row.unopened != row.newest) {
    row.newest = std::max(row.newest, row.fence) + 1;
    if (authority == Authority::store) row.by_store = row.newest;
    if (leader) row.unopened = row.newest;
  }
  if (fault) co_return fault->error;
  co_return row.newest;
}

Task<> FakeOrderStore::begin_opening(Ticks /*deadline*/, Fence fence, Term leader) {
  const auto fault = co_await on_begin_opening.enter();
  if (fault && !fault->done) co_return fault->error;
  const auto it = lanes.find(fence.lane);
  if (!leads(leader) || it == lanes.end()) co_return Errc::stale;
  auto& row = it->second;
  const auto epoch = fence.epoch;
  if (epoch == 0 || row.unopened != epoch || row.newest != epoch || row.fence != epoch)
    co_return Errc::stale;
  row.unopened = 0;
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

Task<> FakeOrderStore::raise_fence(Ticks /*deadline*/, Fence fence, std::optional<Epoch> seen,
                                   std::optional<Term> leader) {
  const auto fault = co_await on_raise_fence.enter();
  if (fault && !fault->done) co_return fault->error;
  if (!leads(leader)) co_return Errc::stale;
  if (seen && (!lanes.contains(fence.lane) || lanes[fence.lane].fence != *seen)) {
    co_return Errc::stale;
  }
  raise(fence);
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

Task<> FakeOrderStore::suspect(Ticks /*deadline*/, LaneId lane) {
  const auto fault = co_await on_suspect.enter();
  if (fault) co_return fault->error;
  const auto it = lanes.find(lane);
  if (it == lanes.end()) co_return Errc::not_found;
  it->second.suspect = it->second.fence;
  co_return boost::system::in_place_value;
}

namespace {

class FakePages final : public ImagePages {
 public:
  FakePages(FakeOrderStore& store, std::vector<LiveOrder> orders)
      : store_(store), orders_(std::move(orders)) {
    ++store_.images_open;
  }
  ~FakePages() override { --store_.images_open; }

  Task<ImagePage> next(Ticks /*deadline*/) override {
    const auto fault = co_await store_.on_image_page.enter();
    if (fault) co_return fault->error;
    const auto left = orders_.size() - at_;
    const auto count = std::min(left, store_.image_page_orders);
    const auto begin = orders_.begin() + static_cast<std::ptrdiff_t>(at_);
    ImagePage page{{begin, begin + static_cast<std::ptrdiff_t>(count)}, count == left};
    at_ += count;
    co_return page;
  }

 private:
  FakeOrderStore& store_;
  std::vector<LiveOrder> orders_;
  std::size_t at_ = 0;
};

}  // namespace

Task<StoredImage> FakeOrderStore::image(Ticks /*deadline*/, LaneId lane) {
  const auto fault = co_await on_image.enter();
  if (fault) co_return fault->error;
  const auto it = lanes.find(lane);
  if (it == lanes.end()) co_return Errc::not_found;
  StoredImage image;
  image.lane.lane = lane;
  image.lane.epoch = it->second.fence;
  image.lane.window = it->second.window;
  image.lane.stock = it->second.stock;
  std::vector<LiveOrder> live;
  for (const auto& [id, order] : orders) {
    if (order.lane != lane || !is_live(order.status)) continue;
    live.emplace_back(order.user, OrderView{id, order.status, order.quantity});
    image.lane.sold += order.quantity;
  }
  image.pages = std::make_unique<FakePages>(*this, std::move(live));
  co_return image;
}

Task<LaneSnapshot> FakeOrderStore::lane_snapshot(Ticks /*deadline*/, LaneId lane,
                                                 In<UserId> users) {
  const auto fault = co_await on_standing.enter();
  if (fault) co_return fault->error;
  const auto it = lanes.find(lane);
  if (it == lanes.end()) co_return Errc::not_found;
  const auto& row = it->second;
  LaneSnapshot lane_snapshot;
  lane_snapshot.head = LaneHead{row.fence, row.newest, row.by_store, row.suspect};
  lane_snapshot.stock = row.stock;
  lane_snapshot.returned = row.returned;
  lane_snapshot.window = row.window;
  lane_snapshot.open = row.window.state == SaleState::open;
  for (const auto& user : users) {
    const auto* order = live_order(lane.sale, user);
    lane_snapshot.orders.push_back(
        order == nullptr ? std::optional<OrderView>()
                         : std::optional(OrderView{order->id, order->status, order->quantity}));
  }
  co_return lane_snapshot;
}

Task<std::vector<UserId>> FakeOrderStore::winners(Ticks /*deadline*/, LaneId lane,
                                                  std::string after, std::size_t max) {
  const auto fault = co_await on_winners.enter();
  if (fault) co_return fault->error;
  std::set<UserId> users;
  for (const auto& [id, order] : orders) {
    const bool wins = order.lane == lane && is_live(order.status);
    if (wins && order.user.text() > after) users.insert(order.user);
  }
  std::vector<UserId> page(users.begin(), users.end());
  if (page.size() > max) page.resize(max);
  co_return page;
}

Task<std::int64_t> FakeOrderStore::position(Ticks /*deadline*/, std::string topic,
                                            std::int32_t partition) {
  const auto it = positions.find({topic, partition});
  co_return it == positions.end() ? 0 : it->second;
}

Task<LogProgress> FakeOrderStore::progress(Ticks /*deadline*/, std::string topic,
                                           std::int32_t /*partitions*/) {
  const auto fault = co_await on_progress.enter();
  if (fault) co_return fault->error;
  LogProgress progress;
  progress.through = applied;
  for (const auto& [partition, next] : positions) {
    if (partition.first == topic) progress.applied += next;
  }
  co_return progress;
}

Task<std::vector<LaneFigures>> FakeOrderStore::audit(Ticks /*deadline*/, SaleId sale) {
  const auto fault = co_await on_audit.enter();
  if (fault) co_return fault->error;
  std::vector<LaneFigures> lanes_of_sale;
  for (const auto& [id, row] : lanes) {
    if (id.sale != sale) continue;
    LaneFigures figures;
    figures.lane = id;
    figures.head = LaneHead{row.fence, row.newest, row.by_store, row.suspect};
    figures.stock = row.stock;
    figures.returning = row.returning;
    for (const auto& [order_id, order] : orders) {
      if (order.lane != id) continue;
      if (is_live(order.status)) {
        figures.live_units += order.quantity;
        ++figures.live_orders;
      }
      figures.rejected_stock += order.reason == RejectReason::stock ? 1 : 0;
      figures.rejected_duplicate += order.reason == RejectReason::duplicate ? 1 : 0;
    }
    figures.initial = row.initial.value_or(figures.stock + figures.live_units);
    lanes_of_sale.push_back(figures);
  }
  co_return lanes_of_sale;
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

Task<std::vector<Sale>> FakeSaleStore::list(Ticks /*deadline*/, SaleFilter which, SaleId before,
                                            std::size_t max) {
  const auto fault = co_await on_list.enter();
  if (fault) co_return fault->error;
  count_changes();
  std::vector<Sale> newest;
  for (auto entry = sales.rbegin(); entry != sales.rend(); ++entry) {
    const auto& [id, sale] = *entry;
    const bool draft = sale.state == SaleState::draft;
    const bool listed = which == SaleFilter::all ||
                        (which == SaleFilter::finished ? sale.finished : !draft && !sale.finished);
    if (listed && id < before && newest.size() < std::min(max, kSalesPageMax))
      newest.push_back(sale);
  }
  co_return newest;
}

Task<std::uint64_t> FakeSaleStore::last_change(Ticks /*deadline*/) {
  const auto fault = co_await on_list.enter();
  if (fault) co_return fault->error;
  count_changes();
  co_return newest_;
}

Task<std::vector<Sale>> FakeSaleStore::changed(Ticks /*deadline*/, std::uint64_t after,
                                               std::size_t max) {
  const auto fault = co_await on_changed.enter();
  if (fault) co_return fault->error;
  count_changes();
  std::vector<Sale> found;
  for (const auto& [id, sale] : sales) {
    if (sale.change > after && sale.state != SaleState::draft) found.push_back(sale);
  }
  std::ranges::sort(found, {}, &Sale::change);
  if (found.size() > max) found.resize(max);
  co_return found;
}

Task<std::vector<Sale>> FakeSaleStore::find(Ticks /*deadline*/, std::vector<SaleId> ids) {
  const auto fault = co_await on_find.enter();
  if (fault) co_return fault->error;
  std::vector<Sale> found;
  for (const auto id : ids) {
    if (sales.contains(id)) found.push_back(sales.at(id));
  }
  co_return found;
}

Task<> FakeSaleStore::finish(Ticks /*deadline*/, std::vector<SaleId> ids) {
  const auto fault = co_await on_finish.enter();
  if (fault) co_return fault->error;
  for (const auto id : ids) {
    auto& sale = sales.at(id);
    sale.finished |= sale.state == SaleState::closed && is_over(id);
  }
  co_return boost::system::in_place_value;
}

void FakeSaleStore::count_changes() {
  const bool fewer = std::ranges::any_of(
      counted_, [this](const auto& entry) { return !sales.contains(entry.first); });
  // As another database, whose count is lower.
  if (fewer) newest_ = 0;
  for (auto& [id, sale] : sales) {
    const auto known = counted_.find(id);
    const bool same = known != counted_.end() && known->second.state == sale.state &&
                      known->second.revision == sale.revision &&
                      known->second.finished == sale.finished &&
                      known->second.terms.ends_at == sale.terms.ends_at;
    if (!same) sale.change = ++newest_;
  }
  counted_ = sales;
}

Task<std::optional<Sale>> FakeSaleStore::get(Ticks /*deadline*/, SaleId sale) {
  const auto fault = co_await on_get.enter();
  if (fault) co_return fault->error;
  const auto it = sales.find(sale);
  co_return it == sales.end() ? std::nullopt : std::optional(it->second);
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

Task<Lease> FakeControlStore::acquire(Ticks /*deadline*/, std::string name, std::string who,
                                      Millis ttl) {
  if (name == kStandbyLease) {
    const bool held = standby.empty() || standby == who;
    if (held && ttl > Millis{1}) standby = who;
    co_return Lease{1, held};
  }
  const auto fault = co_await on_acquire.enter();
  if (fault) co_return fault->error;
  if (holder.empty()) {
    holder = who;
    ++term;
  }
  co_return Lease{term, holder == who};
}

Task<> FakeControlStore::release(Ticks /*deadline*/, std::string /*name*/, std::string who) {
  if (holder == who) holder.clear();
  co_return boost::system::in_place_value;
}

Task<std::string> FakeControlStore::requested(Ticks /*deadline*/, std::string name) {
  const auto fault = co_await on_wish.enter();
  if (fault) co_return fault->error;
  const auto it = requests.find(name);
  co_return it == requests.end() ? std::string() : it->second;
}

Task<> FakeControlStore::request(Ticks /*deadline*/, std::string name, std::string value) {
  requests[name] = std::move(value);
  co_return boost::system::in_place_value;
}

}  // namespace sluice::test
