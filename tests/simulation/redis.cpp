#include "simulation/redis.hpp"

#include <algorithm>
#include <set>

#include "sluice/base/mutation.hpp"

namespace sluice::simulation {
namespace {

constexpr std::size_t kBatchMax = 1'024;

bool of_lane(LaneId lane, Epoch epoch, const Attempt& attempt) {
  return attempt.quantity > 0 && !attempt.user.text().empty() && attempt.id.epoch() == epoch &&
         attempt.id.lane() == lane.index;
}

bool sound(LaneId lane, const LaneImage& image) {
  if (image.lane != lane || image.epoch < 1 || image.epoch > kEpochMax || image.stock < 0) {
    return false;
  }
  std::set<UserId> users;
  return std::ranges::all_of(image.winners, [&](const auto& winner) {
    const auto& [user, order] = winner;
    return is_live(order.status) && order.quantity > 0 && users.insert(user).second;
  });
}

}  // namespace

bool Redis::valid(const Lane& lane) const {
  if (lane.closed && !mutant("redis.close_does_nothing")) return false;
  return lane.replication == replication_ || mutant("redis.replication_unchecked");
}

Redis::Lane* Redis::ready(LaneId id, Epoch epoch) {
  const auto found = lanes_.find(id);
  if (found == lanes_.end() || !valid(found->second)) return nullptr;
  const bool same = found->second.epoch == epoch || mutant("redis.epoch_unchecked");
  return same ? &found->second : nullptr;
}

const Redis::Lane* Redis::ready(LaneId id, Epoch epoch) const {
  return const_cast<Redis*>(this)->ready(id, epoch);
}

Result<ReserveReply> Redis::reserve(LaneId id, Epoch epoch, const std::vector<Attempt>& attempts) {
  const auto fits = [&](const Attempt& attempt) {
    return of_lane(id, epoch, attempt);
  };
  if (attempts.size() > kBatchMax || !std::ranges::all_of(attempts, fits)) return Errc::invalid;
  auto* lane = ready(id, epoch);
  if (lane == nullptr) return Errc::not_ready;
  ReserveReply reply;
  for (const auto& attempt : attempts) reply.reservations.push_back(decide(id, *lane, attempt));
  reply.version = lane->version;
  reply.may_return = !lane->pending.empty();
  return reply;
}

Reservation Redis::decide(LaneId id, Lane& lane, const Attempt& attempt) {
  if (const auto found = lane.records.find(attempt.user); found != lane.records.end()) {
    const auto& order = found->second.order;
    const bool itself = order.id == attempt.id && order.status == OrderStatus::queued;
    return {itself ? Verdict::granted : Verdict::already, order};
  }
  const auto now = clock_.now();
  const bool open = lane.window.state == SaleState::open && now >= lane.window.starts_at &&
                    now < lane.window.ends_at;
  if (!open && !mutant("redis.window_unchecked")) return {Verdict::not_open, {}};
  if (lane.stock <= 0) return {Verdict::sold_out, {}};
  if (lane.stock < attempt.quantity) return {Verdict::insufficient, {}};
  lane.stock -= attempt.quantity;
  const OrderView order{attempt.id, OrderStatus::queued, attempt.quantity};
  lane.records[attempt.user] = {order, now};
  lane.pending[{now, attempt.id}] = attempt.user;
  on_grant(id, attempt);
  return {Verdict::granted, order};
}

Result<void> Redis::settle(LaneId id, Epoch epoch, const std::vector<Settlement>& settlements) {
  auto* lane = ready(id, epoch);
  if (lane == nullptr) return {};
  for (const auto& settlement : settlements) settle_one(id, *lane, settlement);
  return {};
}

void Redis::settle_one(LaneId id, Lane& lane, const Settlement& settlement) {
  const auto found = lane.records.find(settlement.user);
  if (found == lane.records.end()) return;
  auto& record = found->second;
  if (record.order.id != settlement.id && !mutant("redis.settle_without_name")) return;
  lane.pending.erase({record.reserved_at, record.order.id});
  if (settlement.action == SettleAction::keep) {
    if (record.order.status == OrderStatus::queued) record.order.status = OrderStatus::confirmed;
    return;
  }
  if (settlement.action == SettleAction::give_back) {
    lane.stock += record.order.quantity;
    ++lane.version;
    on_return(id, lane.epoch, record.order.id);
  }
  lane.records.erase(found);
}

Result<std::vector<std::optional<OrderView>>> Redis::find(LaneId id, Epoch epoch,
                                                          const std::vector<UserId>& users) const {
  const auto* lane = ready(id, epoch);
  if (lane == nullptr) return Errc::not_ready;
  std::vector<std::optional<OrderView>> found(users.size());
  for (std::size_t i = 0; i < users.size(); ++i) {
    const auto record = lane->records.find(users[i]);
    if (record != lane->records.end()) found[i] = record->second.order;
  }
  return found;
}

Result<LaneView> Redis::view(LaneId id) const {
  LaneView view;
  const auto found = lanes_.find(id);
  if (found == lanes_.end() || !valid(found->second)) return view;
  const auto& lane = found->second;
  view.ready = true;
  view.epoch = lane.epoch;
  view.version = lane.version;
  view.stock = lane.stock;
  view.pending = lane.pending.size();
  for (const auto& [key, user] : lane.pending) view.held += lane.records.at(user).order.quantity;
  view.window = lane.window;
  return view;
}

Result<Winners> Redis::winners(LaneId id, Epoch epoch) const {
  const auto* lane = ready(id, epoch);
  if (lane == nullptr) return Errc::not_ready;
  Winners winners;
  winners.version = lane->version;
  for (const auto& [user, record] : lane->records) winners.users.push_back(user);
  return winners;
}

Result<std::vector<Pending>> Redis::overdue(LaneId id, Millis age, std::size_t max) const {
  std::vector<Pending> overdue;
  const auto found = lanes_.find(id);
  if (found == lanes_.end()) return overdue;
  const auto not_after = clock_.now() - age;
  for (const auto& [key, user] : found->second.pending) {
    const auto& [reserved_at, order] = key;
    if (reserved_at > not_after || overdue.size() >= max) break;
    const auto quantity = found->second.records.at(user).order.quantity;
    overdue.push_back({OrderMessage{order, id, order.epoch(), user, quantity, reserved_at}});
  }
  return overdue;
}

Result<void> Redis::close(LaneId id, Epoch epoch) {
  auto& lane = lanes_[id];
  if (lane.epoch > epoch) return {};
  lane.epoch = epoch;
  lane.closed = true;
  return {};
}

Result<void> Redis::rebuild(LaneId id, const LaneImage& image) {
  if (!sound(id, image)) return Errc::invalid;
  auto& lane = lanes_[id];
  // Over the ruins of another Redis' lane the same epoch may come again, over a closed lane not.
  const bool ours = valid(lane) || lane.closed;
  const bool newer = image.epoch > lane.epoch || (image.epoch == lane.epoch && !ours);
  if (!newer && !mutant("redis.old_epoch_opens")) return Errc::stale;
  Lane fresh;
  fresh.epoch = image.epoch;
  fresh.replication = replication_;
  fresh.version = 1;
  fresh.stock = image.stock;
  fresh.window = image.window;
  for (const auto& [user, order] : image.winners) fresh.records[user] = {order, {}};
  lane = std::move(fresh);
  on_open(id, image.epoch);
  return {};
}

Result<void> Redis::set_window(LaneId id, Epoch epoch, LaneWindow window) {
  auto* lane = ready(id, epoch);
  if (lane == nullptr) return Errc::not_ready;
  const bool older = window.revision < lane->window.revision;
  if (!older || mutant("redis.older_window_wins")) lane->window = window;
  return {};
}

bool Redis::drift_units(LaneId id, std::int64_t by) {
  const auto found = lanes_.find(id);
  if (found == lanes_.end() || !valid(found->second)) return false;
  auto& stock = found->second.stock;
  const auto before = stock;
  stock = std::max<std::int64_t>(0, stock + by);
  return stock != before;
}

std::optional<OrderId> Redis::forget_a_winner(LaneId id, std::uint64_t choice) {
  const auto found = lanes_.find(id);
  if (found == lanes_.end() || !valid(found->second)) return std::nullopt;
  auto& records = found->second.records;
  std::vector<UserId> decided;
  for (const auto& [user, record] : records) {
    if (record.order.status != OrderStatus::queued) decided.push_back(user);
  }
  if (decided.empty()) return std::nullopt;
  const auto winner = records.find(decided[choice % decided.size()]);
  const auto order = winner->second.order.id;
  records.erase(winner);
  return order;
}

void Redis::restart(Lanes with) {
  ++replication_;
  become(std::move(with));
}

void Redis::become(Lanes lanes) {
  for (const auto& [id, old] : lanes_) {
    const auto now = lanes.find(id);
    for (const auto& [key, user] : old.pending) {
      if (now == lanes.end() || !now->second.pending.contains(key)) on_loss(key.second);
    }
  }
  lanes_ = std::move(lanes);
}

}  // namespace sluice::simulation
