#include "adapters/memory/lanes.hpp"

#include "sluice/base/mutation.hpp"

namespace sluice::memory {

Result<void> Lane::rebuild(const LaneImage& image) {
  std::unordered_map<UserId, Record> records;
  records.reserve(image.winners.size());
  for (const auto& [user, order] : image.winners) {
    const bool valid = is_live(order.status) && order.quantity > 0;
    if (!valid || !records.emplace(user, Record{order, {}}).second) return Errc::invalid;
  }
  std::lock_guard lock(mutex_);
  if (image.epoch <= epoch_ && !mutant("memory.old_epoch_opens")) return Errc::stale;
  epoch_ = image.epoch;
  closed_ = false;
  version_ = 1;
  window_ = image.window;
  stock_ = image.stock;
  held_ = 0;
  records_.swap(records);
  pending_.clear();
  return {};
}

Result<ReserveReply> Lane::reserve(Epoch epoch, In<Attempt> attempts, TimePoint now) {
  ReserveReply reply;
  reply.reservations.reserve(attempts.size());
  std::lock_guard lock(mutex_);
  if (!serves(epoch)) return Errc::not_ready;
  const bool open =
      window_.state == SaleState::open && now >= window_.starts_at && now < window_.ends_at;
  for (const auto& attempt : attempts) {
    reply.reservations.push_back(decide(attempt, open, now));
  }
  reply.version = version_;
  reply.may_return = !pending_.empty();
  return reply;
}

Reservation Lane::decide(const Attempt& attempt, bool open, TimePoint now) {
  if (const auto found = records_.find(attempt.user); found != records_.end()) {
    const OrderView& order = found->second.order;
    // A repeated attempt finds itself; once decided it is an order like any other.
    const bool itself = order.id == attempt.id && order.status == OrderStatus::queued;
    return {itself ? Verdict::granted : Verdict::already, order};
  }
  if (!open) return {Verdict::not_open, {}};
  if (stock_ <= 0) return {Verdict::sold_out, {}};
  if (stock_ < attempt.quantity) return {Verdict::insufficient, {}};
  stock_ -= attempt.quantity;
  held_ += attempt.quantity;
  const OrderView order{attempt.id, OrderStatus::queued, attempt.quantity};
  records_.emplace(attempt.user, Record{order, now});
  pending_.emplace(PendingKey{now, attempt.id}, attempt.user);
  return {Verdict::granted, order};
}

void Lane::settle(Epoch epoch, In<Settlement> settlements) {
  std::lock_guard lock(mutex_);
  if (!serves(epoch)) return;
  for (const auto& settlement : settlements) settle_one(settlement);
}

void Lane::settle_one(const Settlement& settlement) {
  const auto found = records_.find(settlement.user);
  if (found == records_.end()) return;
  if (found->second.order.id != settlement.id && !mutant("memory.settle_without_name")) return;
  Record& record = found->second;
  if (pending_.erase(PendingKey{record.reserved_at, record.order.id}) > 0) {
    held_ -= record.order.quantity;
  }
  if (settlement.action == SettleAction::keep) {
    if (record.order.status == OrderStatus::queued) record.order.status = OrderStatus::confirmed;
    return;
  }
  if (settlement.action == SettleAction::give_back) {
    stock_ += record.order.quantity;
    ++version_;
  }
  records_.erase(found);
}

Result<std::vector<std::optional<OrderView>>> Lane::find(Epoch epoch, In<UserId> users) const {
  std::vector<std::optional<OrderView>> found;
  found.reserve(users.size());
  std::lock_guard lock(mutex_);
  if (!serves(epoch)) return Errc::not_ready;
  for (const auto& user : users) {
    const auto record = records_.find(user);
    if (record == records_.end()) {
      found.emplace_back();
    } else {
      found.emplace_back(record->second.order);
    }
  }
  return found;
}

LaneView Lane::view() const {
  std::lock_guard lock(mutex_);
  if (!serves(epoch_)) return {};
  return {true, epoch_, version_, stock_, pending_.size(), held_, window_};
}

Result<Winners> Lane::winners(Epoch epoch) const {
  std::lock_guard lock(mutex_);
  if (!serves(epoch)) return Errc::not_ready;
  Winners winners{version_, {}};
  winners.users.reserve(records_.size());
  for (const auto& [user, record] : records_) winners.users.push_back(user);
  return winners;
}

void Lane::close(Epoch epoch) {
  std::lock_guard lock(mutex_);
  if (epoch < epoch_) return;
  epoch_ = epoch;
  closed_ = true;
}

std::vector<Pending> Lane::overdue(LaneId lane, TimePoint not_after, std::size_t max) const {
  std::vector<Pending> out;
  std::lock_guard lock(mutex_);
  for (const auto& [key, user] : pending_) {
    const auto& [reserved_at, id] = key;
    if (reserved_at > not_after || out.size() >= max) break;
    const auto quantity = records_.at(user).order.quantity;
    out.push_back(Pending{OrderMessage{id, lane, id.epoch(), user, quantity, reserved_at}});
  }
  return out;
}

Result<void> Lane::set_window(Epoch epoch, const LaneWindow& window) {
  std::lock_guard lock(mutex_);
  if (!serves(epoch)) return Errc::not_ready;
  if (window.revision >= window_.revision || mutant("memory.older_window")) window_ = window;
  return {};
}

std::shared_ptr<Lane> Lanes::get(LaneId lane) const {
  std::shared_lock lock(mutex_);
  const auto found = lanes_.find(lane);
  return found == lanes_.end() ? nullptr : found->second;
}

std::shared_ptr<Lane> Lanes::get_or_create(LaneId lane) {
  std::unique_lock lock(mutex_);
  auto& found = lanes_[lane];
  if (!found) found = std::make_shared<Lane>();
  return found;
}

void Lanes::forget(LaneId lane) {
  std::unique_lock lock(mutex_);
  lanes_.erase(lane);
}

}  // namespace sluice::memory
