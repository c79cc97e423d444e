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

  /// Statements that only read and see the same instant, in one round trip.
  Task<std::vector<Rows>> snapshot(Ticks deadline, std::vector<Query> queries);

  /// Any number of statements in one simple query; outside a transaction block all or nothing.
  /// Blocks the connection for other calls.
  Task<> script(Ticks deadline, std::string sql);

  /// Why the last failed call failed, for a person. Holds no secret.
  const std::string& problem() const { return connecting_->problem; }

 private:
  std::shared_ptr<Exchange> exchange(Ticks deadline) const;
  Task<std::vector<Rows>> ask(std::shared_ptr<Exchange> exchange);
  std::shared_ptr<Link> pick();

  boost::asio::any_io_executor executor_;
  PostgresSettings settings_;
  std::shared_ptr<Connecting> connecting_ = std::make_shared<Connecting>();
  std::vector<std::shared_ptr<Link>> links_;
};

}  // namespace sluice::postgres
