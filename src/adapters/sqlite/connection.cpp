#include "adapters/sqlite/connection.hpp"

#include <algorithm>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"

namespace sluice::sqlite {
namespace {

/// Instructions of SQLite's machine between two looks at the clock: about a millisecond.
constexpr int kInstructionsPerLook = 20'000;

Errc errc_of(int code) noexcept {
  switch (code & 0xff) {
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
      return Errc::internal;
    default:
      return Errc::unavailable;
  }
}

/// A commit's last write is its commit record: when that or an earlier write failed, the record is
/// not whole. When only the fsync failed, the record may be found after a crash.
bool may_have_committed(int code) noexcept {
  return (code & 0xff) == SQLITE_IOERR && code != SQLITE_IOERR_WRITE;
}

}  // namespace

Connection::Connection(const std::string& path, std::shared_ptr<Clock> clock)
    : clock_(std::move(clock)) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) fail(code);
  sqlite3_progress_handler(handle, kInstructionsPerLook, &Connection::interrupt_when_late, this);
}

void Connection::execute(const std::string& sql) {
  const int code = sqlite3_exec(raw(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

void Connection::checkpoint() {
  const auto mode = SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(raw(), nullptr, mode, nullptr, nullptr);
  // The log keeps what is not written back; the next checkpoint tries again.
  if (code != SQLITE_OK) log().warn("sqlite: checkpoint: {}", sqlite3_errstr(code));
}

std::int64_t Connection::integer(const std::string& sql) {
  const auto value = Statement(*this, sql).first<std::int64_t>();
  if (!value) fail(SQLITE_ERROR);
  return *value;
}

void Connection::fail(int code) const {
  const char* text = handle_ ? sqlite3_errmsg(raw()) : sqlite3_errstr(code);
  throw Failure(errc_of(code), code, text);
}

int Connection::interrupt_when_late(void* self) {
  const auto& connection = *static_cast<const Connection*>(self);
  return connection.deadline_ != Ticks::max() && connection.clock_->ticks() >= connection.deadline_;
}

void Connection::begin(Ticks deadline) {
  deadline_ = deadline;
  if (clock_->ticks() < deadline) return;
  throw Failure(Errc::unavailable, SQLITE_INTERRUPT, "the deadline had passed already");
}

void Connection::worked() {
  if (!failing_) return;
  failing_ = false;
  log().info("sqlite: the database works again");
}

/// What the exception that is handled now means for the caller.
Errc Connection::failed() {
  try {
    throw;
  } catch (const Failure& failure) {
    // A deadline is the caller's choice, no fault of the disk. One line per outage: every batch
    // fails while a disk is full.
    if (failure.sqlite_code != SQLITE_INTERRUPT && !std::exchange(failing_, true)) {
      log().error("sqlite: {} (code {})", failure.what(), failure.sqlite_code);
    }
    return failure.errc;
  } catch (const sql::Unreadable& unreadable) {
    if (!std::exchange(failing_, true)) {
      log().error("sqlite: {} (code {})", unreadable.what(), SQLITE_CORRUPT);
    }
    return Errc::invalid;
  } catch (const std::exception& unexpected) {
    log().critical("sqlite: a call failed: {}", unexpected.what());
    return Errc::unknown;
  }
}

Statement::Statement(Connection& connection, std::string_view sql) : connection_(connection) {
  sqlite3_stmt* handle = nullptr;
  sql = mutated("src/adapters/sqlite", sql);
  const int code = sqlite3_prepare_v3(connection.raw(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  handle_.reset(handle);
  check(code);
}

void Statement::bind(int& index, std::string_view text) {
  // A null pointer would bind NULL instead of an empty text.
  const char* data = text.empty() ? "" : text.data();
  const auto size = static_cast<int>(text.size());
  check(sqlite3_bind_text(raw(), ++index, data, size, SQLITE_STATIC));
}

void Statement::bind(int& index, const OrderId& id) {
  const auto size = static_cast<int>(id.bytes().size());
  check(sqlite3_bind_blob(raw(), ++index, id.bytes().data(), size, SQLITE_STATIC));
}

bool Statement::step() {
  column_ = 0;
  const int code = sqlite3_step(raw());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) connection_.fail(code);
  return false;
}

bool Statement::null() const noexcept { return sqlite3_column_type(raw(), column_) == SQLITE_NULL; }

std::int64_t Statement::integer() noexcept { return sqlite3_column_int64(raw(), column_++); }

std::string_view Statement::text() noexcept {
  const int column = column_++;
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(raw(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(raw(), column))};
}

OrderId Statement::order_id() {
  const int column = column_++;
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(raw(), column));
  const int size = sqlite3_column_bytes(raw(), column);
  OrderId::Bytes bytes{};
  if (data == nullptr || static_cast<std::size_t>(size) != bytes.size()) {
    throw sql::Unreadable("an order id in the database is not 16 bytes");
  }
  std::copy_n(data, bytes.size(), bytes.begin());
  return OrderId(bytes);
}

Transaction::Transaction(Connection& connection, Kind kind) : connection_(connection) {
  connection_.execute(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN");
}

Transaction::~Transaction() {
  // SQLite has rolled back by itself after some errors.
  if (sqlite3_get_autocommit(connection_.raw()) != 0) return;
  sqlite3_exec(connection_.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  const int code = sqlite3_exec(connection_.raw(), "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return connection_.worked();
  if (may_have_committed(code)) {
    throw Failure(Errc::unknown, code, sqlite3_errmsg(connection_.raw()));
  }
  connection_.fail(code);
}

}  // namespace sluice::sqlite
