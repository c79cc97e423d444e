#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <sqlite3.h>
#include <string>
#include <string_view>
#include <typeindex>
#include <unordered_map>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/order_id.hpp"

namespace sluice::sqlite {

/// A statement or commit that failed, with the answer the port gives for it.
class Failure : public std::exception {
 public:
  Failure(Errc errc, int sqlite_code, std::string message)
      : errc_(errc), sqlite_code_(sqlite_code), message_(std::move(message)) {}

  Errc errc() const noexcept { return errc_; }
  int sqlite_code() const noexcept { return sqlite_code_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Errc errc_;
  int sqlite_code_;
  std::string message_;
};

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
      check(deadline);
      DeadlineScope scope(*this, deadline);
      return work();
    } catch (const Failure& failure) {
      failed(failure);
      return failure.errc();
    } catch (const std::exception& e) {
      failed(e);
      return Errc::unknown;
    }
  }

 private:
  struct Close {
    void operator()(sqlite3* handle) const noexcept { sqlite3_close(handle); }
  };

  class DeadlineScope {
   public:
    DeadlineScope(Connection& connection, Ticks deadline) : connection_(connection) {
      connection_.deadline_ = deadline;
    }
    ~DeadlineScope() { connection_.deadline_ = Ticks::max(); }
    DeadlineScope(const DeadlineScope&) = delete;
    DeadlineScope& operator=(const DeadlineScope&) = delete;

   private:
    Connection& connection_;
  };

  static int interrupt_when_late(void* self);
  void check(Ticks deadline) const;
  void failed(const Failure& failure);
  void failed(const std::exception& unexpected);

  std::shared_ptr<Clock> clock_;
  Ticks deadline_ = Ticks::max();
  bool failing_ = false;
  std::unique_ptr<sqlite3, Close> handle_;
  std::unordered_map<std::type_index, std::shared_ptr<void>> prepared_;
};

/// A prepared statement, kept as long as its connection.
class Statement {
 public:
  Statement(Connection& connection, std::string_view sql);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// One execution. Values bound must outlive it; it ends when destroyed.
  class Run {
   public:
    ~Run() { sqlite3_reset(statement_.handle_.get()); }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    /// Moves to the next row; false after the last one. Throws `Failure`.
    bool next();

    std::int64_t integer(int column) const noexcept;
    std::string_view text(int column) const noexcept;
    OrderId order_id(int column) const;

   private:
    friend class Statement;
    explicit Run(Statement& statement) : statement_(statement) {}
    Statement& statement_;
  };

  /// Binds the values to ?1, ?2, … and starts an execution.
  template <class... Values>
  [[nodiscard]] Run run(const Values&... values) {
    int index = 0;
    (bind(++index, values), ...);
    return Run(*this);
  }

  /// Executes to the end and returns the number of rows changed. Throws `Failure`.
  template <class... Values>
  int change(const Values&... values) {
    auto execution = run(values...);
    while (execution.next()) continue;
    return sqlite3_changes(connection_.raw());
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };

  void bind(int index, std::int64_t value) {
    check(sqlite3_bind_int64(handle_.get(), index, value));
  }
  void bind(int index, std::string_view text);
  void bind(int index, const OrderId& id);
  void check(int code) const {
    if (code != SQLITE_OK) connection_.fail(code);
  }

  Connection& connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
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

inline std::int64_t to_ms(TimePoint time) noexcept { return time.time_since_epoch().count(); }
inline TimePoint from_ms(std::int64_t ms) noexcept { return TimePoint{Millis{ms}}; }

}  // namespace sluice::sqlite
