#pragma once

#include <optional>

#include "sluice/domain/order.hpp"

#include "adapters/postgres/values.hpp"

namespace sluice::postgres {

/// The order in the columns of `SLUICE_ORDER_COLUMNS`, from `c` on; empty when a value is beyond
/// this program's domain.
inline std::optional<Order> read_order(const Rows& rows, std::size_t row, int c) {
  const auto user = UserId::parse(rows.text(row, c + 3));
  const auto status = parse_name<OrderStatus>(rows.text(row, c + 5));
  const auto reason = parse_name<RejectReason>(rows.text(row, c + 6));
  if (!user || !status || !reason) return std::nullopt;
  Order order;
  order.id = rows.uuid(row, c);
  order.lane = LaneId{rows.int8(row, c + 1), static_cast<std::uint32_t>(rows.int4(row, c + 2))};
  order.user = *user;
  order.quantity = static_cast<std::uint32_t>(rows.int4(row, c + 4));
  order.status = *status;
  order.reason = *reason;
  order.unit_price_minor = rows.int8(row, c + 7);
  order.currency = rows.text(row, c + 8);
  order.created_at = rows.time(row, c + 9);
  if (!rows.null(row, c + 10)) order.pay_by = rows.time(row, c + 10);
  return order;
}

}  // namespace sluice::postgres
