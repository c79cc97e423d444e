#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/text.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/domain/order_id.hpp"

namespace sluice {

/// queued → confirmed → paid; queued → rejected; confirmed → cancelled | expired. Never back.
enum class OrderStatus : std::uint8_t { queued, confirmed, paid, rejected, cancelled, expired };

/// Why an order was rejected; `none` for every other status.
enum class RejectReason : std::uint8_t {
  none,
  stock,      ///< The database had no unit: the reservation was a phantom.
  duplicate,  ///< The user already has a live order in this sale.
  fenced,     ///< Its lane was rebuilt under a newer epoch, and it never came.
  invalid,    ///< The message could not be accepted (for example an unknown sale).
};

// The names used in the API, messages and tables.
template <>
inline constexpr std::array<std::string_view, 6> kEnumNames<OrderStatus> = {
    "queued", "confirmed", "paid", "rejected", "cancelled", "expired"};
template <>
inline constexpr std::array<std::string_view, 5> kEnumNames<RejectReason> = {
    "none", "stock", "duplicate", "fenced", "invalid"};

/// An order that holds its user's place in the sale: queued, confirmed or paid.
constexpr bool is_live(OrderStatus status) noexcept {
  return status == OrderStatus::queued || status == OrderStatus::confirmed ||
         status == OrderStatus::paid;
}

/// How a confirmed order goes on: someone pays, its owner or the shop cancels it, or nobody paid in
/// time.
enum class Move : std::uint8_t { pay, cancel, expire };

template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<Move> = {"pay", "cancel", "expire"};

/// The status that an order has after that move.
constexpr OrderStatus after(Move move) noexcept {
  constexpr std::array kAfter{OrderStatus::paid, OrderStatus::cancelled, OrderStatus::expired};
  return kAfter[static_cast<std::size_t>(move)];
}

/// What travels from a reservation to the store. JSON form, version 1: see docs/protocol.md.
struct OrderMessage {
  OrderId id;
  LaneId lane;
  Epoch epoch = 0;  ///< Under which it was granted: that of the id, or a later one if it was late.
  UserId user;
  std::uint32_t quantity = 0;
  TimePoint reserved_at{};
  /// Of the purchase, for logs; empty where it is not known. It travels beside the JSON form.
  std::string request_id{};

  bool operator==(const OrderMessage&) const = default;
};

/// One line of JSON, without a line end.
std::string to_json(const OrderMessage& message);

/// Empty when the bytes are not one version 1 message with every member valid. A member that stands
/// there twice makes the message invalid: two readers could understand it differently. So does an
/// id of another lane or a later epoch. Unknown members are ignored.
std::optional<OrderMessage> parse_order_message(std::string_view json);

/// From here on, what a lane was granted under an epoch below `epoch` is refused. As a record of
/// the log it stands behind everything that was granted in time.
struct Fence {
  LaneId lane;
  Epoch epoch = 0;
  bool operator==(const Fence&) const = default;
};

/// One line of JSON, without a line end. See docs/protocol.md.
std::string to_json(const Fence& fence);

/// Empty when the bytes are not one version 1 fence with every member valid.
std::optional<Fence> parse_fence(std::string_view json);

/// What the store decided about one message.
struct Outcome {
  OrderId id;
  OrderStatus status = OrderStatus::queued;
  RejectReason reason = RejectReason::none;

  bool operator==(const Outcome&) const = default;
};

/// An order as its row says.
struct Order {
  OrderId id;
  LaneId lane;
  UserId user;
  std::uint32_t quantity = 0;
  OrderStatus status = OrderStatus::queued;
  RejectReason reason = RejectReason::none;
  std::int64_t unit_price_minor = 0;  ///< In minor units of `currency`.
  std::string currency;               ///< ISO 4217.
  TimePoint created_at{};
  std::optional<TimePoint> pay_by;  ///< In a sale whose orders must be paid; see `SaleDraft`.

  bool operator==(const Order&) const = default;
};

/// An order as a projection knows it: enough to answer its owner.
struct OrderView {
  OrderId id;
  OrderStatus status = OrderStatus::queued;
  std::uint32_t quantity = 0;

  bool operator==(const OrderView&) const = default;
};

}  // namespace sluice
