#include "sluice/adapters/sqlite/stores.hpp"

#include <utility>

#include "adapters/sqlite/client.hpp"

namespace sluice {
namespace sqlite {

Client::Client(boost::asio::any_io_executor executor, std::shared_ptr<SqliteDatabase> database,
               Dependency& dependency)
    : database_(std::move(database)),
      dependency_(dependency),
      caller_(std::make_shared<Caller>(std::move(executor))) {}

Task<std::vector<Outcome>> Client::apply(Ticks deadline, In<OrderMessage> messages) {
  const Begin<Outcomes> begin = [&](std::shared_ptr<Call<Outcomes>> call) {
    database_->commits.add({std::move(call), deadline, {messages.begin(), messages.end()}});
    database_->writer.post(
        [&commits = database_->commits](Connection& connection) { commits.commit(connection); });
  };
  const Dependency::Operation<Outcomes> operation = [&] {
    return wait<Outcomes>(deadline, Errc::unknown, begin);
  };
  co_return co_await dependency_.call({"apply"}, deadline, operation);
}

}  // namespace sqlite

namespace {

/// Work that has come to its turn.
struct Alive {
  sqlite::Connection& connection;
  Result<void> look() { return {}; }
};

}  // namespace

SqliteStores create_sqlite_stores(boost::asio::any_io_executor executor,
                                  std::shared_ptr<SqliteDatabase> database,
                                  Dependency& dependency) {
  const auto client =
      std::make_shared<sqlite::Client>(std::move(executor), std::move(database), dependency);
  SqliteStores stores;
  stores.orders = sqlite::create_order_store(client);
  stores.moves = sqlite::create_order_transitions(client);
  stores.late = sqlite::create_late_orders(client);
  stores.sales = sqlite::create_sale_store(client);
  stores.control = sqlite::create_control_store(client);
  stores.ping = [client](Ticks deadline) { return client->write("ping", deadline, &Alive::look); };
  return stores;
}

}  // namespace sluice
