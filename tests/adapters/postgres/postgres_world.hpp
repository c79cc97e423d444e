#pragma once

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <list>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "sluice/adapters/postgres/migrations.hpp"
#include "sluice/base/hash.hpp"

#include "adapters/postgres/pool.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"
#include "support/store_world.hpp"
#include "support/test_dependency.hpp"

namespace sluice::test {

/// The server that the tests may use; they fail without it.
inline std::string postgres_server_url() {
  const char* url = std::getenv("SLUICE_TEST_POSTGRES_URL");
  return url != nullptr ? url : "postgresql://sluice@127.0.0.1:45432/sluice";
}

/// The server's URL with another database.
inline std::string postgres_url_of(const std::string& database) {
  const auto url = postgres_server_url();
  const auto query = std::min(url.find('?'), url.size());
  return url.substr(0, url.rfind('/', query) + 1) + database + url.substr(query);
}

inline PostgresSettings postgres_settings(const std::string& url) {
  PostgresSettings settings;
  settings.url = url;
  return settings;
}

/// A pool on a context of its own, whose calls block the thread.
class PostgresSession {
 public:
  explicit PostgresSession(const PostgresSettings& settings)
      : pool_(context_.get_executor(), settings) {}

  Result<void> script(const std::string& sql, Ticks deadline = soon()) {
    return run_on(context_, pool_.script(deadline, sql));
  }

  Result<postgres::Rows> run(const std::string& sql) {
    const postgres::Params none;
    const postgres::Statement statement{sql.c_str(), sql.c_str()};
    return run_on(context_, pool_.run(soon(), statement, none));
  }

  const std::string& problem() const { return pool_.problem(); }

 private:
  boost::asio::io_context context_;
  postgres::Pool pool_;
};

/// Runs a script on a connection of its own and throws when it fails.
inline void run_sql(const std::string& url, const std::string& sql) {
  PostgresSession session(postgres_settings(url));
  if (session.script(sql).has_error()) throw std::runtime_error(sql + ": " + session.problem());
}

/// A database of a test's own, empty at first, dropped at the end.
class PostgresDatabase {
 public:
  PostgresDatabase() : name_("sluice_test_" + random_hex(8)) {
    run_sql(postgres_server_url(),
            "CREATE DATABASE " + name_ + " TEMPLATE template0 ENCODING 'UTF8'");
  }
  ~PostgresDatabase() {
    try {
      run_sql(postgres_server_url(), "DROP DATABASE " + name_ + " WITH (FORCE)");
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what();
    }
  }
  PostgresDatabase(const PostgresDatabase&) = delete;
  PostgresDatabase& operator=(const PostgresDatabase&) = delete;

  std::string url() const { return postgres_url_of(name_); }
  PostgresSettings settings() const { return postgres_settings(url()); }
  void run(const std::string& sql) const { run_sql(url(), sql); }

 private:
  std::string name_;
};

/// The database with its schema, for the contract suites.
class PostgresWorld final : public StoreWorld {
 public:
  PostgresWorld() {
    const auto report = migrate_postgres(database_.settings(), soon());
    if (report.problem) throw std::runtime_error(*report.problem);
  }

  StoreSet open() override {
    auto stores = create(database_.settings());
    return {std::move(stores.orders), std::move(stores.moves), std::move(stores.late),
            std::move(stores.sales), std::move(stores.control)};
  }

  /// The stores on the calling thread's context.
  PostgresStores create(const PostgresSettings& settings) {
    const std::scoped_lock lock(mutex_);
    auto& dependency = dependencies_.emplace_back("postgres");
    return create_postgres_stores(thread_context().get_executor(), settings, dependency);
  }

  bool concurrent() const override { return true; }

  const PostgresDatabase& database() const { return database_; }

 private:
  PostgresDatabase database_;
  std::mutex mutex_;
  std::list<TestDependency> dependencies_;  ///< One for each set.
};

}  // namespace sluice::test
