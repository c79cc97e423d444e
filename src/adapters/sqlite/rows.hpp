#pragma once

#include "sluice/domain/order.hpp"

#include "adapters/sqlite/connection.hpp"

namespace sluice::sqlite {

/// Values as tables hold them; each throws `Failure` when the text is none of its names.
inline OrderStatus status_of(std::string_view text) {
  if (const auto status = parse_name<OrderStatus>(text)) return *status;
  throw Failure(Errc::invalid, SQLITE_CORRUPT, "an order has an unknown status");
}

inline RejectReason reason_of(std::string_view text) {
  if (const auto reason = parse_name<RejectReason>(text)) return *reason;
  throw Failure(Errc::invalid, SQLITE_CORRUPT, "an order has an unknown reason");
}

inline UserId user_of(std::string_view text) {
  if (auto user = UserId::parse(text)) return *std::move(user);
  throw Failure(Errc::invalid, SQLITE_CORRUPT, "an order has an invalid user");
}

/// What `order_of` reads, in its order.
inline constexpr std::string_view kOrderQuery =
    "SELECT order_id, o.sale_id, lane, user_id, quantity, status, reason, unit_price_minor,"
    " currency, reserved_at_ms, pay_by_ms FROM orders AS o JOIN sales USING (sale_id) ";

inline Order order_of(const Statement::Run& row) {
  Order order;
  order.id = row.order_id(0);
  order.lane.sale = row.integer(1);
  order.lane.index = static_cast<std::uint32_t>(row.integer(2));
  order.user = user_of(row.text(3));
  order.quantity = static_cast<std::uint32_t>(row.integer(4));
  order.status = status_of(row.text(5));
  order.reason = reason_of(row.text(6));
  order.unit_price_minor = row.integer(7);
  order.currency = row.text(8);
  order.created_at = from_ms(row.integer(9));
  if (row.integer(10) != 0) order.pay_by = from_ms(row.integer(10));
  return order;
}

}  // namespace sluice::sqlite
