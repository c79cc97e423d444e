#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sluice/adapters/sqlite/stores.hpp"

#include "adapters/sqlite/call.hpp"
#include "adapters/sqlite/connection.hpp"
#include "adapters/sqlite/open.hpp"

namespace sluice {
namespace sqlite {

/// A connection and the one thread that uses it, in order of arrival.
class ConnectionThread {
 public:
  /// `name`: at most 15 characters, for `top` and debuggers.
  ConnectionThread(std::string name, std::unique_ptr<Connection> connection);
  ~ConnectionThread() { end(); }
  ConnectionThread(const ConnectionThread&) = delete;
  ConnectionThread& operator=(const ConnectionThread&) = delete;

  /// Does what was posted, and nothing that is posted later. Idempotent.
  void end() { thread_.join(); }

  /// Before anything is posted.
  Connection& connection() { return *connection_; }

  /// From any thread.
  template <class Work>
  void post(Work work) {
    boost::asio::post(thread_, [this, work = std::move(work)]() mutable { work(*connection_); });
  }

 private:
  std::unique_ptr<Connection> connection_;
  boost::asio::thread_pool thread_{1};
};

using Outcomes = std::vector<Outcome>;

/// Orders to decide, on their way to a transaction.
struct Batch {
  std::shared_ptr<Call<Outcomes>> call;
  Ticks deadline{};
  std::vector<OrderMessage> messages;
};

/// Joins what waits for a commit: all of it shares one fsync.
class GroupCommit {
 public:
  /// From any thread. `commit` has to be called on the database's thread afterwards.
  void add(Batch batch);

  /// Applies what waits, in order, up to `kMessagesMax` messages, in one transaction.
  void commit(Connection& connection);

 private:
  std::vector<Batch> take();

  std::mutex mutex_;
  std::deque<Batch> waiting_;
};

}  // namespace sqlite

/// An open file: a connection that makes changes, one that reads what is large and writes the log
/// back meanwhile, and their threads.
class SqliteDatabase {
 public:
  SqliteDatabase(const SqliteSettings& settings, std::shared_ptr<Clock> clock);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  const std::shared_ptr<Clock> clock;
  const std::string path;
  const sqlite::FileLock lock;  ///< Released last.
  sqlite::GroupCommit commits;
  sqlite::ConnectionThread writer;
  sqlite::ConnectionThread reader;

 private:
  static int committed(void* self, sqlite3* handle, const char* name, int log_pages);
  void write_back();

  bool writing_back_ = false;  ///< Of the writer's thread.
};

}  // namespace sluice
