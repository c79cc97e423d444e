#pragma once

#include <string>
#include <vector>

#include "sluice/adapters/postgres/migrations.hpp"

#include "adapters/postgres/pool.hpp"

namespace sluice::postgres {

struct Migration {
  std::string name;  ///< Letters, digits, dots and underscores.
  std::string sql;
  std::string checksum{};  ///< SHA-256 of `sql`, as sha256sum prints it; the server computes it.
};

/// This program's, in order.
std::vector<Migration> own_migrations();

/// What `migrate_postgres` and `check_postgres_schema` do, with any migrations.
boost::asio::awaitable<MigrationReport> migrate(Pool& pool, Ticks deadline,
                                                std::vector<Migration> migrations);

boost::asio::awaitable<SchemaReport> check_schema(Pool& pool, Ticks deadline,
                                                  std::vector<Migration> migrations);

}  // namespace sluice::postgres
