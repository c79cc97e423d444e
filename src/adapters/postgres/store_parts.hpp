#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "adapters/postgres/pool.hpp"

namespace sluice::postgres {

/// What the stores of one set share: the way to the server.
class Client {
 public:
  Client(boost::asio::any_io_executor executor, PostgresSettings settings, Dependency& dependency)
      : pool_(std::move(executor), std::move(settings)), dependency_(dependency) {}

  Pool& pool() { return pool_; }
  Dependency& dependency() { return dependency_; }

  /// One statement: a call of the dependency.
  Task<Rows> run(Ticks deadline, const Statement& statement, Params params) {
    const Dependency::Operation<Rows> ask = [&] { return pool_.run(deadline, statement, params); };
    const auto step = step_of(statement);
    co_return co_await dependency_.call(step, deadline, ask);
  }

  /// Queries of one instant: one call, named after the first.
  Task<std::vector<Rows>> snapshot(Ticks deadline, std::vector<Query> queries) {
    const Dependency::Operation<std::vector<Rows>> ask = [&] {
      return pool_.snapshot(deadline, queries);
    };
    const auto step = step_of(*queries.front().statement);
    co_return co_await dependency_.call(step, deadline, ask);
  }

 private:
  static Step step_of(const Statement& statement) {
    return {statement.step == nullptr ? statement.name : statement.step, statement.weight};
  }

  Pool pool_;
  Dependency& dependency_;
};

/// The implementations behind `create_postgres_stores`.
std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Client> client);
std::unique_ptr<OrderTransitions> create_order_transitions(std::shared_ptr<Client> client);
std::unique_ptr<SaleStore> create_sale_store(std::shared_ptr<Client> client);
std::unique_ptr<ControlStore> create_control_store(std::shared_ptr<Client> client);

/// For columns that hold less than the domain's type can: what is too large stays too large.
constexpr std::int32_t to_int4(std::uint32_t value) noexcept {
  return static_cast<std::int32_t>(
      std::min<std::uint32_t>(value, std::numeric_limits<std::int32_t>::max()));
}

}  // namespace sluice::postgres
