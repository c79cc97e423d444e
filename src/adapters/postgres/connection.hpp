#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

#include "sluice/adapters/postgres/stores.hpp"

#include "adapters/postgres/values.hpp"

struct pg_conn;

namespace sluice::postgres {

/// A statement that is prepared once per connection. Both are string literals; `name` is unique.
struct Statement {
  const char* name;
  const char* sql;
};

/// One connection to the server, for one thread. Every call returns by its deadline at the latest,
/// whatever the server does. Then, and when the answer is lost, the connection is dropped; the next
/// call opens another one.
///
/// Errors: `unknown` when the server may have done the work; `unavailable` when it certainly did
/// not (not sent, refused, rolled back); `stale` for the schema's own SQLSTATE SL001; `invalid`
/// when the data broke a constraint or cannot be stored; `internal` when the statement itself is
/// wrong.
class Connection {
 public:
  explicit Connection(PostgresSettings settings);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// One round trip, and one more the first time on a connection.
  Result<Rows> run(Ticks deadline, const Statement& statement, const Params& params);

  /// Any number of statements in one simple query; outside a transaction block all or nothing.
  Result<void> script(Ticks deadline, const std::string& sql);

  /// Runs `work` between BEGIN and COMMIT, or rolls back when it fails. Only the COMMIT can leave
  /// the outcome `unknown`.
  Result<void> transaction(Ticks deadline, const std::function<Result<void>()>& work);

  /// As `transaction`, for work that only reads: all its statements see the same instant.
  Result<void> snapshot(Ticks deadline, const std::function<Result<void>()>& work);

  /// The last call was rolled back because of another transaction: the same call may succeed now.
  bool collided() const;

  /// Why the last failed call failed, for a person. Holds no secret.
  const std::string& problem() const { return problem_; }

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };

  Result<void> within(Ticks deadline, const char* begin, const std::function<Result<void>()>& work);
  Result<void> make_ready(Ticks deadline);
  Result<void> connect(Ticks deadline);
  Result<void> prepare_session(Ticks deadline);
  bool still_open();
  bool shake_hands(Ticks limit);
  Result<Rows> exchange(Ticks deadline, const std::function<int()>& send);
  bool flush(Ticks deadline);
  Result<Rows> receive(Ticks deadline);
  Result<Rows> judge(Rows rows, pg_result* result);
  short wait(short events, Ticks deadline);
  Errc lose(Errc code, std::string problem);

  PostgresSettings settings_;
  std::unique_ptr<pg_conn, Close> connection_;
  std::unordered_set<std::string> prepared_;
  bool in_transaction_ = false;
  bool was_down_ = false;
  Ticks next_attempt_{};
  Millis backoff_{0};
  std::string problem_;
  std::string sqlstate_;
};

}  // namespace sluice::postgres
