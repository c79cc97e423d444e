#include "adapters/sqlite/apply.hpp"

#include "sluice/orders/order_store.hpp"

namespace sluice::sqlite {
namespace {

Outcome rejected(const OrderMessage& message, RejectReason reason) {
  return {message.id, OrderStatus::rejected, reason};
}

}  // namespace

Result<std::vector<Outcome>> Apply::run(In<OrderMessage> messages,
                                        const std::optional<OffsetRange>& range) {
  if (const auto wrong = check_apply(messages, range)) return *wrong;

  Transaction transaction(connection_);
  if (range) {
    const auto& [topic, partition, begin, next, log_time, fences] = *range;
    if (position(topic, partition).value() != begin) return Errc::stale;
    move_.change(topic, partition, next, log_time);
  }
  lanes_.clear();
  std::vector<Outcome> outcomes;
  outcomes.reserve(messages.size());
  for (const auto& message : messages) outcomes.push_back(decide(message));
  write_lanes();
  if (range) {
    for (const auto& fence : range->fences) raise_.change(fence.lane, fence.epoch);
  }
  transaction.commit();
  return outcomes;
}

Result<void> Apply::raise_fence(const Fence& fence, std::optional<Epoch> seen,
                                std::optional<Term> leader) {
  Transaction transaction(connection_);
  if (!connection_.prepared<Leader>().holds(leader)) return Errc::stale;
  if (seen) {
    const auto lane = lane_.first<Lane>(fence.lane);
    if (!lane || lane->fence_epoch != *seen) return Errc::stale;
  }
  raise_.change(fence.lane, fence.epoch);
  transaction.commit();
  return {};
}

Result<void> Apply::suspect(LaneId lane) {
  Transaction transaction(connection_);
  if (suspect_.change(lane) == 0) return Errc::not_found;
  transaction.commit();
  return {};
}

Result<std::int64_t> Apply::position(const std::string& topic, std::int32_t partition) {
  return position_.first<std::int64_t>(topic, partition).value();
}

Outcome Apply::decide(const OrderMessage& message) {
  const auto [found, is_new] = lanes_.try_emplace(message.lane);
  auto& lane = found->second;
  if (is_new) lane = lane_.first<Lane>(message.lane);
  const bool sane =
      message.quantity > 0 && !message.user.text().empty() && message.epoch <= kEpochMax;
  if (!lane || !sane || message.quantity > lane->limit) {
    return rejected(message, RejectReason::invalid);
  }
  // The order's own row comes before everything else: what was decided once stays decided, also
  // when the fence has passed since.
  if (const auto row = order_.first<std::pair<OrderKey, Outcome>>(message.id)) {
    // A stranger's id says nothing about that stranger's order.
    const auto& [key, outcome] = *row;
    const bool own = key.sale == message.lane.sale && key.user == message.user;
    if (!own) return rejected(message, RejectReason::invalid);
    return {message.id, outcome.status, outcome.reason};
  }
  if (message.id.epoch() < lane->fence_epoch) {
    if (const auto known = decide_late(message, lane->fence_epoch)) return *known;
  }
  if (live_.first<bool>(message.lane.sale, message.user)) {
    return reject_new(message, *lane, RejectReason::duplicate);
  }
  if (message.quantity > lane->stock - lane->taken) {
    return reject_new(message, *lane, RejectReason::stock);
  }
  lane->taken += message.quantity;
  std::optional<TimePoint> pay_by;
  if (lane->pay_within > Millis{0}) pay_by = connection_.clock().now() + lane->pay_within;
  return insert(message, OrderStatus::confirmed, RejectReason::none, pay_by);
}

std::optional<Outcome> Apply::decide_late(const OrderMessage& message, Epoch fence) {
  if (const auto row = late_.first<std::pair<OrderKey, RejectReason>>(message.id)) {
    const auto& [key, reason] = *row;
    const bool own = key.sale == message.lane.sale && key.user == message.user;
    if (!own) return rejected(message, RejectReason::invalid);
    // What ended without units stays so, whoever has granted it since.
    if (reason != RejectReason::none) return rejected(message, reason);
  }
  if (message.epoch < fence) {
    park_.change(message.id, message.lane, message.user, message.quantity, message.epoch,
                 message.reserved_at, connection_.clock().now());
    return Outcome{message.id, OrderStatus::queued, RejectReason::none};
  }
  if (supersede_.change(message.id) == 1) return rejected(message, RejectReason::duplicate);
  forget_late_.change(message.id);
  return std::nullopt;
}

Outcome Apply::reject_new(const OrderMessage& message, Lane& lane, RejectReason reason) {
  // The store's own grants are optimistic; an inventory's are not.
  lane.suspect |= message.epoch == lane.fence_epoch && !lane.store_sells;
  return insert(message, OrderStatus::rejected, reason);
}

Outcome Apply::insert(const OrderMessage& message, OrderStatus status, RejectReason reason,
                      std::optional<TimePoint> pay_by) {
  insert_.change(message.id, message.lane, message.user, message.quantity, name(status),
                 name(reason), message.epoch, message.reserved_at, pay_by);
  return {message.id, status, reason};
}

void Apply::write_lanes() {
  for (const auto& [id, lane] : lanes_) {
    if (!lane) continue;
    if (lane->suspect) suspect_.change(id);
    if (lane->taken == 0) continue;
    if (take_.change(id, lane->taken) != 1) {
      throw Failure(Errc::internal, SQLITE_CONSTRAINT, "the stock changed within a transaction");
    }
  }
}

}  // namespace sluice::sqlite
