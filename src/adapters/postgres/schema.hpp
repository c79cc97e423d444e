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

/// Those that are still to be applied, with their checksums. Throws `std::runtime_error`: why the
/// schema cannot be used or compared at all, for a person.
boost::asio::awaitable<std::vector<Migration>> missing(Pool& pool, Ticks deadline,
                                                       std::vector<Migration> migrations);

/// What `migrate_postgres` does, with any migrations.
boost::asio::awaitable<MigrationReport> migrate(Pool& pool, Ticks deadline,
                                                std::vector<Migration> migrations);

}  // namespace sluice::postgres
