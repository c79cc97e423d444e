#include "sluice/adapters/postgres/stores.hpp"

#include <libpq-fe.h>
#include <utility>

#include "adapters/postgres/schema.hpp"
#include "adapters/postgres/store_parts.hpp"

namespace sluice {
namespace postgres {
namespace {

constexpr Statement kAlive{"ping", "SELECT 1"};

}  // namespace

Task<> Client::ping(Ticks deadline) {
  const Dependency::Operation<void> look = [this, deadline] { return look_at_schema(deadline); };
  const Step step{"ping"};
  co_return co_await dependency_.call(step, deadline, look);
}

Task<> Client::look_at_schema(Ticks deadline) {
  const Params none;
  const auto answer = co_await pool_.run(deadline, kAlive, none);
  if (!answer) co_return answer.error();
  // Another schema does not appear while a node runs; one good look is enough.
  if (schema_checked_) co_return Result<void>{};
  try {
    auto migrations = own_migrations();
    migrations = co_await missing(pool_, deadline, std::move(migrations));
    schema_checked_ = migrations.empty();
  } catch (const std::runtime_error&) {
    co_return Errc::not_found;
  }
  co_return schema_checked_ ? Result<void>() : Errc::not_found;
}

}  // namespace postgres

std::optional<std::string> check_postgres_url(const std::string& url) {
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://")) {
    return "a PostgreSQL URL begins with postgresql://";
  }
  char* message = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &message);
  const bool valid = options != nullptr;
  std::string problem = message == nullptr ? "" : message;
  PQconninfoFree(options);
  PQfreemem(message);
  if (valid) return std::nullopt;
  // libpq may quote the URL, password and all: keep only what comes before the first quote.
  problem.resize(std::min(problem.find_first_of("\":\n"), problem.size()));
  return "not a PostgreSQL URL: " + problem;
}

PostgresStores create_postgres_stores(boost::asio::any_io_executor executor,
                                      PostgresSettings settings, Dependency& dependency) {
  auto client =
      std::make_shared<postgres::Client>(std::move(executor), std::move(settings), dependency);
  PostgresStores stores;
  stores.orders = postgres::create_order_store(client);
  stores.moves = postgres::create_order_transitions(client);
  stores.late = postgres::create_late_orders(client);
  stores.sales = postgres::create_sale_store(client);
  stores.control = postgres::create_control_store(client);
  stores.ping = [client](Ticks deadline) { return client->ping(deadline); };
  return stores;
}

}  // namespace sluice
