#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <sqlite3.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeindex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/domain/order_id.hpp"

#include "adapters/sql/rows.hpp"

namespace sluice::sqlite {

/// A statement or commit that failed, with the answer the port gives for it.
struct Failure : std::runtime_error {
  Failure(Errc answer, int code, const std::string& message)
      : std::runtime_error(message), errc(answer), sqlite_code(code) {}

  const Errc errc;
  const int sqlite_code;
};

template <auto End>
struct EndWith {
  template <class T>
  void operator()(T* handle) const noexcept {
    End(handle);
  }
};

/// Something of SQLite's, and the function that ends it.
template <class T, auto End>
using Owned = std::unique_ptr<T, EndWith<End>>;

/// One connection to the file, for one thread at a time.
class Connection {
 public:
  /// Opens the file without creating it. Throws `Failure`.
  Connection(const std::string& path, std::shared_ptr<Clock> clock);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* raw() const noexcept { return handle_.get(); }
  const Clock& clock() const noexcept { return *clock_; }

  /// Runs SQL text that returns nothing of interest. Throws `Failure`.
  void execute(const std::string& sql);

  /// Writes what is in the log, as far as nobody reads it, back to the file. Others go on writing.
  void checkpoint();

  /// The integer that a query of one row and column returns. Throws `Failure`.
  std::int64_t integer(const std::string& sql);

  /// The statements `T` of this connection: prepared by the first call, kept as long as it.
  template <class T>
  T& prepared() {
    auto& kept = prepared_[typeid(T)];
    if (!kept) kept = std::shared_ptr<T>(new T{*this});
    return *static_cast<T*>(kept.get());
  }

  /// A commit went well: ends the outage that `answer` reported, if any.
  void worked();

  /// Throws the last error of the connection as a `Failure`.
  [[noreturn]] void fail(int code) const;

  /// Runs `work`, which returns a `Result` and may throw `Failure`, and gives its answer.
  /// Statements still running at `deadline` are interrupted.
  template <class Work>
  auto answer(Ticks deadline, Work work) -> decltype(work()) {
    try {
      begin(deadline);
      return work();
    } catch (...) {
      return failed();
    }
  }

 private:
  static int interrupt_when_late(void* self);
  void begin(Ticks deadline);
  Errc failed();

  std::shared_ptr<Clock> clock_;
  Ticks deadline_ = Ticks::max();  ///< Of the last work that began.
  bool failing_ = false;
  Owned<sqlite3, sqlite3_close> handle_;
  std::unordered_map<std::type_index, std::shared_ptr<void>> prepared_;
};

/// A prepared statement, kept as long as its connection.
class Statement {
 public:
  Statement(Connection& connection, std::string_view sql);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Executes with the values for ?1, ?2, … (a lane is two, an empty optional a null) to the end
  /// and returns the number of rows changed. Throws `Failure`, as the next two.
  template <class... Values>
  int change(const Values&... values) {
    const auto execution = begin(values...);
    while (step()) continue;
    return sqlite3_changes(connection_.raw());
  }

  /// All rows, as values.
  template <class T, class... Values>
  std::vector<T> all(const Values&... values) {
    std::vector<T> rows;
    const auto execution = begin(values...);
    while (step()) sql::read(*this, rows.emplace_back());
    return rows;
  }

  /// The first row as a value, if there is one.
  template <class T, class... Values>
  std::optional<T> first(const Values&... values) {
    std::optional<T> row;
    const auto execution = begin(values...);
    if (step()) sql::read(*this, row.emplace());
    return row;
  }

  /// Begins an execution that `next` goes on with; the values must outlive it.
  template <class... Values>
  void start(const Values&... values) {
    running_ = begin(values...);
  }

  /// At most `max` more rows, as values; fewer when these are the last ones: then it is over.
  template <class T>
  std::vector<T> next(std::size_t max) {
    std::vector<T> rows;
    while (rows.size() < max && step()) sql::read(*this, rows.emplace_back());
    return rows;
  }

  // The columns of the present row, one after the other: for `sql::read`.
  bool null() const noexcept;
  void skip() noexcept { ++column_; }
  std::int64_t integer() noexcept;
  std::string_view text() noexcept;
  OrderId order_id();
  TimePoint time() noexcept { return TimePoint{Millis{integer()}}; }

 private:
  /// An execution, which ends when it is destroyed. The values must outlive it.
  template <class... Values>
  [[nodiscard]] Owned<sqlite3_stmt, sqlite3_reset> begin(const Values&... values) {
    [[maybe_unused]] int index = 0;
    (bind(index, values), ...);
    return Owned<sqlite3_stmt, sqlite3_reset>(raw());
  }

  /// Moves to the next row; false after the last one.
  bool step();

  // Each counts on.
  void bind(int& index, std::int64_t value) { check(sqlite3_bind_int64(raw(), ++index, value)); }
  void bind(int& index, std::string_view text);
  void bind(int& index, const UserId& user) { bind(index, std::string_view(user.text())); }
  void bind(int& index, const OrderId& id);
  void bind(int& index, TimePoint time) { bind(index, time.time_since_epoch().count()); }
  void bind(int& index, LaneId lane) {
    bind(index, lane.sale);
    bind(index, lane.index);
  }
  template <class T>
  void bind(int& index, const std::optional<T>& value) {
    if (value) return bind(index, *value);
    check(sqlite3_bind_null(raw(), ++index));
  }

  sqlite3_stmt* raw() const noexcept { return handle_.get(); }
  void check(int code) const {
    if (code != SQLITE_OK) connection_.fail(code);
  }

  Connection& connection_;
  Owned<sqlite3_stmt, sqlite3_finalize> handle_;
  Owned<sqlite3_stmt, sqlite3_reset> running_;
  int column_ = 0;
};

/// Rolls back unless committed.
class Transaction {
 public:
  enum class Kind { write, read };

  explicit Transaction(Connection& connection, Kind kind = Kind::write);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// Throws `Failure` with `Errc::unknown` only when the transaction may have become durable.
  void commit();

 private:
  Connection& connection_;
};

}  // namespace sluice::sqlite
