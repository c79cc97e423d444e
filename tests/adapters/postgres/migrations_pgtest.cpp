#include "sluice/adapters/postgres/migrations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "adapters/postgres/postgres_world.hpp"
#include "adapters/postgres/schema.hpp"
#include "sluice_sql_postgres.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using postgres::Migration;
using testing::HasSubstr;
using testing::IsEmpty;

/// The names of what is missing in the database, or why it cannot be used.
MigrationReport check_schema(const PostgresSettings& settings,
                             std::vector<Migration> migrations = postgres::own_migrations()) {
  postgres::Pool pool(thread_context().get_executor(), settings);
  MigrationReport report;
  try {
    for (const auto& migration :
         run_awaitable(postgres::missing(pool, soon(), std::move(migrations)))) {
      report.applied.push_back(migration.name);
    }
  } catch (const std::exception& e) {
    report.problem = e.what();
  }
  return report;
}

std::vector<std::string> all_migrations() {
  std::vector<std::string> names;
  for (const auto name : sluice_sql_postgres::names()) names.emplace_back(name);
  return names;
}

TEST(PostgresMigrations, bring_an_empty_database_up_to_date_once) {
  PostgresDatabase database;
  EXPECT_EQ(check_schema(database.settings()).applied, all_migrations());
  const auto first = migrate_postgres(database.settings(), soon());
  EXPECT_EQ(first.problem, std::nullopt);
  EXPECT_EQ(first.applied, all_migrations());
  const auto second = migrate_postgres(database.settings(), soon());
  EXPECT_EQ(second.problem, std::nullopt);
  EXPECT_THAT(second.applied, IsEmpty());
  const auto schema = check_schema(database.settings());
  EXPECT_EQ(schema.problem, std::nullopt);
  EXPECT_THAT(schema.applied, IsEmpty());
}

TEST(PostgresMigrations, two_programs_at_once_apply_each_migration_once) {
  PostgresDatabase database;
  MigrationReport theirs;
  std::thread other([&] { theirs = migrate_postgres(database.settings(), soon()); });
  const auto ours = migrate_postgres(database.settings(), soon());
  other.join();
  EXPECT_EQ(ours.problem, std::nullopt);
  EXPECT_EQ(theirs.problem, std::nullopt);
  EXPECT_EQ(ours.applied.size() + theirs.applied.size(), all_migrations().size());
}

/// The migrations of three programs, each of which knows those of the ones before.
std::vector<Migration> migrations_of(std::size_t program) {
  std::vector<Migration> all{{"0001_first.sql", "CREATE TABLE things (name text)"},
                             {"0002_second.sql",
                              "ALTER TABLE things ADD COLUMN size integer NOT NULL DEFAULT 3;"
                              "UPDATE things SET size = 2 * size"},
                             {"0003_third.sql", "UPDATE things SET size = size + 1"}};
  all.resize(program);
  return all;
}

MigrationReport migrate_to(const PostgresDatabase& database, std::vector<Migration> migrations) {
  postgres::Pool pool(thread_context().get_executor(), database.settings());
  return run_awaitable(postgres::migrate(pool, soon(), std::move(migrations)));
}

TEST(PostgresMigrations, what_an_earlier_program_left_is_brought_up_to_date_in_order) {
  PostgresDatabase database;
  EXPECT_EQ(migrate_to(database, migrations_of(1)).problem, std::nullopt);
  database.run("INSERT INTO things VALUES ('lamp')");
  const std::vector<std::string> later{"0002_second.sql", "0003_third.sql"};
  const auto schema = check_schema(database.settings(), migrations_of(3));
  EXPECT_EQ(schema.problem, std::nullopt);
  EXPECT_EQ(schema.applied, later);
  const auto report = migrate_to(database, migrations_of(3));
  EXPECT_EQ(report.problem, std::nullopt);
  EXPECT_EQ(report.applied, later);
  PostgresSession session(database.settings());
  EXPECT_EQ(session.run("SELECT size FROM things").value().value<std::int64_t>(), 7);
  EXPECT_THAT(migrate_to(database, migrations_of(2)).problem.value_or(""),
              HasSubstr("0003_third.sql, which this program does not know"));
}

TEST(PostgresMigrations, those_before_one_that_fails_are_kept_and_it_leaves_nothing) {
  PostgresDatabase database;
  auto migrations = migrations_of(3);
  migrations[1].sql += "; SELECT 1/0";
  const auto failed = migrate_to(database, migrations);
  EXPECT_THAT(failed.problem.value_or(""), HasSubstr("migration 0002_second.sql: division"));
  EXPECT_EQ(failed.applied, std::vector<std::string>{"0001_first.sql"});
  const auto report = migrate_to(database, migrations_of(3));
  EXPECT_EQ(report.problem, std::nullopt);
  EXPECT_EQ(report.applied.size(), 2u);
}

TEST(PostgresMigrations, a_changed_migration_is_refused) {
  PostgresWorld world;
  const auto& database = world.database();
  database.run("UPDATE schema_migrations SET checksum = 'x' WHERE name LIKE '0001%'");
  const auto report = migrate_postgres(database.settings(), soon());
  EXPECT_THAT(report.problem.value_or(""), HasSubstr("0001_schema.sql was applied with another"));
  const auto schema = check_schema(database.settings());
  EXPECT_EQ(schema.problem, report.problem);
}

TEST(PostgresMigrations, a_migration_of_a_newer_program_is_refused) {
  PostgresWorld world;
  const auto& database = world.database();
  database.run("INSERT INTO schema_migrations VALUES ('9999_future.sql', 'x')");
  const auto report = migrate_postgres(database.settings(), soon());
  EXPECT_THAT(report.problem.value_or(""), HasSubstr("9999_future.sql"));
  EXPECT_EQ(check_schema(database.settings()).problem, report.problem);
}

TEST(PostgresMigrations, a_migration_that_fails_leaves_nothing_and_can_be_repeated) {
  PostgresDatabase database;
  database.run("CREATE TABLE leases (occupied integer)");
  const auto failed = migrate_postgres(database.settings(), soon());
  EXPECT_THAT(failed.problem.value_or(""), HasSubstr("migration 0001_schema.sql: relation"));
  EXPECT_THAT(failed.applied, IsEmpty());
  database.run("DROP TABLE leases");
  EXPECT_EQ(migrate_postgres(database.settings(), soon()).problem, std::nullopt);
}

TEST(PostgresMigrations, say_why_a_database_cannot_be_used) {
  const auto schema = check_schema(postgres_settings(postgres_url_of("nowhere")));
  EXPECT_THAT(schema.problem.value_or(""), HasSubstr("\"nowhere\" does not exist"));
  const auto report = migrate_postgres(postgres_settings("host=127.0.0.1"), soon());
  EXPECT_THAT(report.problem.value_or(""), HasSubstr("begins with postgresql://"));
}

TEST(PostgresMigrations, a_database_that_is_not_utf8_is_refused) {
  const auto name = "sluice_test_" + random_hex(8);
  run_sql(postgres_server_url(),
          "CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
  const auto report = migrate_postgres(postgres_settings(postgres_url_of(name)), soon());
  run_sql(postgres_server_url(), "DROP DATABASE " + name + " WITH (FORCE)");
  EXPECT_THAT(report.problem.value_or(""), HasSubstr("must be UTF8"));
}

TEST(PostgresUrl, says_what_is_wrong_without_repeating_a_password) {
  EXPECT_EQ(check_postgres_url("postgresql://a@127.0.0.1:5432,127.0.0.2:5433/b?sslmode=prefer"),
            std::nullopt);
  EXPECT_EQ(check_postgres_url("postgres:///b"), std::nullopt);
  for (const std::string bad : {"", "mysql://u:hush@h/b", "host=h password=hush",
                                "postgresql://u:hush@[h/b", "postgresql://u:hush@h/b?nonsense=1",
                                "postgresql://u:hush%zz@h/b", "postgresql://u:hush@[::1]x/b"}) {
    const auto problem = check_postgres_url(bad);
    ASSERT_TRUE(problem.has_value()) << bad;
    EXPECT_GT(problem->size(), 20u) << bad;
    EXPECT_EQ(problem->find("hush"), std::string::npos) << *problem;
  }
}

}  // namespace
}  // namespace sluice::test
