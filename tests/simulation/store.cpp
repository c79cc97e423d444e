#include "simulation/store.hpp"

#include <algorithm>

#include "sluice/base/mutation.hpp"

namespace sluice::simulation {
namespace {

constexpr std::size_t kUsersMax = 1'024;

Outcome outcome_of(const OrderMessage& message, OrderStatus status, RejectReason reason) {
  return {message.id, status, reason};
}

Outcome rejected(const OrderMessage& message, RejectReason reason) {
  return outcome_of(message, OrderStatus::rejected, reason);
}

}  // namespace

Result<std::vector<Outcome>> Store::apply(const std::vector<OrderMessage>& messages,
                                          const std::optional<OffsetRange>& range) {
  if (const auto wrong = check_apply(messages, range)) return *wrong;
  if (range) {
    auto& position = positions_[{range->topic, range->partition}];
    if (position.next != range->begin && !mutant("store.position_unchecked")) return Errc::stale;
    position.next = range->next;
    position.log_time = std::max(position.log_time, range->log_time);
  }
  if (range && mutant("store.fence_before_messages")) {
    for (const auto& fence : range->fences) (void)raise_fence(fence, std::nullopt, std::nullopt);
  }
  std::vector<Outcome> outcomes;
  outcomes.reserve(messages.size());
  for (const auto& message : messages) outcomes.push_back(decide(message));
  if (range) {
    for (const auto& fence : range->fences) (void)raise_fence(fence, std::nullopt, std::nullopt);
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (i == 0 || messages[i].lane != messages[i - 1].lane) on_commit(messages[i].lane);
  }
  return outcomes;
}

Outcome Store::decide(const OrderMessage& message) {
  const auto found = lanes_.find(message.lane);
  const bool sane =
      message.quantity > 0 && !message.user.text().empty() && message.epoch <= kEpochMax;
  if (found == lanes_.end() || !sane ||
      message.quantity > sales_.at(message.lane.sale).terms.limit_per_order) {
    return rejected(message, RejectReason::invalid);
  }
  auto& lane = found->second;
  if (mutant("store.user_before_order") && live_.contains({message.lane.sale, message.user})) {
    return rejected(message, RejectReason::duplicate);
  }
  if (const auto row = rows_.find(message.id); row != rows_.end()) {
    const auto& known = row->second;
    const bool same =
        known.message.lane.sale == message.lane.sale && known.message.user == message.user;
    if (!same) return rejected(message, RejectReason::invalid);
    return outcome_of(message, known.status, known.reason);
  }
  if (const auto known = decide_late(message, lane.head.fence)) return *known;
  if (live_.contains({message.lane.sale, message.user}) && !mutant("store.two_live_orders")) {
    note_divergence(lane, message);
    return insert(message, OrderStatus::rejected, RejectReason::duplicate);
  }
  if (message.quantity > lane.stock) {
    note_divergence(lane, message);
    return insert(message, OrderStatus::rejected, RejectReason::stock);
  }
  lane.stock -= message.quantity;
  live_[{message.lane.sale, message.user}] = message.id;
  return insert(message, OrderStatus::confirmed, RejectReason::none);
}

std::optional<Outcome> Store::decide_late(const OrderMessage& message, Epoch fence) {
  const auto row = late_.find(message.id);
  if (row != late_.end()) {
    const auto& [order, reason] = row->second;
    const auto& known = order.message;
    const bool own = known.lane.sale == message.lane.sale && known.user == message.user;
    if (!own) return rejected(message, RejectReason::invalid);
    if (reason != RejectReason::none) return rejected(message, reason);
  }
  if (message.epoch < fence && mutant("store.late_refused")) {
    return rejected(message, RejectReason::fenced);
  }
  if (message.epoch < fence && !mutant("store.no_fence")) {
    on_park(message);
    park(message);
    return outcome_of(message, OrderStatus::queued, RejectReason::none);
  }
  if (row != late_.end() && superseded(row->second.order.message)) {
    row->second.reason = RejectReason::duplicate;
    return rejected(message, RejectReason::duplicate);
  }
  if (row != late_.end()) late_.erase(row);
  return std::nullopt;
}

void Store::park(const OrderMessage& message) {
  auto& late = late_.try_emplace(message.id, Late{{message, clock_.now(), 0}}).first->second;
  if (late.order.place == 0) late.order.place = ++last_place_;
  late.order.message = message;
}

Result<void> Store::note_late(const std::vector<OrderKey>& orders) {
  if (orders.size() > kLateMax) return Errc::overloaded;
  for (const auto& [id, sale, user] : orders) {
    const LaneId lane{sale, id.lane()};
    const auto found = lanes_.find(lane);
    const bool behind = found != lanes_.end() && id.epoch() < found->second.head.fence;
    if (!behind || rows_.contains(id) || late_.contains(id)) continue;
    park({id, lane, id.epoch(), user, 0, clock_.now()});
  }
  return {};
}

Result<std::vector<LateOrder>> Store::undecided_late(std::int64_t after, std::size_t max) const {
  std::vector<LateOrder> orders;
  for (const auto& [id, late] : late_) {
    if (late.reason == RejectReason::none && late.order.place > after) orders.push_back(late.order);
  }
  std::ranges::sort(orders, {}, &LateOrder::place);
  orders.resize(std::min({orders.size(), max, kLateMax}));
  return orders;
}

bool Store::superseded(const OrderMessage& late) const {
  return std::ranges::any_of(rows_, [&late](const auto& entry) {
    const auto& row = entry.second;
    const bool over = row.status == OrderStatus::cancelled || row.status == OrderStatus::expired;
    return over && row.message.lane.sale == late.lane.sale && row.message.user == late.user &&
           row.message.epoch > late.epoch;
  });
}

Result<void> Store::refuse_late(const std::vector<LateRefusal>& refusals, Term leader) {
  if (refusals.size() > kLateMax) return Errc::overloaded;
  if (!leads(leader)) return Errc::stale;
  for (const auto& refusal : refusals) {
    const auto row = late_.find(refusal.order.message.id);
    if (row == late_.end() || row->second.reason != RejectReason::none) continue;
    if (row->second.order.message.quantity != refusal.order.message.quantity) continue;
    row->second.reason = refusal.reason;
    on_refusal(refusal);
  }
  return {};
}

LaneHead Store::head_of(LaneId lane, const Lane& row) const {
  auto head = row.head;
  head.late = std::ranges::any_of(late_, [lane](const auto& entry) {
    const auto& [order, reason] = entry.second;
    return reason == RejectReason::none && order.message.lane.sale == lane.sale;
  });
  return head;
}

std::optional<Order> Store::late_order(const OrderKey& key) const {
  const auto row = late_.find(key.id);
  if (row == late_.end()) return std::nullopt;
  const auto& [late, reason] = row->second;
  if (late.message.lane.sale != key.sale || late.message.user != key.user) return std::nullopt;
  const bool over = reason != RejectReason::none;
  return order_of({late.message, over ? OrderStatus::rejected : OrderStatus::queued, reason, {}});
}

Outcome Store::insert(const OrderMessage& message, OrderStatus status, RejectReason reason) {
  Row row{message, status, reason, {}};
  const auto& terms = sales_.at(message.lane.sale).terms;
  if (status == OrderStatus::confirmed && must_be_paid(terms)) {
    row.pay_by = clock_.now() + terms.pay_within;
  }
  rows_.emplace(message.id, std::move(row));
  return outcome_of(message, status, reason);
}

void Store::note_divergence(Lane& lane, const OrderMessage& message) {
  const bool current = message.epoch == lane.head.fence;
  if (!current || lane.head.authority() != Authority::inventory) return;
  on_suspicion(message.lane, Accuser::divergence);
  lane.head.suspect = lane.head.fence;
}

Order Store::order_of(const Row& row) const {
  const auto& terms = sales_.at(row.message.lane.sale).terms;
  Order order;
  order.id = row.message.id;
  order.lane = row.message.lane;
  order.user = row.message.user;
  order.quantity = row.message.quantity;
  order.status = row.status;
  order.reason = row.reason;
  order.unit_price_minor = terms.unit_price_minor;
  order.currency = terms.currency;
  order.created_at = row.message.reserved_at;
  order.pay_by = row.pay_by;
  return order;
}

std::optional<OrderView> Store::live_view(SaleId sale, const UserId& user) const {
  const auto found = live_.find({sale, user});
  if (found == live_.end()) return std::nullopt;
  const auto& row = rows_.at(found->second);
  return OrderView{row.message.id, row.status, row.message.quantity};
}

Result<std::vector<std::optional<Order>>> Store::find(const std::vector<OrderKey>& keys) const {
  if (keys.size() > kMessagesMax) return Errc::overloaded;
  std::vector<std::optional<Order>> orders(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto row = rows_.find(keys[i].id);
    if (row == rows_.end()) orders[i] = late_order(keys[i]);
    if (row == rows_.end()) continue;
    const auto& message = row->second.message;
    if (message.lane.sale != keys[i].sale || message.user != keys[i].user) continue;
    orders[i] = order_of(row->second);
  }
  return orders;
}

Result<std::optional<Order>> Store::find_live(SaleId sale, const UserId& user) const {
  std::optional<Order> order;
  const auto found = live_.find({sale, user});
  if (found != live_.end()) order = order_of(rows_.at(found->second));
  for (const auto& [id, late] : late_) {
    const auto& message = late.order.message;
    const bool theirs = message.lane.sale == sale && message.user == user;
    const bool waits = late.reason == RejectReason::none && !late.order.missing();
    if (!order && theirs && waits) order = late_order({id, sale, user});
  }
  return order;
}

Result<LaneHead> Store::head(LaneId lane) const {
  const auto found = lanes_.find(lane);
  if (found == lanes_.end()) return Errc::not_found;
  return head_of(lane, found->second);
}

Result<std::vector<std::pair<LaneId, LaneHead>>> Store::heads(
    const std::vector<SaleId>& sales) const {
  std::vector<std::pair<LaneId, LaneHead>> heads;
  for (const auto sale : sales) {
    for (auto it = lanes_.lower_bound({sale, 0}); it != lanes_.end() && it->first.sale == sale;
         ++it) {
      heads.emplace_back(it->first, head_of(it->first, it->second));
    }
  }
  return heads;
}

bool Store::leads(std::optional<Term> leader) const {
  if (!leader || mutant("store.old_leader")) return true;
  const auto lease = leases_.find(std::string(kLeaderLease));
  return lease != leases_.end() && lease->second.term == *leader;
}

Result<Epoch> Store::next_epoch(LaneId id, Authority authority, std::optional<Term> leader) {
  if (!leads(leader)) return Errc::stale;
  const auto found = lanes_.find(id);
  if (found == lanes_.end()) return Errc::not_found;
  auto& lane = found->second;
  auto& head = lane.head;
  const bool same = (head.by_store == head.newest) == (authority == Authority::store);
  const bool left = lane.unopened > 0 && lane.unopened == head.newest;
  if (leader && same && left && !mutant("store.epochs_burnt")) return head.newest;
  if (head.newest >= kEpochMax) return Errc::overloaded;
  ++head.newest;
  if (authority == Authority::store) head.by_store = head.newest;
  if (leader) lane.unopened = head.newest;
  on_commit(id);
  return head.newest;
}

Result<void> Store::begin_opening(Fence fence, Term leader) {
  const auto found = lanes_.find(fence.lane);
  if (!leads(leader) || found == lanes_.end()) return Errc::stale;
  auto& lane = found->second;
  const bool last = lane.head.newest == fence.epoch && lane.head.fence == fence.epoch;
  if (!last || fence.epoch == 0 || lane.unopened != fence.epoch) return Errc::stale;
  if (!mutant("store.opened_twice")) lane.unopened = 0;
  return {};
}

Result<void> Store::raise_fence(Fence fence, std::optional<Epoch> seen,
                                std::optional<Term> leader) {
  if (!leads(leader)) return Errc::stale;
  const auto found = lanes_.find(fence.lane);
  const bool known = found != lanes_.end();
  if (seen && (!known || found->second.head.fence != *seen)) return Errc::stale;
  if (!known) return {};
  auto& head = found->second.head;
  if (fence.epoch > head.newest || fence.epoch <= head.fence) return {};
  head.fence = fence.epoch;
  on_fence(fence);
  on_commit(fence.lane);
  return {};
}

Result<void> Store::suspect(LaneId lane, Accuser accuser) {
  const auto found = lanes_.find(lane);
  if (found == lanes_.end()) return Errc::not_found;
  on_suspicion(lane, accuser);
  found->second.head.suspect = found->second.head.fence;
  return {};
}

Result<Store::Image> Store::image(LaneId id) const {
  const auto found = lanes_.find(id);
  if (found == lanes_.end()) return Errc::not_found;
  const auto& sale = sales_.at(id.sale);
  Image image;
  image.lane.lane = id;
  image.lane.epoch = found->second.head.fence;
  image.lane.window = window_of(sale);
  image.lane.stock = found->second.stock;
  image.lane.limit_per_order = sale.terms.limit_per_order;
  for (const auto& [buyer, order] : live_) {
    const auto& row = rows_.at(order);
    if (row.message.lane != id) continue;
    image.orders.emplace_back(buyer.second,
                              OrderView{row.message.id, row.status, row.message.quantity});
    image.lane.sold += row.message.quantity;
  }
  return image;
}

Result<std::vector<UserId>> Store::winners(LaneId id, const std::string& after,
                                           std::size_t max) const {
  std::vector<UserId> users;
  for (const auto& [buyer, order] : live_) {
    const bool wins = buyer.second.text() > after && rows_.at(order).message.lane == id;
    if (wins) users.push_back(buyer.second);
  }
  std::ranges::sort(users);
  if (users.size() > max) users.resize(max);
  return users;
}

Result<LaneSnapshot> Store::lane_snapshot(LaneId id, const std::vector<UserId>& users) const {
  if (users.size() > kUsersMax) return Errc::overloaded;
  const auto found = lanes_.find(id);
  if (found == lanes_.end()) return Errc::not_found;
  const auto& sale = sales_.at(id.sale);
  LaneSnapshot lane_snapshot;
  lane_snapshot.head = head_of(id, found->second);
  lane_snapshot.stock = found->second.stock;
  lane_snapshot.returned = found->second.returned;
  lane_snapshot.window = window_of(sale);
  lane_snapshot.open = phase(sale, clock_.now()) == WindowPhase::open;
  for (const auto& user : users) lane_snapshot.orders.push_back(live_view(id.sale, user));
  return lane_snapshot;
}

Result<std::int64_t> Store::position(const std::string& topic, std::int32_t partition) const {
  const auto found = positions_.find({topic, partition});
  return found == positions_.end() ? 0 : found->second.next;
}

Result<LogProgress> Store::progress(const std::string& topic, std::int32_t partitions) const {
  LogProgress progress;
  std::optional<TimePoint> through;
  bool complete = partitions > 0;
  for (std::int32_t partition = 0; partition < partitions; ++partition) {
    const auto found = positions_.find({topic, partition});
    if (found == positions_.end()) {
      complete = false;
      continue;
    }
    progress.applied += found->second.next;
    through = through ? std::min(*through, found->second.log_time) : found->second.log_time;
  }
  if (complete) progress.through = through;
  return progress;
}

Result<std::vector<LaneFigures>> Store::audit(SaleId sale) const {
  std::vector<LaneFigures> figures;
  for (auto it = lanes_.lower_bound({sale, 0}); it != lanes_.end() && it->first.sale == sale;
       ++it) {
    LaneFigures lane;
    lane.lane = it->first;
    lane.head = head_of(it->first, it->second);
    lane.initial = it->second.initial;
    lane.stock = it->second.stock;
    lane.returning = returning_units(lane.lane);
    figures.push_back(lane);
  }
  if (figures.empty()) return figures;
  for (const auto& [id, row] : rows_) {
    if (row.message.lane.sale != sale) continue;
    auto& lane = figures.at(row.message.lane.index);
    if (is_live(row.status)) {
      lane.live_units += row.message.quantity;
      ++lane.live_orders;
    }
    lane.rejected_stock += row.reason == RejectReason::stock;
    lane.rejected_duplicate += row.reason == RejectReason::duplicate;
  }
  return figures;
}

}  // namespace sluice::simulation
