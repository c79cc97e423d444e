#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include "sluice/base/completion.hpp"

#include "adapters/redis/connection.hpp"
#include "adapters/redis/protocol.hpp"
#include "adapters/redis/url.hpp"

namespace sluice::redis {

/// Somebody who waits for a reply until a deadline.
class Waiter : public std::enable_shared_from_this<Waiter> {
 public:
  Waiter(const boost::asio::any_io_executor& executor, Completion<Result<Reply>> answer)
      : timer_(executor), answer_(std::move(answer)) {}

  /// From now on answers `late` when the deadline passes first.
  void expect_by(Ticks deadline, Errc late);

  /// Answers, unless the deadline did.
  void finish(Result<Reply> result);

  bool done() const noexcept { return !answer_; }

  /// No answer is given any more: the coroutine that waits is destroyed.
  void drop();

 private:
  boost::asio::steady_timer timer_;
  Completion<Result<Reply>> answer_;
};

/// Why a link could not be opened or came to its end.
struct Trouble {
  std::string text;           ///< Empty: none.
  bool needs_person = false;  ///< No attempt will succeed before somebody changes something.
};

/// One TCP connection, from connecting to its end; it is never opened twice.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(boost::asio::any_io_executor executor, const RedisSettings& settings, Endpoint endpoint,
       Subscription subscription);

  /// Connects, introduces itself and checks the server, within the connect timeout.
  boost::asio::awaitable<Trouble> open();

  /// Serves until the connection ends.
  boost::asio::awaitable<Trouble> serve();

  /// Ends the connection; `serve` or `open` then returns.
  void close(std::string why);

  /// Commands without a reply, those that nobody waits for any more included.
  std::size_t in_flight() const noexcept { return in_flight_.size(); }

  /// Sends a command; `waiter` may be null. Only while `serve` runs.
  void send(const Command& command, std::shared_ptr<Waiter> waiter);

  /// Answers everybody who still waits: the outcome is unknown.
  void fail_waiters();
  void drop_waiters();

 private:
  boost::asio::awaitable<Trouble> connect();
  boost::asio::awaitable<Trouble> greet();
  boost::asio::awaitable<Trouble> check_policy();
  boost::asio::awaitable<Trouble> exchange(const Command& command, Reply& reply);
  boost::asio::awaitable<std::string> read_more();
  void on_reply(Reply reply);
  void on_push(const redisReply& reply);
  void schedule_flush();
  void flush();
  void watch();
  void on_silence();

  boost::asio::any_io_executor executor_;
  RedisSettings settings_;
  Endpoint endpoint_;
  Subscription subscription_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;  // of `open`, then for the longest silence
  Reader reader_;
  std::string input_;
  std::string output_;  // collects while `sending_` is on its way
  std::string sending_;
  bool flush_scheduled_ = false;
  std::deque<std::shared_ptr<Waiter>> in_flight_;
  bool heard_ = false;
  bool asked_ = false;
  bool closed_ = false;
  std::string closed_why_;
};

}  // namespace sluice::redis
