#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "adapters/postgres/pool.hpp"

namespace sluice::postgres {

/// What the stores of one set share: the way to the server.
class Client {
 public:
  Client(boost::asio::any_io_executor executor, PostgresSettings settings, Dependency& dependency)
      : pool_(std::move(executor), std::move(settings)), dependency_(dependency) {}

  /// One statement: a call of the dependency.
  Task<Rows> run(Ticks deadline, const Statement& statement, Params params) {
    const Dependency::Operation<Rows> ask = [&] { return pool_.run(deadline, statement, params); };
    const auto step = step_of(statement);
    co_return co_await dependency_.call(step, deadline, ask);
  }

  /// The same for its rows, each a `T`; `Errc::invalid` when one is beyond this program's domain.
  template <class T>
  Task<std::vector<T>> list(Ticks deadline, const Statement& statement, Params params) {
    const auto rows = co_await run(deadline, statement, std::move(params));
    if (!rows) co_return rows.error();
    co_return rows->template values<T>();
  }

  /// The same for its one row, if there is one.
  template <class T>
  Task<std::optional<T>> find(Ticks deadline, const Statement& statement, Params params) {
    auto found = co_await list<T>(deadline, statement, std::move(params));
    if (!found) co_return found.error();
    if (found->empty()) co_return std::optional<T>();
    co_return std::optional<T>(std::move(found->front()));
  }

  /// The same for its one row; `Errc::not_found` without it.
  template <class T>
  Task<T> get(Ticks deadline, const Statement& statement, Params params) {
    auto found = co_await find<T>(deadline, statement, std::move(params));
    if (!found) co_return found.error();
    if (!*found) co_return Errc::not_found;
    co_return std::move(**found);
  }

  /// The same for nothing but its success; `absent` when it has no row, if that is given.
  Task<> change(Ticks deadline, const Statement& statement, Params params,
                std::optional<Errc> absent = std::nullopt) {
    const auto rows = co_await run(deadline, statement, std::move(params));
    if (!rows) co_return rows.error();
    if (absent && rows->size() == 0) co_return *absent;
    co_return Result<void>{};
  }

  /// The same for orders, each in a row behind its place among `count`, which begins at 1;
  /// `unreadable` when one is beyond this program's domain.
  Task<std::vector<std::optional<Order>>> orders(Ticks deadline, const Statement& statement,
                                                 Params params, std::size_t count,
                                                 Errc unreadable) {
    const auto rows = co_await run(deadline, statement, std::move(params));
    if (!rows) co_return rows.error();
    auto found = rows->values<std::pair<std::size_t, Order>>();
    if (!found) co_return unreadable;
    std::vector<std::optional<Order>> orders(count);
    for (auto& [place, order] : *found) orders.at(place - 1) = std::move(order);
    co_return orders;
  }

  /// A connection for queries of one instant.
  std::unique_ptr<Pool::Snapshot> snapshot() { return std::make_unique<Pool::Snapshot>(pool_); }

  /// Queries of that instant: one call, named after the first.
  Task<std::vector<Rows>> run(Ticks deadline, Pool::Snapshot& snapshot,
                              std::vector<Query> queries) {
    const Dependency::Operation<std::vector<Rows>> ask = [&] {
      return snapshot.run(deadline, queries);
    };
    const auto step = step_of(*queries.front().statement);
    co_return co_await dependency_.call(step, deadline, ask);
  }

  /// See `PostgresStores`.
  Task<> ping(Ticks deadline);

 private:
  Task<> look_at_schema(Ticks deadline);

  static Step step_of(const Statement& statement) {
    return {statement.step == nullptr ? statement.name : statement.step, statement.weight};
  }

  Pool pool_;
  Dependency& dependency_;
  bool schema_checked_ = false;
};

/// The implementations behind `create_postgres_stores`.
std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Client> client);
std::unique_ptr<OrderTransitions> create_order_transitions(std::shared_ptr<Client> client);
std::unique_ptr<LateOrders> create_late_orders(std::shared_ptr<Client> client);
std::unique_ptr<SaleStore> create_sale_store(std::shared_ptr<Client> client);
std::unique_ptr<ControlStore> create_control_store(std::shared_ptr<Client> client);

}  // namespace sluice::postgres
