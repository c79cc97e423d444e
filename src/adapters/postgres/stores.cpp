#include "sluice/adapters/postgres/stores.hpp"

#include <libpq-fe.h>
#include <utility>

#include "adapters/postgres/store_parts.hpp"

namespace sluice {
namespace {

class PostgresHealth final : public StoreHealth {
 public:
  explicit PostgresHealth(std::shared_ptr<postgres::Connection> connection)
      : connection_(std::move(connection)) {}

  Task<> ping(Ticks deadline) override { co_return connection_->script(deadline, ""); }

 private:
  std::shared_ptr<postgres::Connection> connection_;
};

}  // namespace

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

PostgresStores create_postgres_stores(PostgresSettings settings) {
  auto connection = std::make_shared<postgres::Connection>(std::move(settings));
  PostgresStores stores;
  stores.orders = postgres::create_order_store(connection);
  stores.moves = postgres::create_order_transitions(connection);
  stores.sales = postgres::create_sale_store(connection);
  stores.control = postgres::create_control_store(connection);
  stores.health = std::make_unique<PostgresHealth>(connection);
  return stores;
}

}  // namespace sluice
