#include "support/store_values.hpp"

#include <atomic>
#include <chrono>

#include "sluice/domain/order_id.hpp"

namespace sluice::test {
namespace {

constexpr TimePoint kReservedAt{Millis{1'800'000'000'123}};

}  // namespace

Ticks soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(10); }

SaleDraft draft_of(std::int64_t stock, std::uint32_t lanes, std::uint32_t limit) {
  SaleDraft draft;
  draft.title = "Lamp";
  draft.description = "A lamp.";
  draft.unit_price_minor = 1990;
  draft.currency = "EUR";
  draft.stock = stock;
  draft.limit_per_order = limit;
  draft.lanes = lanes;
  draft.starts_at = kReservedAt - std::chrono::hours(1);
  draft.ends_at = kReservedAt + std::chrono::hours(1);
  return draft;
}

UserId user_of(std::uint64_t number) { return *UserId::parse("u" + std::to_string(number)); }

OrderMessage message_of(LaneId lane, const UserId& user, std::uint32_t quantity, Epoch epoch) {
  static const OrderIdSeal seal("only for tests");
  static std::atomic<std::uint64_t> counter{0};
  const auto number = counter.fetch_add(1);
  // The id has 18 random bits: a new millisecond when they are used up keeps it unique.
  const auto at = kReservedAt + Millis{static_cast<Millis::rep>(number >> 18)};
  OrderMessage message;
  message.id = seal.issue(lane, epoch, user, at, number);
  message.lane = lane;
  message.epoch = epoch;
  message.user = user;
  message.quantity = quantity;
  message.reserved_at = at;
  return message;
}

Outcome confirmed(const OrderMessage& message) {
  return Outcome{message.id, OrderStatus::confirmed, RejectReason::none};
}

Outcome rejected(const OrderMessage& message, RejectReason reason) {
  return Outcome{message.id, OrderStatus::rejected, reason};
}

}  // namespace sluice::test
