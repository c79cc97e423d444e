#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/domain/lane.hpp"
#include "sluice/domain/order.hpp"
#include "sluice/domain/order_id.hpp"
#include "sluice/domain/sale.hpp"
#include "sluice/orders/late_orders.hpp"
#include "sluice/orders/order_store.hpp"

// How the rows of an SQL store become values.
namespace sluice::sql {

/// A row holds what is beyond this program's domain.
class Unreadable : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The members of a value, in the order in which every statement names their columns. Types of an
// adapter's own may bring a `columns`, too.
inline auto columns(LaneId& v) { return std::tie(v.sale, v.index); }
inline auto columns(LaneHead& v) {
  return std::tie(v.fence, v.newest, v.by_store, v.suspect, v.late);
}
inline auto columns(LaneWindow& v) { return std::tie(v.state, v.starts_at, v.ends_at, v.revision); }
inline auto columns(LaneImage& v) {
  return std::tie(v.epoch, v.stock, v.sold, v.limit_per_order, v.window);
}
inline auto columns(LaneSnapshot& v) {
  return std::tie(v.head, v.stock, v.window, v.open, v.returned);
}
inline auto columns(LaneFigures& v) {
  return std::tie(v.lane, v.head, v.initial, v.stock, v.live_units, v.live_orders, v.rejected_stock,
                  v.rejected_duplicate, v.returning);
}
inline auto columns(LogProgress& v) { return std::tie(v.applied, v.through); }
inline auto columns(OrderView& v) { return std::tie(v.id, v.status, v.quantity); }
inline auto columns(OrderKey& v) { return std::tie(v.id, v.sale, v.user); }
inline auto columns(Outcome& v) { return std::tie(v.status, v.reason); }
inline auto columns(Settlement& v) { return std::tie(v.id, v.user, v.quantity); }
inline auto columns(LateOrder& v) {
  auto& m = v.message;
  return std::tie(m.id, m.lane, m.epoch, m.user, m.quantity, m.reserved_at, v.noted_at, v.place);
}
inline auto columns(Order& v) {
  return std::tie(v.id, v.lane, v.user, v.quantity, v.status, v.reason, v.unit_price_minor,
                  v.currency, v.created_at, v.pay_by);
}
inline auto columns(Sale& v) {
  auto& t = v.terms;
  return std::tie(v.id, t.title, t.description, t.unit_price_minor, t.currency, t.stock,
                  t.limit_per_order, t.lanes, t.starts_at, t.ends_at, v.state, v.revision,
                  t.pay_within, v.finished, v.change);
}
template <class First, class Second>
auto columns(std::pair<First, Second>& v) {
  return std::tie(v.first, v.second);
}

/// The value that a text stands for; throws `Unreadable` when it is none.
template <class T>
T known(std::optional<T> value, const char* problem) {
  if (!value) throw Unreadable(problem);
  return *std::move(value);
}

/// Reads a value from the next columns of `row`, whose functions each take one: `null` (which takes
/// none), `skip`, `integer`, `text`, `order_id` and `time`. An empty optional is one null.
template <class Row, class T>
void read(Row& row, T& value) {
  if constexpr (requires { columns(value); }) {
    std::apply([&](auto&... members) { (read(row, members), ...); }, columns(value));
  } else if constexpr (requires { value.emplace(); }) {
    if (row.null()) return row.skip();
    read(row, value.emplace());
  } else if constexpr (std::is_same_v<T, bool>) {
    value = row.integer() != 0;
  } else if constexpr (std::is_integral_v<T>) {
    const std::int64_t number = row.integer();
    if (!std::in_range<T>(number)) throw Unreadable("a number is beyond its range");
    value = static_cast<T>(number);
  } else if constexpr (std::is_same_v<T, OrderId>) {
    value = row.order_id();
  } else if constexpr (std::is_same_v<T, TimePoint>) {
    value = row.time();
  } else if constexpr (std::is_same_v<T, Millis>) {
    value = Millis(row.integer());
  } else if constexpr (std::is_same_v<T, UserId>) {
    value = known(UserId::parse(row.text()), "an order has an invalid user");
  } else if constexpr (std::is_same_v<T, OrderStatus>) {
    value = known(parse_name<OrderStatus>(row.text()), "an order has an unknown status");
  } else if constexpr (std::is_same_v<T, RejectReason>) {
    value = known(parse_name<RejectReason>(row.text()), "an order has an unknown reason");
  } else if constexpr (std::is_same_v<T, SaleState>) {
    value = known(parse_name<SaleState>(row.text()), "a sale has an unknown state");
  } else {
    value = std::string(row.text());
  }
}

/// How many rows a statement may give when `wanted` are asked for.
constexpr std::int64_t at_most(std::size_t wanted, std::size_t max) {
  return static_cast<std::int64_t>(std::min(wanted, max));
}

}  // namespace sluice::sql
