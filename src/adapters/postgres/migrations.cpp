#include "sluice/adapters/postgres/migrations.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <functional>
#include <string_view>

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

/// What is wrong, for a person.
using Problem = std::optional<std::string>;

std::string failed(const Pool& pool, const boost::system::error_code& error,
                   const std::string& doing) {
  const auto& why = pool.problem();
  return doing + ": " + (why.empty() ? error.message() : why);
}

/// Lets the server compute the migrations' checksums.
asio::awaitable<Problem> add_checksums(Pool& pool, Ticks deadline,
                                       std::vector<Migration>& migrations) {
  Params params;
  params.texts(migrations, [](const Migration& m) { return std::string_view(m.sql); });
  const auto rows = co_await pool.run(deadline, kChecksums, params);
  if (!rows) co_return failed(pool, rows.error(), "cannot ask the database");
  for (std::size_t i = 0; i < migrations.size(); ++i) migrations[i].checksum = rows->text(i, 0);
  co_return std::nullopt;
}

/// Leaves in `migrations` those that are still to be applied.
asio::awaitable<Problem> compare(Pool& pool, Ticks deadline, std::vector<Migration>& migrations) {
  auto problem = co_await add_checksums(pool, deadline, migrations);
  if (problem) co_return problem;
  const Params none;
  const auto has_table = co_await pool.run(deadline, kHasTable, none);
  if (!has_table) co_return failed(pool, has_table.error(), "cannot ask the database");
  if (!has_table->boolean(0, 0)) co_return std::nullopt;
  const auto rows = co_await pool.run(deadline, kApplied, none);
  if (!rows) co_return failed(pool, rows.error(), "cannot read schema_migrations");
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const std::string name(rows->text(i, 0));
    const auto known = std::ranges::find(migrations, name, &Migration::name);
    if (known == migrations.end()) {
      co_return "the database has migration " + name +
          ", which this program does not know: it was migrated by a newer one";
    }
    if (known->checksum != rows->text(i, 1)) {
      co_return "migration " + name + " was applied with another text than this program's";
    }
    migrations.erase(known);
  }
  co_return std::nullopt;
}

/// The migration and the note that it was applied, in one transaction.
std::string script_of(const Migration& migration) {
  return migration.sql + "\n;INSERT INTO schema_migrations (name, checksum) VALUES ('" +
         migration.name + "', '" + migration.checksum + "')";
}

/// Runs `work` to its end on a pool and an executor of its own.
template <class Report>
Report run_alone(const PostgresSettings& settings,
                 const std::function<asio::awaitable<Report>(Pool&)>& work) {
  asio::io_context context(1);
  Pool pool(context.get_executor(), settings);
  auto report = asio::co_spawn(context, work(pool), asio::use_future);
  // The pool's connections never run out of work.
  while (report.wait_for(Millis{0}) != std::future_status::ready) context.run_one();
  return report.get();
}

}  // namespace

std::vector<Migration> own_migrations() {
  std::vector<Migration> migrations;
  for (const auto name : sluice_sql_postgres::names()) {
    migrations.push_back({std::string(name), std::string(sluice_sql_postgres::file(name))});
  }
  return migrations;
}

asio::awaitable<MigrationReport> migrate(Pool& pool, Ticks deadline,
                                         std::vector<Migration> migrations) {
  MigrationReport report;
  const Params none;
  // The lock is the session's: it ends with the connection, whatever happens in between.
  const auto locked = co_await pool.run(deadline, kLock, none);
  if (!locked) {
    report.problem = failed(pool, locked.error(), "cannot lock the schema");
    co_return report;
  }
  const auto created = co_await pool.script(deadline, kCreateTable);
  if (!created) {
    report.problem = failed(pool, created.error(), "cannot create schema_migrations");
    co_return report;
  }
  report.problem = co_await compare(pool, deadline, migrations);
  if (report.problem) co_return report;
  for (const auto& migration : migrations) {
    auto script = script_of(migration);
    const auto applied = co_await pool.script(deadline, std::move(script));
    if (!applied) {
      report.problem = failed(pool, applied.error(), "migration " + migration.name);
      co_return report;
    }
    report.applied.push_back(migration.name);
  }
  co_return report;
}

asio::awaitable<SchemaReport> check_schema(Pool& pool, Ticks deadline,
                                           std::vector<Migration> migrations) {
  SchemaReport report;
  report.problem = co_await compare(pool, deadline, migrations);
  if (report.problem) co_return report;
  for (const auto& migration : migrations) report.missing.push_back(migration.name);
  co_return report;
}

}  // namespace postgres

MigrationReport migrate_postgres(const PostgresSettings& settings, Ticks deadline) {
  auto patient = settings;
  // Migrations may wait for each other and for locks: only the caller's deadline bounds them.
  patient.statement_timeout = Millis{0};
  patient.lock_timeout = Millis{0};
  const std::function<boost::asio::awaitable<MigrationReport>(postgres::Pool&)> work =
      [deadline](postgres::Pool& pool) {
        return postgres::migrate(pool, deadline, postgres::own_migrations());
      };
  return postgres::run_alone(patient, work);
}

SchemaReport check_postgres_schema(const PostgresSettings& settings, Ticks deadline) {
  const std::function<boost::asio::awaitable<SchemaReport>(postgres::Pool&)> work =
      [deadline](postgres::Pool& pool) {
        return postgres::check_schema(pool, deadline, postgres::own_migrations());
      };
  return postgres::run_alone(settings, work);
}

}  // namespace sluice
