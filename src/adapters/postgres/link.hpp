#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sluice/adapters/postgres/stores.hpp"
#include "sluice/dependency/dependency.hpp"

#include "adapters/postgres/values.hpp"

struct pg_conn;

namespace sluice::postgres {

/// A statement that is prepared once per connection. All are string literals; `name` is unique to
/// `sql`.
struct Statement {
  const char* name;
  const char* sql;
  const char* step = nullptr;  ///< What the call is in metrics and failpoints, if not `name`.
  Step::Weight weight = Step::Weight::light;
};

/// Both live until the answer is there.
struct Query {
  const Statement* statement;
  const Params* params;
};

/// One call under way: a script, or queries.
struct Exchange {
  Exchange(const boost::asio::any_io_executor& executor, Ticks deadline)
      : over(executor, deadline) {}

  bool is_script() const { return queries.empty(); }
  void finish(Result<std::vector<Rows>> result);

  std::string script;  ///< Any number of statements, all or nothing; their rows are dropped.
  std::vector<Query> queries;  ///< One, or a transaction from its BEGIN to its COMMIT.

  std::optional<Result<std::vector<Rows>>> answer;  ///< The rows of each query that gives any.
  bool collided = false;                            ///< Rolled back because of another transaction.
  boost::asio::steady_timer over;  ///< Expires at the deadline; cancelled when the answer is there.

  // The link's own.
  std::vector<Rows> rows;
  Rows error;                         ///< The first.
  std::vector<const char*> expected;  ///< For each result: the statement it prepares, or null.
  std::size_t results = 0;
  std::size_t syncs = 0;  ///< Still to come.
  bool flushed = false;   ///< All of it was sent, so it may be done.
};

/// How connecting goes, for all connections of a pool.
struct Connecting {
  void failed(const PostgresSettings& settings, const std::string& why);
  void succeeded();

  std::string problem;  ///< Why the last call or attempt failed, for a person. Holds no secret.
  Ticks next_attempt{};
  Millis backoff{0};
  std::string down_by;  ///< What was logged since connections fail; empty while they do not.
};

/// One connection to the server, in pipeline mode: calls are sent as they come and answered in
/// their order; an error undoes its own call alone. It belongs to one executor, on which it
/// connects by itself, and to one pool. What it cannot finish any more it answers: `unavailable`
/// when the server certainly did not do it, else `unknown`.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(const boost::asio::any_io_executor& executor, const PostgresSettings& settings,
       std::shared_ptr<Connecting> connecting);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void open();
  void close();
  bool closed() const { return !connection_; }

  /// Whether it takes calls. One that was idle looks first whether the server has closed it: that
  /// spares the caller an `unknown`.
  bool usable();
  bool ready() const { return ready_; }
  /// The calls under way; one that reads a snapshot counts as many.
  std::size_t load() const;

  void submit(std::shared_ptr<Exchange> exchange);

  /// The exchange's deadline passed. The link takes no other calls, and ends with the last one that
  /// somebody still waits for: nobody knows how long the server needs.
  void give_up(Exchange& exchange);

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };

  void dial();
  void wait_to_dial(bool to_read);
  bool watch_socket();
  void prepare_session();
  void pump();
  bool send(Exchange& exchange);
  bool send(Exchange& exchange, const Statement& statement, const Params& params);
  void flush();
  void read();
  void take_results();
  void take(Exchange& exchange, Rows result);
  void finish_first();
  Errc judge(Exchange& exchange);
  std::string reason() const;
  void lose(std::string problem);
  bool still_open();
  void end_if_idle();

  const PostgresSettings& settings_;
  std::shared_ptr<Connecting> connecting_;
  std::unique_ptr<pg_conn, Finish> connection_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer limit_;                ///< Of connecting.
  std::shared_ptr<Exchange> session_;              ///< The first: sets the session up.
  std::deque<std::shared_ptr<Exchange>> waiting_;  ///< Not sent.
  std::deque<std::shared_ptr<Exchange>> sent_;
  std::set<std::string, std::less<>> prepared_;
  bool connected_ = false;
  bool ready_ = false;
  bool retired_ = false;
  bool reading_ = false;
  bool writing_ = false;
};

}  // namespace sluice::postgres
