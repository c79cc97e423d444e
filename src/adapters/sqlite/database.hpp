#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <sqlite3.h>
#include <string>
#include <string_view>
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

/// One connection. Not thread-safe.
class Database {
 public:
  /// Opens the file without creating it. Throws `Failure`.
  Database(const std::string& path, std::shared_ptr<Clock> clock);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  sqlite3* raw() const noexcept { return handle_.get(); }
  const Clock& clock() const noexcept { return *clock_; }

  /// Runs SQL text that returns nothing of interest. Throws `Failure`.
  void execute(const std::string& sql);

  /// The integer that a query of one row and column returns. Throws `Failure`.
  std::int64_t integer(const std::string& sql);

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
    }
  }

 private:
  struct Close {
    void operator()(sqlite3* handle) const noexcept { sqlite3_close(handle); }
  };

  class DeadlineScope {
   public:
    DeadlineScope(Database& database, Ticks deadline) : database_(database) {
      database_.deadline_ = deadline;
    }
    ~DeadlineScope() { database_.deadline_ = Ticks::max(); }
    DeadlineScope(const DeadlineScope&) = delete;
    DeadlineScope& operator=(const DeadlineScope&) = delete;

   private:
    Database& database_;
  };

  static int interrupt_when_late(void* self);
  void check(Ticks deadline) const;
  void failed(const Failure& failure);

  std::shared_ptr<Clock> clock_;
  Ticks deadline_ = Ticks::max();
  bool failing_ = false;
  std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement, kept for the life of its store.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
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
    return sqlite3_changes(database_.raw());
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
    if (code != SQLITE_OK) database_.fail(code);
  }

  Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// Rolls back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// Throws `Failure` with `Errc::unknown` only when the transaction may have become durable.
  void commit();

 private:
  Database& database_;
};

inline std::int64_t to_ms(TimePoint time) noexcept { return time.time_since_epoch().count(); }
inline TimePoint from_ms(std::int64_t ms) noexcept { return TimePoint{Millis{ms}}; }

}  // namespace sluice::sqlite
