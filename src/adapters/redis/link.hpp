#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/adapters/redis/redis.hpp"

#include "adapters/redis/protocol.hpp"
#include "adapters/redis/tls.hpp"
#include "adapters/redis/url.hpp"

namespace sluice::redis {

inline constexpr auto kTuple = boost::asio::as_tuple(boost::asio::use_awaitable);

/// What a connection that only listens listens to.
struct Subscription {
  std::string channel;
  std::function<void(std::string_view message)> on_message;
};

/// Where a connection is made to, and what for.
struct Target {
  Endpoint endpoint;
  RedisSettings settings;
  Subscription subscription;
  std::shared_ptr<TlsContext> tls{};  ///< Null: the connection is plain.
};

/// Somebody who waits for an answer until a deadline.
struct Waiter {
  /// Answers `late` unless `finish` comes first.
  Waiter(const boost::asio::any_io_executor& executor, Ticks deadline, Errc late)
      : over(executor, deadline), answer(late) {}

  void finish(Result<Reply> result) {
    answer = std::move(result);
    over.cancel();
  }

  boost::asio::steady_timer over;  ///< Expires at the deadline; cancelled when the answer is there.
  Result<Reply> answer;
};

/// One connection over TCP, plain or with TLS, from connecting to its end; it is never opened
/// twice.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(const boost::asio::any_io_executor& executor, std::shared_ptr<const Target> target);

  /// Connects, introduces itself and checks the server, within the connect timeout. Throws when
  /// that fails.
  boost::asio::awaitable<void> open();

  /// Serves until the connection ends, and throws then.
  boost::asio::awaitable<void> serve();

  /// Ends the connection; `serve` or `open` then throws. Of several reasons the first stays.
  void close(std::string why);

  /// Why the connection could not be made or came to its end.
  const std::string& why() const noexcept { return why_; }

  /// No attempt will succeed before somebody changes something.
  bool needs_person() const noexcept { return needs_person_; }

  /// Commands without a reply, those that nobody waits for any more included.
  std::size_t in_flight() const noexcept { return in_flight_.size(); }

  /// Sends a command; `waiter` may be null. Only while `serve` runs.
  void send(const Command& command, std::shared_ptr<Waiter> waiter);

  /// Answers everybody who still waits: the outcome is unknown.
  void fail_waiters();

 private:
  boost::asio::awaitable<void> secure();
  boost::asio::awaitable<void> check_policy();
  boost::asio::awaitable<Reply> exchange(const Command& command);
  boost::asio::awaitable<void> read_more();
  template <class Token>
  auto write(const std::string& bytes, Token&& token);
  void on_reply(Reply reply);
  void on_push(const redisReply& reply);
  void flush();
  void watch();

  const std::shared_ptr<const Target> target_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::ip::tcp::socket socket_;
  std::optional<TlsStream> tls_;     // On the socket, from the handshake on.
  boost::asio::steady_timer timer_;  // of `open`, then for the longest silence
  Reader reader_;
  std::string input_;
  std::string output_;  // collects while `sending_` is on its way
  std::string sending_;
  bool writing_ = false;
  std::deque<std::shared_ptr<Waiter>> in_flight_;
  int silent_ = 0;  // Halves of the longest silence that began since the server said something.
  bool closed_ = false;
  std::string why_;
  bool needs_person_ = false;
};

}  // namespace sluice::redis
