#include "adapters/sqlite/apply.hpp"

#include "sluice/orders/apply_check.hpp"

#include "adapters/sqlite/rows.hpp"

namespace sluice::sqlite {
namespace {

Outcome outcome_of(const OrderMessage& message, OrderStatus status, RejectReason reason) {
  Outcome outcome;
  outcome.id = message.id;
  outcome.status = status;
  outcome.reason = reason;
  return outcome;
}

Outcome rejected(const OrderMessage& message, RejectReason reason) {
  return outcome_of(message, OrderStatus::rejected, reason);
}

}  // namespace

Result<std::vector<Outcome>> Apply::run(In<OrderMessage> messages,
                                        const std::optional<OffsetRange>& range) {
  if (const auto wrong = check_apply(messages, range)) return *wrong;

  Transaction transaction(connection_);
  if (range && !move_position(*range)) return Errc::stale;
  lanes_.clear();
  std::vector<Outcome> outcomes;
  outcomes.reserve(messages.size());
  for (const auto& message : messages) outcomes.push_back(decide(message));
  write_lanes();
  if (range) {
    for (const auto& fence : range->fences) raise(fence);
  }
  transaction.commit();
  return outcomes;
}

void Apply::raise(const Fence& fence) {
  raise_.change(fence.lane.sale, fence.lane.index, fence.epoch);
}

Apply::Lane& Apply::lane_of(LaneId id) {
  const auto [found, is_new] = lanes_.try_emplace(id);
  auto& lane = found->second;
  if (!is_new) return lane;
  auto row = lane_.run(id.sale, id.index);
  lane.known = row.next();
  if (!lane.known) return lane;
  lane.stock = row.integer(0);
  lane.fence_epoch = static_cast<Epoch>(row.integer(1));
  lane.limit = row.integer(2);
  lane.store_sells = row.integer(3) != 0;
  lane.pay_within = Millis(row.integer(4));
  return lane;
}

Outcome Apply::decide(const OrderMessage& message) {
  auto& lane = lane_of(message.lane);
  const bool sane =
      message.quantity > 0 && !message.user.text().empty() && message.epoch <= kEpochMax;
  if (!lane.known || !sane || message.quantity > lane.limit) {
    return rejected(message, RejectReason::invalid);
  }
  // The order's own row comes before everything else: what was decided once stays decided, also
  // when the fence has passed since.
  if (const auto known = known_outcome(message)) return *known;
  if (message.epoch < lane.fence_epoch) return rejected(message, RejectReason::fenced);
  if (has_live_order(message.lane.sale, message.user)) {
    return reject_new(message, lane, RejectReason::duplicate);
  }
  if (message.quantity > lane.stock - lane.taken) {
    return reject_new(message, lane, RejectReason::stock);
  }
  lane.taken += message.quantity;
  const bool unpaid = lane.pay_within > Millis{0};
  const auto pay_by = unpaid ? to_ms(connection_.clock().now() + lane.pay_within) : 0;
  return insert(message, OrderStatus::confirmed, RejectReason::none, pay_by);
}

Outcome Apply::reject_new(const OrderMessage& message, Lane& lane, RejectReason reason) {
  // The store's own grants are optimistic; an inventory's are not.
  lane.suspect |= message.epoch == lane.fence_epoch && !lane.store_sells;
  return insert(message, OrderStatus::rejected, reason, 0);
}

Outcome Apply::insert(const OrderMessage& message, OrderStatus status, RejectReason reason,
                      std::int64_t pay_by_ms) {
  insert_.change(message.id, message.lane.sale, message.lane.index, message.user.text(),
                 message.quantity, name(status), name(reason), message.epoch,
                 to_ms(message.reserved_at), pay_by_ms);
  return outcome_of(message, status, reason);
}

std::optional<Outcome> Apply::known_outcome(const OrderMessage& message) {
  auto row = order_.run(message.id);
  if (!row.next()) return std::nullopt;
  // A stranger's id says nothing about that stranger's order.
  if (row.integer(0) != message.lane.sale || row.text(1) != message.user.text()) {
    return rejected(message, RejectReason::invalid);
  }
  return outcome_of(message, status_of(row.text(2)), reason_of(row.text(3)));
}

bool Apply::has_live_order(SaleId sale, const UserId& user) {
  auto row = live_.run(sale, user.text());
  return row.next();
}

void Apply::write_lanes() {
  for (const auto& [id, lane] : lanes_) {
    if (lane.suspect) suspect_.change(id.sale, id.index);
    if (lane.taken == 0) continue;
    if (take_.change(id.sale, id.index, lane.taken) != 1) {
      throw Failure(Errc::internal, SQLITE_CONSTRAINT, "the stock changed within a transaction");
    }
  }
}

bool Apply::move_position(const OffsetRange& range) {
  std::int64_t next = 0;
  {
    auto row = position_.run(range.topic, range.partition);
    if (row.next()) next = row.integer(0);
  }
  if (next != range.begin) return false;
  move_.change(range.topic, range.partition, range.next, to_ms(range.log_time));
  return true;
}

}  // namespace sluice::sqlite
