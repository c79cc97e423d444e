#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>

#include "adapters/postgres/connection.hpp"

namespace sluice::postgres {

/// The implementations behind `create_postgres_stores`, on one shared connection.
std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Connection> connection);
std::unique_ptr<OrderTransitions> create_order_transitions(std::shared_ptr<Connection> connection);
std::unique_ptr<SaleStore> create_sale_store(std::shared_ptr<Connection> connection);
std::unique_ptr<ControlStore> create_control_store(std::shared_ptr<Connection> connection);

/// For columns that hold less than the domain's type can: what is too large stays too large.
constexpr std::int32_t to_int4(std::uint32_t value) noexcept {
  return static_cast<std::int32_t>(
      std::min<std::uint32_t>(value, std::numeric_limits<std::int32_t>::max()));
}

}  // namespace sluice::postgres
