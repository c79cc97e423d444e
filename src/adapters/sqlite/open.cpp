#include "adapters/sqlite/open.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <stdexcept>
#include <sys/file.h>
#include <system_error>
#include <thread>
#include <unistd.h>

#include "sluice/base/log.hpp"

#include "sluice_sql_sqlite.hpp"

namespace sluice::sqlite {
namespace {

/// "SLUC": marks the file as ours in its header.
constexpr std::int64_t kApplicationId = 0x534c5543;

constexpr Millis kLockPause{10};

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw std::runtime_error("cannot use the database file \"" + path + "\": " + why);
}

[[noreturn]] void refuse(const std::string& path, int error) {
  refuse(path, std::generic_category().message(error));
}

void check_path(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) refuse(path, "it is a folder");
  // Only this user may read a new file. SQLite itself would not say why it cannot make it. An
  // existing file is not opened here: closing it would drop the locks of another connection.
  const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
  } else if (errno != EEXIST) {
    refuse(path, errno);
  }
  if (::access(path.c_str(), R_OK | W_OK) != 0) refuse(path, errno);
  const auto folder = std::filesystem::path(path).parent_path();
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    refuse(path, "its folder is read-only, and the log must be made there");
  }
}

[[noreturn]] void refuse_in_use(const std::string& path) {
  throw std::runtime_error("another sluice process uses \"" + path + "\"");
}

[[noreturn]] void refuse(const std::string& path, const Failure& failure) {
  switch (failure.sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      refuse_in_use(path);
    case SQLITE_NOTADB:
      refuse(path, "it is not a SQLite database");
    case SQLITE_CORRUPT:
      refuse(path, "it is damaged (" + std::string(failure.what()) + ")");
    default:
      refuse(path, std::string(failure.what()));
  }
}

std::int64_t version_of(std::string_view name) {
  std::int64_t version = 0;
  std::from_chars(name.data(), name.data() + name.size(), version);
  return version;
}

/// Reads nothing but the header and the list of tables, so a stranger's file stays as it was.
void check_ours(Connection& connection, const std::string& path) {
  const auto application = connection.integer("PRAGMA application_id");
  const auto version = connection.integer("PRAGMA user_version");
  const auto tables = connection.integer("SELECT count(*) FROM sqlite_schema");
  const bool fresh = application == 0 && version == 0 && tables == 0;
  if (!fresh && application != kApplicationId) {
    refuse(path, "it is the database of another program");
  }
  const auto newest = version_of(sluice_sql_sqlite::names().back());
  if (version > newest) {
    refuse(path, "it has schema version " + std::to_string(version) +
                     ", this program knows up to " + std::to_string(newest));
  }
}

void configure(Connection& connection, const SqliteSettings& settings) {
  // For other programs that look into the file.
  connection.execute("PRAGMA busy_timeout = " + std::to_string(settings.lock_wait.count()));
  // The write-ahead log needs one fsync per commit; `FULL` makes that fsync part of the commit.
  connection.execute("PRAGMA journal_mode = WAL");
  connection.execute("PRAGMA synchronous = FULL");
  connection.execute("PRAGMA foreign_keys = ON");
  connection.execute("PRAGMA trusted_schema = OFF");
  connection.execute("PRAGMA temp_store = MEMORY");
  connection.execute("PRAGMA cache_size = -65536");
  connection.execute("PRAGMA journal_size_limit = 134217728");
}

void migrate(Connection& connection) {
  auto version = connection.integer("PRAGMA user_version");
  for (const auto name : sluice_sql_sqlite::names()) {
    const auto next = version_of(name);
    if (next <= version) continue;
    Transaction transaction(connection);
    connection.execute(std::string(sluice_sql_sqlite::file(name)));
    Statement record(connection, "INSERT INTO schema_migrations VALUES (?1, ?2, ?3)");
    record.change(next, name, connection.clock().now());
    connection.execute("PRAGMA application_id = " + std::to_string(kApplicationId));
    connection.execute("PRAGMA user_version = " + std::to_string(next));
    transaction.commit();
    log().info("sqlite: applied migration {}", name);
    version = next;
  }
}

/// A connection that `prepare` sets up.
template <class Prepare>
std::unique_ptr<Connection> open_connection(const std::string& path, std::shared_ptr<Clock> clock,
                                            Prepare prepare) {
  try {
    auto connection = std::make_unique<Connection>(path, std::move(clock));
    prepare(*connection);
    return connection;
  } catch (const Failure& failure) {
    refuse(path, failure);
  }
}

}  // namespace

std::string usable_path(const SqliteSettings& settings) {
  if (settings.path.empty()) refuse(settings.path, "the path is empty");
  std::error_code error;
  // Absolute, so that no name is special to SQLite (":memory:").
  auto path = std::filesystem::absolute(settings.path, error).string();
  if (error) refuse(settings.path, error.message());
  check_path(path);
  return path;
}

FileLock::FileLock(const std::string& path, Millis wait) {
  // A file beside it, whose content means nothing, and which is never removed.
  fd_ = ::open((path + "-lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd_ < 0) refuse(path, errno);
  const auto until = std::chrono::steady_clock::now() + wait;
  while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(kLockPause);
      continue;
    }
    const int error = errno;
    ::close(fd_);
    if (error == EWOULDBLOCK) refuse_in_use(path);
    refuse(path, error);
  }
}

FileLock::~FileLock() { ::close(fd_); }

std::unique_ptr<Connection> open_writer(const std::string& path, const SqliteSettings& settings,
                                        std::shared_ptr<Clock> clock) {
  return open_connection(path, std::move(clock), [&](Connection& connection) {
    check_ours(connection, path);
    configure(connection, settings);
    migrate(connection);
    // Whoever held a lease in this file is dead: the lock is ours.
    connection.execute("UPDATE leases SET holder = '', until_ms = 0 WHERE holder <> ''");
  });
}

std::unique_ptr<Connection> open_reader(const std::string& path, std::shared_ptr<Clock> clock) {
  return open_connection(path, std::move(clock), [](Connection& connection) {
    connection.execute("PRAGMA cache_size = -2048");
  });
}

}  // namespace sluice::sqlite
