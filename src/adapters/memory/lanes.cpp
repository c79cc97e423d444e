#include "adapters/memory/lanes.hpp"

#include <algorithm>

#include "sluice/base/mutation.hpp"

namespace sluice::memory {

namespace {

constexpr std::int64_t kReservedMax = 1'000'000;

}  // namespace

Result<Lane> Lane::of(LaneId id, const LaneImage& image) {
  const bool valid =
      image.lane == id && image.epoch >= 1 && image.epoch <= kEpochMax && image.stock >= 0;
  if (!valid) return Errc::invalid;
  Lane lane;
  lane.epoch = image.epoch;
  lane.version = 1;
  lane.window = image.window;
  lane.stock = image.stock;
  lane.records.reserve(image.winners.size());
  for (const auto& [user, order] : image.winners) {
    const bool live = is_live(order.status) && order.quantity > 0;
    if (!live || !lane.records.emplace(user, Record{order, {}}).second) return Errc::invalid;
  }
  return lane;
}

Result<void> Lane::replace(Lane& newer) {
  if (newer.epoch <= epoch && !mutant("memory.old_epoch_opens")) return Errc::stale;
  std::swap(*this, newer);
  return {};
}

bool Lane::serves(Epoch of_epoch) const {
  if (epoch == 0 || (closed && !mutant("memory.close_does_nothing"))) return false;
  return of_epoch == epoch || mutant("memory.epoch_unchecked");
}

Result<ReserveReply> Lane::reserve(const Call& call, In<Attempt> attempts, TimePoint now) {
  if (!valid(call, attempts)) return Errc::invalid;
  if (!serves(call.epoch)) return Errc::not_ready;
  ReserveReply reply;
  reply.reservations.reserve(attempts.size());
  const bool open =
      window.state == SaleState::open && now >= window.starts_at && now < window.ends_at;
  for (const auto& attempt : attempts) {
    reply.reservations.push_back(decide(attempt, open, now));
  }
  reply.version = version;
  reply.may_return = !pending.empty();
  return reply;
}

Reservation Lane::decide(const Attempt& attempt, bool open, TimePoint now) {
  if (const auto found = records.find(attempt.user); found != records.end()) {
    const OrderView& order = found->second.order;
    // A repeated attempt finds itself; once decided it is an order like any other.
    const bool itself = order.id == attempt.id && order.status == OrderStatus::queued;
    return {itself ? Verdict::granted : Verdict::already, order};
  }
  if (!open && !mutant("memory.window_unchecked")) return {Verdict::not_open, {}};
  if (stock <= 0) return {Verdict::sold_out, {}};
  if (stock < attempt.quantity && !mutant("memory.oversold")) return {Verdict::insufficient, {}};
  stock -= attempt.quantity;
  held += attempt.quantity;
  const OrderView order{attempt.id, OrderStatus::queued, attempt.quantity};
  make_room();
  records.emplace(attempt.user, Record{order, now});
  pending.emplace(PendingKey{now, attempt.id}, attempt.user);
  return {Verdict::granted, order};
}

void Lane::make_room() {
  if (records.size() < records.bucket_count()) return;
  // Growing holds up the lane's buyers: once, then, for every order that the stock may bring.
  const auto to_come = static_cast<std::size_t>(std::clamp<std::int64_t>(stock, 0, kReservedMax));
  records.reserve(std::max(records.size() + to_come, 2 * records.size()));
}

void Lane::settle(Epoch of_epoch, In<Settlement> settlements) {
  if (!serves(of_epoch)) return;
  for (const auto& settlement : settlements) settle_one(settlement);
}

void Lane::settle_one(const Settlement& settlement) {
  const auto found = records.find(settlement.user);
  if (found == records.end()) return;
  if (found->second.order.id != settlement.id && !mutant("memory.settle_without_name")) return;
  Record& record = found->second;
  if (pending.erase(PendingKey{record.reserved_at, record.order.id}) > 0) {
    held -= record.order.quantity;
  }
  if (settlement.action == SettleAction::keep) {
    if (record.order.status == OrderStatus::queued) record.order.status = OrderStatus::confirmed;
    return;
  }
  const bool lost = mutant("memory.returned_nowhere");
  if (settlement.action == SettleAction::give_back && !lost) {
    stock += record.order.quantity;
    ++version;
  }
  records.erase(found);
}

Result<std::vector<std::optional<OrderView>>> Lane::find(Epoch of_epoch, In<UserId> users) const {
  if (!serves(of_epoch)) return Errc::not_ready;
  std::vector<std::optional<OrderView>> found(users.size());
  for (std::size_t i = 0; i < users.size(); ++i) {
    const auto record = records.find(users[i]);
    if (record != records.end()) found[i] = record->second.order;
  }
  return found;
}

LaneView Lane::view() const {
  if (!serves(epoch)) return {};
  return {true, epoch, version, stock, pending.size(), held, window};
}

Result<Winners> Lane::winners(Epoch of_epoch) const {
  if (!serves(of_epoch)) return Errc::not_ready;
  Winners winners{version, {}};
  winners.users.reserve(records.size());
  for (const auto& [user, record] : records) winners.users.push_back(user);
  return winners;
}

void Lane::close(Epoch up_to) {
  if (up_to < epoch) return;
  epoch = up_to;
  closed = true;
  if (mutant("memory.close_forgets")) pending.clear();
}

std::vector<OrderMessage> Lane::overdue(LaneId id, TimePoint not_after, std::size_t max) const {
  std::vector<OrderMessage> out;
  for (const auto& [key, user] : pending) {
    const auto& [reserved_at, order] = key;
    if (reserved_at > not_after || out.size() >= max) break;
    const auto quantity = records.at(user).order.quantity;
    out.push_back(OrderMessage{order, id, order.epoch(), user, quantity, reserved_at});
  }
  return out;
}

Result<void> Lane::set_window(Epoch of_epoch, const LaneWindow& newer) {
  if (!serves(of_epoch)) return Errc::not_ready;
  if (newer.revision >= window.revision || mutant("memory.older_window")) window = newer;
  return {};
}

std::shared_ptr<Lanes::Entry> Lanes::find(LaneId id) const {
  std::shared_lock lock(mutex_);
  const auto found = lanes_.find(id);
  return found == lanes_.end() ? absent_ : found->second;
}

std::shared_ptr<Lanes::Entry> Lanes::find_or_create(LaneId id) {
  std::unique_lock lock(mutex_);
  auto& found = lanes_[id];
  if (!found) found = std::make_shared<Entry>();
  return found;
}

void Lanes::forget(LaneId id) {
  std::unique_lock lock(mutex_);
  lanes_.erase(id);
}

}  // namespace sluice::memory
