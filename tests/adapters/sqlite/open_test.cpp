#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/sqlite/sqlite_support.hpp"
#include "support/store_values.hpp"
#include "support/temp_folder.hpp"

namespace sluice::test {
namespace {

using testing::HasSubstr;

SqliteStores open(const std::string& path) {
  SqliteSettings settings;
  settings.path = path;
  settings.lock_wait = Millis{20};
  return open_stores(settings);
}

/// Expects that the file is refused, and returns the message.
std::string refusal(const std::string& path) {
  try {
    open(path);
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr(path));
    return error.what();
  }
  ADD_FAILURE() << path << " was accepted";
  return {};
}

/// Runs SQL on the file as any other program would.
void execute(const std::string& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(handle);
  sqlite3_close(handle);
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Runs `check` in a child process and returns its exit code; 99 when it throws.
template <class Check>
int in_child(Check check) {
  const auto child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = check();
    } catch (...) {
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr int kRefused = 10;

/// For a child: 0 when the file can be used, `kRefused` when it is refused for that reason.
int try_open(const std::string& path, const std::string& reason = "another sluice process uses") {
  try {
    open(path);
    return 0;
  } catch (const std::runtime_error& error) {
    return std::string(error.what()).find(reason) == std::string::npos ? kRefused + 1 : kRefused;
  }
}

TEST(SqliteOpen, a_new_file_is_made_for_its_owner_alone) {
  TempFolder folder;
  open(folder.path("sluice.db"));
  struct stat status {};
  ASSERT_EQ(::stat(folder.path("sluice.db").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(SqliteOpen, no_name_of_a_file_is_special) {
  TempFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  open(":memory:");
  std::filesystem::current_path(before);
  EXPECT_TRUE(std::filesystem::exists(folder.path(":memory:")));
}

TEST(SqliteOpen, migrations_are_recorded_and_run_once) {
  TempFolder folder;
  open(folder.path("sluice.db"));
  open(folder.path("sluice.db"));
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(folder.path("sluice.db").c_str(), &handle), SQLITE_OK);
  std::string rows;
  const auto collect = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) += std::string(values[0]) + " " + values[1] + ";";
    return 0;
  };
  sqlite3_exec(handle, "SELECT version, name FROM schema_migrations ORDER BY 1", collect, &rows,
               nullptr);
  sqlite3_close(handle);
  EXPECT_THAT(rows, testing::StartsWith("1 0001_schema.sql;"));
  EXPECT_EQ(rows.find("1 0001_schema.sql;", 1), std::string::npos);
}

TEST(SqliteOpen, a_lane_at_the_last_epoch_gets_no_other) {
  TempFolder folder;
  const auto path = folder.path("sluice.db");
  auto stores = open(path);
  const LaneId lane{run_awaitable(stores.sales->create(soon(), draft_of(10))).value().id, 0};
  stores = SqliteStores{};
  execute(path, "UPDATE product_stock SET newest_epoch = 65534");
  stores = open(path);
  EXPECT_EQ(renew(*stores.orders, lane).epoch, kEpochMax);
  const auto next =
      run_awaitable(stores.orders->next_epoch(soon(), lane, Authority::store, std::nullopt));
  EXPECT_EQ(next.error(), Errc::overloaded);
  const LaneHead last{kEpochMax, kEpochMax, 0, 0};
  EXPECT_EQ(run_awaitable(stores.orders->head(soon(), lane)).value(), last);
}

TEST(SqliteOpen, a_file_in_use_is_refused_in_any_process_until_it_is_closed) {
  TempFolder folder;
  auto stores = open(folder.path("sluice.db"));
  EXPECT_EQ(in_child([&] { return try_open(folder.path("sluice.db")); }), kRefused);
  EXPECT_EQ(refusal(folder.path("sluice.db")),
            "another sluice process uses \"" + folder.path("sluice.db") + "\"");
  // The refused attempts must not have cost the holder its lock.
  EXPECT_EQ(in_child([&] { return try_open(folder.path("sluice.db")); }), kRefused);
  stores = SqliteStores{};
  EXPECT_EQ(in_child([&] { return try_open(folder.path("sluice.db")); }), 0);
}

TEST(SqliteOpen, the_file_stays_open_until_the_last_store_goes) {
  TempFolder folder;
  auto stores = open(folder.path("sluice.db"));
  stores.orders.reset();
  stores.moves.reset();
  stores.late.reset();
  stores.control.reset();
  stores.ping = nullptr;
  EXPECT_THAT(refusal(folder.path("sluice.db")), HasSubstr("another sluice process uses"));
  EXPECT_TRUE(
      run_awaitable(stores.sales->list(soon(), SaleFilter::all, kSalesBegin, 1)).has_value());
  stores.sales.reset();
  open(folder.path("sluice.db"));
}

TEST(SqliteOpen, other_programs_may_read_the_file_while_it_is_open) {
  TempFolder folder;
  auto stores = open(folder.path("sluice.db"));
  run_awaitable(stores.sales->create(soon(), draft_of(10))).value();
  execute(folder.path("sluice.db"), "SELECT 1 / count(*) FROM sales");
  EXPECT_TRUE(run_awaitable(stores.sales->create(soon(), draft_of(10))).has_value());
  EXPECT_EQ(in_child([&] { return try_open(folder.path("sluice.db")); }), kRefused);
}

TEST(SqliteOpen, a_path_that_cannot_be_used_is_refused) {
  TempFolder folder;
  EXPECT_THAT(refusal(folder.path("no/such/folder.db")), HasSubstr("No such file or directory"));
  EXPECT_THAT(refusal(folder.path()), HasSubstr("it is a folder"));
  EXPECT_THAT(refusal(""), HasSubstr("the path is empty"));
}

/// Root may do everything: the child becomes nobody first.
int try_open_as_nobody(const std::string& path, const std::string& reason) {
  if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return 98;
  return try_open(path, reason);
}

TEST(SqliteOpen, a_folder_or_file_without_permission_is_refused) {
  TempFolder folder;
  const auto path = folder.path("sluice.db");
  ::chmod(folder.path().c_str(), 0555);
  EXPECT_EQ(in_child([&] { return try_open_as_nobody(path, "Permission denied"); }), kRefused);
  ::chmod(folder.path().c_str(), 0755);
  open(path);
  ::chmod(path.c_str(), 0444);
  EXPECT_EQ(in_child([&] { return try_open_as_nobody(path, "Permission denied"); }), kRefused);
  ::chmod(path.c_str(), 0666);
  ::chmod(folder.path().c_str(), 0555);
  EXPECT_EQ(in_child([&] { return try_open_as_nobody(path, "its folder is read-only"); }),
            kRefused);
  ::chmod(folder.path().c_str(), 0755);
}

TEST(SqliteOpen, a_file_that_is_no_database_is_refused_and_left_alone) {
  TempFolder folder;
  const std::string text(10'000, 'x');
  std::ofstream(folder.path("sluice.db")) << text;
  EXPECT_THAT(refusal(folder.path("sluice.db")), HasSubstr("not a SQLite database"));
  EXPECT_EQ(content(folder.path("sluice.db")), text);
}

TEST(SqliteOpen, the_database_of_another_program_is_refused_and_left_alone) {
  TempFolder folder;
  execute(folder.path("a.db"), "CREATE TABLE orders (id INTEGER)");
  execute(folder.path("b.db"), "PRAGMA user_version = 1");
  execute(folder.path("c.db"), "PRAGMA application_id = 77");
  for (const auto* name : {"a.db", "b.db", "c.db"}) {
    const auto before = content(folder.path(name));
    EXPECT_THAT(refusal(folder.path(name)), HasSubstr("another program"));
    EXPECT_EQ(content(folder.path(name)), before);
  }
}

TEST(SqliteOpen, a_newer_schema_is_refused) {
  TempFolder folder;
  open(folder.path("sluice.db"));
  execute(folder.path("sluice.db"), "PRAGMA user_version = 1000");
  EXPECT_THAT(refusal(folder.path("sluice.db")), HasSubstr("schema version 1000"));
}

TEST(SqliteOpen, a_damaged_file_is_refused) {
  TempFolder folder;
  open(folder.path("sluice.db"));
  {
    std::fstream file(folder.path("sluice.db"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file << std::string(3'900, '\x5a');
  }
  EXPECT_THAT(refusal(folder.path("sluice.db")), HasSubstr("damaged"));
}

TEST(SqliteOpen, an_empty_file_becomes_a_database) {
  TempFolder folder;
  std::ofstream(folder.path("sluice.db")).close();
  auto stores = open(folder.path("sluice.db"));
  EXPECT_TRUE(run_awaitable(stores.sales->create(soon(), draft_of(1))).has_value());
}

TEST(SqliteOpen, the_lease_of_a_dead_process_is_free_at_once) {
  TempFolder folder;
  const auto path = folder.path("sluice.db");
  const Millis long_time{3'600'000};
  const auto acquire = [&](SqliteStores& stores, const std::string& name,
                           const std::string& holder) {
    return run_awaitable(stores.control->acquire(soon(), name, holder, long_time)).value();
  };
  const auto dies_with_leases = [&] {
    auto stores = open(path);
    const bool held =
        acquire(stores, "leader", "first").held && acquire(stores, "other", "first").held;
    ::_exit(held ? 0 : 1);
    return 2;
  };
  ASSERT_EQ(in_child(dies_with_leases), 0);

  auto stores = open(path);
  for (const auto* const name : {"leader", "other"}) {
    const auto lease = acquire(stores, name, "second");
    EXPECT_TRUE(lease.held) << name;
    EXPECT_EQ(lease.term, 2u) << "the holder changed";
  }
  EXPECT_FALSE(acquire(stores, "leader", "third").held) << "its holder lives";
}

TEST(SqliteOpen, reopening_keeps_the_terms_of_leases_that_nobody_held) {
  TempFolder folder;
  const auto path = folder.path("sluice.db");
  std::uint64_t term = 0;
  for (int i = 0; i < 3; ++i) {
    auto stores = open(path);
    const std::string holder = "process " + std::to_string(i);
    const auto lease =
        run_awaitable(stores.control->acquire(soon(), "leader", holder, Millis{60'000})).value();
    ASSERT_TRUE(lease.held);
    EXPECT_GT(lease.term, term);
    term = lease.term;
    run_awaitable(stores.control->release(soon(), "leader", holder)).value();
  }
}

}  // namespace
}  // namespace sluice::test
