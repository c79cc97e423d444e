#include "sluice/adapters/postgres/migrations.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <stdexcept>

#include "adapters/postgres/schema.hpp"
#include "sluice_sql_postgres.hpp"

namespace sluice {
namespace postgres {
namespace {

namespace asio = boost::asio;

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

[[noreturn]] void fail(const Pool& pool, const boost::system::error_code& error,
                       const std::string& doing) {
  const auto& why = pool.problem();
  throw std::runtime_error(doing + ": " + (why.empty() ? error.message() : why));
}

/// The answer to a statement. What cannot be done is thrown, here and below, as a text for a
/// person.
asio::awaitable<Rows> ask(Pool& pool, Ticks deadline, const Statement& statement,
                          const Params& params, const char* doing) {
  auto rows = co_await pool.run(deadline, statement, params);
  if (!rows) fail(pool, rows.error(), doing);
  co_return std::move(*rows);
}

asio::awaitable<void> run_script(Pool& pool, Ticks deadline, std::string script,
                                 std::string doing) {
  const auto done = co_await pool.script(deadline, std::move(script));
  if (!done) fail(pool, done.error(), doing);
}

/// The migration and the note that it was applied, in one transaction.
std::string script_of(const Migration& migration) {
  return migration.sql + "\n;INSERT INTO schema_migrations (name, checksum) VALUES ('" +
         migration.name + "', '" + migration.checksum + "')";
}

}  // namespace

std::vector<Migration> own_migrations() {
  std::vector<Migration> migrations;
  for (const auto name : sluice_sql_postgres::names()) {
    migrations.push_back({std::string(name), std::string(sluice_sql_postgres::file(name))});
  }
  return migrations;
}

asio::awaitable<std::vector<Migration>> missing(Pool& pool, Ticks deadline,
                                                std::vector<Migration> migrations) {
  Params texts;
  texts.array(migrations, &Migration::sql);
  const auto checksums = co_await ask(pool, deadline, kChecksums, texts, "cannot ask the database");
  for (std::size_t i = 0; i < migrations.size(); ++i) {
    migrations[i].checksum = checksums.value<std::string>(i);
  }
  const Params none;
  const auto has_table = co_await ask(pool, deadline, kHasTable, none, "cannot ask the database");
  if (!has_table.value<bool>()) co_return migrations;
  const auto applied =
      co_await ask(pool, deadline, kApplied, none, "cannot read schema_migrations");
  for (std::size_t i = 0; i < applied.size(); ++i) {
    const auto name = applied.value<std::string>(i, 0);
    const auto known = std::ranges::find(migrations, name, &Migration::name);
    if (known == migrations.end()) {
      throw std::runtime_error("the database has migration " + name +
                               ", which this program does not know: it was migrated by a newer"
                               " one");
    }
    if (known->checksum != applied.value<std::string>(i, 1)) {
      throw std::runtime_error("migration " + name +
                               " was applied with another text than this program's");
    }
    migrations.erase(known);
  }
  co_return migrations;
}

asio::awaitable<MigrationReport> migrate(Pool& pool, Ticks deadline,
                                         std::vector<Migration> migrations) {
  MigrationReport report;
  try {
    const Params none;
    // The lock is the session's: it ends with the connection, whatever happens in between.
    co_await ask(pool, deadline, kLock, none, "cannot lock the schema");
    co_await run_script(pool, deadline, kCreateTable, "cannot create schema_migrations");
    migrations = co_await missing(pool, deadline, std::move(migrations));
    for (const auto& migration : migrations) {
      auto script = script_of(migration);
      auto doing = "migration " + migration.name;
      co_await run_script(pool, deadline, std::move(script), std::move(doing));
      report.applied.push_back(migration.name);
    }
  } catch (const std::exception& e) {
    report.problem = e.what();
  }
  co_return report;
}

}  // namespace postgres

MigrationReport migrate_postgres(const PostgresSettings& settings, Ticks deadline) {
  auto patient = settings;
  // Migrations may wait for each other and for locks: only the caller's deadline bounds them.
  patient.statement_timeout = Millis{0};
  patient.lock_timeout = Millis{0};
  boost::asio::io_context context(1);
  postgres::Pool pool(context.get_executor(), patient);
  auto work = postgres::migrate(pool, deadline, postgres::own_migrations());
  auto report = boost::asio::co_spawn(context, std::move(work), boost::asio::use_future);
  // The pool's connections never run out of work.
  while (report.wait_for(Millis{0}) != std::future_status::ready) context.run_one();
  return report.get();
}

}  // namespace sluice
