#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sluice/adapters/postgres/stores.hpp"

namespace sluice {

/// What `migrate_postgres` did.
struct MigrationReport {
  std::vector<std::string> applied;    ///< Names of the migrations applied now, in order.
  std::optional<std::string> problem;  ///< Why it stopped, for a person; empty when all went well.
};

/// Brings the schema up to this program's, under an advisory lock, each migration in a transaction
/// of its own. Refuses to touch a database with a migration that this program does not know, or
/// that was applied with another text. Blocks the calling thread until `deadline` at most.
MigrationReport migrate_postgres(const PostgresSettings& settings, Ticks deadline);

}  // namespace sluice
