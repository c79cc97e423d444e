#include "sluice/adapters/postgres/migrations.hpp"

#include <algorithm>
#include <string_view>

#include "adapters/postgres/connection.hpp"
#include "sluice_sql_postgres.hpp"

namespace sluice {
namespace {

using postgres::Connection;
using postgres::Params;
using postgres::Statement;

// Any number will do that no other program locks in the same database.
constexpr Statement kLock{"migration_lock", "SELECT pg_advisory_lock(7235128840194)"};

constexpr Statement kHasTable{"has_migrations",
                              "SELECT to_regclass('schema_migrations') IS NOT NULL"};

constexpr const char* kCreateTable =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "  name text PRIMARY KEY, checksum text NOT NULL,"
    "  applied_at timestamptz NOT NULL DEFAULT now())";

constexpr Statement kApplied{"migrations_applied",
                             "SELECT name, checksum FROM schema_migrations ORDER BY name"};

constexpr Statement kChecksums{
    "migration_checksums",
    "SELECT encode(sha256(convert_to(t.content, 'UTF8')), 'hex')"
    "  FROM unnest($1::text[]) WITH ORDINALITY AS t (content, place) ORDER BY t.place"};

constexpr Statement kRecord{
    "migration_record",
    "INSERT INTO schema_migrations (name, checksum) VALUES ($1::text, $2::text)"};

struct Migration {
  std::string name;
  std::string sql;
  std::string checksum;  ///< SHA-256 of the file, as sha256sum prints it.
};

/// What is wrong, for a person.
using Problem = std::optional<std::string>;

std::string failed(const Connection& connection, const boost::system::error_code& error,
                   const std::string& doing) {
  const auto& why = connection.problem();
  return doing + ": " + (why.empty() ? error.message() : why);
}

/// This program's migrations in order. The server computes their checksums.
Problem load(Connection& connection, Ticks deadline, std::vector<Migration>& migrations) {
  for (const auto name : sluice_sql_postgres::names()) {
    migrations.push_back({std::string(name), std::string(sluice_sql_postgres::file(name)), ""});
  }
  Params params;
  params.texts(migrations, [](const Migration& m) { return std::string_view(m.sql); });
  const auto rows = connection.run(deadline, kChecksums, params);
  if (rows.has_error()) return failed(connection, rows.error(), "cannot ask the database");
  for (std::size_t i = 0; i < migrations.size(); ++i) migrations[i].checksum = rows->text(i, 0);
  return std::nullopt;
}

/// Leaves in `migrations` those that are still to be applied.
Problem compare(Connection& connection, Ticks deadline, std::vector<Migration>& migrations) {
  const auto has_table = connection.run(deadline, kHasTable, Params());
  if (has_table.has_error()) {
    return failed(connection, has_table.error(), "cannot ask the database");
  }
  if (!has_table->boolean(0, 0)) return std::nullopt;
  const auto rows = connection.run(deadline, kApplied, Params());
  if (rows.has_error()) return failed(connection, rows.error(), "cannot read schema_migrations");
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const std::string name(rows->text(i, 0));
    const auto known = std::find_if(migrations.begin(), migrations.end(),
                                    [&](const Migration& m) { return m.name == name; });
    if (known == migrations.end()) {
      return "the database has migration " + name +
             ", which this program does not know: it was migrated by a newer one";
    }
    if (known->checksum != rows->text(i, 1)) {
      return "migration " + name + " was applied with another text than this program's";
    }
    migrations.erase(known);
  }
  return std::nullopt;
}

Result<void> apply(Connection& connection, Ticks deadline, const Migration& migration) {
  return connection.transaction(deadline, [&]() -> Result<void> {
    const auto changed = connection.script(deadline, migration.sql);
    if (changed.has_error()) return changed.error();
    Params params;
    params.text(migration.name).text(migration.checksum);
    const auto recorded = connection.run(deadline, kRecord, params);
    if (recorded.has_error()) return recorded.error();
    return {};
  });
}

/// Migrations may wait for each other and for locks: only the caller's deadline bounds them.
PostgresSettings patient(PostgresSettings settings) {
  settings.statement_timeout = Millis{0};
  settings.lock_timeout = Millis{0};
  return settings;
}

}  // namespace

MigrationReport migrate_postgres(const PostgresSettings& settings, Ticks deadline) {
  MigrationReport report;
  report.problem = check_postgres_url(settings.url);
  if (report.problem) return report;

  Connection connection(patient(settings));
  // The lock is the session's: it ends with the connection, whatever happens in between.
  const auto locked = connection.run(deadline, kLock, Params());
  if (locked.has_error()) {
    report.problem = failed(connection, locked.error(), "cannot lock the schema");
    return report;
  }
  const auto created = connection.script(deadline, kCreateTable);
  if (created.has_error()) {
    report.problem = failed(connection, created.error(), "cannot create schema_migrations");
    return report;
  }
  std::vector<Migration> pending;
  report.problem = load(connection, deadline, pending);
  if (!report.problem) report.problem = compare(connection, deadline, pending);
  if (report.problem) return report;

  for (const auto& migration : pending) {
    const auto applied = apply(connection, deadline, migration);
    if (applied.has_error()) {
      report.problem = failed(connection, applied.error(), "migration " + migration.name);
      return report;
    }
    report.applied.push_back(migration.name);
  }
  return report;
}

SchemaReport check_postgres_schema(const PostgresSettings& settings, Ticks deadline) {
  SchemaReport report;
  report.problem = check_postgres_url(settings.url);
  if (report.problem) return report;

  Connection connection(settings);
  std::vector<Migration> pending;
  report.problem = load(connection, deadline, pending);
  if (!report.problem) report.problem = compare(connection, deadline, pending);
  if (report.problem) return report;
  for (const auto& migration : pending) report.missing.push_back(migration.name);
  return report;
}

}  // namespace sluice
