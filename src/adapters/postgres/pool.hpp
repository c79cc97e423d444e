#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/postgres/link.hpp"

namespace sluice::postgres {

/// Up to `pool_size` connections to the server, opened as calls need them and again after they were
/// lost. It belongs to one executor and outlives its calls; calls made at the same time share
/// connections. Every call returns by its deadline, whatever the server does. While the server
/// cannot be reached they fail at once until the next attempt is due.
///
/// Errors: `unknown` when the server may have done the work; `unavailable` when it certainly did
/// not (not sent, refused, rolled back); `stale` for the schema's own SQLSTATE SL001; `invalid`
/// when the data broke a constraint or cannot be stored; `internal` when the statement itself is
/// wrong.
class Pool {
 public:
  Pool(boost::asio::any_io_executor executor, PostgresSettings settings);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// One statement, in a transaction of its own; again when that collided with another one.
  Task<Rows> run(Ticks deadline, const Statement& statement, const Params& params);

  /// A connection on which everything is read as of one instant, while this lives. Not longer than
  /// its pool, which takes the connection back.
  class Snapshot {
   public:
    explicit Snapshot(Pool& pool);
    ~Snapshot();
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;

    /// Statements that only read, in one round trip; the rows of each that gives any. The first
    /// call fixes the instant. After an error every other one fails.
    Task<std::vector<Rows>> run(Ticks deadline, std::vector<Query> queries);

   private:
    Pool& pool_;
    std::shared_ptr<Link> link_;
    bool begun_ = false;
  };

  /// Any number of statements in one simple query; outside a transaction block all or nothing.
  /// Blocks the connection for other calls.
  Task<> script(Ticks deadline, std::string sql);

  /// Why the last failed call failed, for a person. Holds no secret.
  const std::string& problem() const { return connecting_->problem; }

 private:
  std::shared_ptr<Exchange> exchange(Ticks deadline) const;
  Task<std::vector<Rows>> ask(std::shared_ptr<Link> link, std::shared_ptr<Exchange> exchange);
  std::shared_ptr<Link> pick();
  std::shared_ptr<Link> take_idle();
  std::shared_ptr<Link> connect();
  void give_back(std::shared_ptr<Link> link);

  boost::asio::any_io_executor executor_;
  PostgresSettings settings_;
  std::shared_ptr<Connecting> connecting_ = std::make_shared<Connecting>();
  std::vector<std::shared_ptr<Link>> links_;
};

}  // namespace sluice::postgres
