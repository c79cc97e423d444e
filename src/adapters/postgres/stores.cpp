#include "sluice/adapters/postgres/stores.hpp"

#include <algorithm>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <boost/asio/ip/address.hpp>
#include <libpq-fe.h>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/postgres/schema.hpp"
#include "adapters/postgres/store_parts.hpp"

namespace sluice {
namespace postgres {
namespace {

constexpr Statement kAlive{"ping", "SELECT 1"};

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

std::string value_in(const Options& options, std::string_view keyword) {
  for (auto* option = options.get(); option != nullptr && option->keyword != nullptr; ++option) {
    if (option->keyword == keyword && option->val != nullptr) return option->val;
  }
  return {};
}

/// Connections to it do not leave this machine.
bool is_local(const std::string& host) {
  if (host.empty() || host == "localhost" || host[0] == '/' || host[0] == '@') return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

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

std::optional<std::string> postgres_url_warning(const std::string& url) {
  const postgres::Options given(PQconninfoParse(url.c_str(), nullptr), &PQconninfoFree);
  const postgres::Options defaults(PQconndefaults(), &PQconninfoFree);
  const auto value = [&](std::string_view keyword) {
    const auto named = postgres::value_in(given, keyword);
    return named.empty() ? postgres::value_in(defaults, keyword) : named;
  };
  const auto mode = value("sslmode");
  const auto addresses = value("hostaddr");
  std::vector<std::string> hosts;
  boost::split(hosts, addresses.empty() ? value("host") : addresses, boost::is_any_of(","));
  const auto far = std::ranges::find_if_not(hosts, postgres::is_local);
  if (mode == "verify-full" || far == hosts.end()) return std::nullopt;
  return "postgres.url: with sslmode=" + mode + " nobody checks that it is " + *far +
         " who answers: use sslmode=verify-full and sslrootcert=FILE where others reach the "
         "network";
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
