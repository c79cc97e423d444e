#include "sluice/adapters/postgres/stores.hpp"

#include <libpq-fe.h>
#include <utility>

#include "adapters/postgres/schema.hpp"
#include "adapters/postgres/store_parts.hpp"

namespace sluice {
namespace {

constexpr Step kPing{"ping"};
constexpr postgres::Statement kAlive{"ping", "SELECT 1"};

/// Whether the database can be used.
class Health {
 public:
  explicit Health(std::shared_ptr<postgres::Client> client) : client_(std::move(client)) {}

  Task<> ping(Ticks deadline) {
    const Dependency::Operation<void> ask = [this, deadline] { return look(deadline); };
    co_return co_await client_->dependency().call(kPing, deadline, ask);
  }

 private:
  Task<> look(Ticks deadline) {
    const postgres::Params none;
    const auto answer = co_await client_->pool().run(deadline, kAlive, none);
    if (!answer) co_return answer.error();
    // Another schema does not appear while a node runs; one good look is enough.
    if (!schema_checked_) {
      auto migrations = postgres::own_migrations();
      const auto schema =
          co_await postgres::check_schema(client_->pool(), deadline, std::move(migrations));
      schema_checked_ = schema.usable();
      if (!schema_checked_) co_return Errc::not_found;
    }
    co_return Result<void>{};
  }

  std::shared_ptr<postgres::Client> client_;
  bool schema_checked_ = false;
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

PostgresStores create_postgres_stores(boost::asio::any_io_executor executor,
                                      PostgresSettings settings, Dependency& dependency) {
  auto client =
      std::make_shared<postgres::Client>(std::move(executor), std::move(settings), dependency);
  PostgresStores stores;
  stores.orders = postgres::create_order_store(client);
  stores.moves = postgres::create_order_transitions(client);
  stores.sales = postgres::create_sale_store(client);
  stores.control = postgres::create_control_store(client);
  const auto health = std::make_shared<Health>(client);
  stores.ping = [health](Ticks deadline) { return health->ping(deadline); };
  return stores;
}

}  // namespace sluice
