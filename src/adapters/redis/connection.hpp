#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/adapters/redis/redis.hpp"

#include "adapters/redis/protocol.hpp"

namespace sluice::redis {

/// What a connection that only listens listens to.
struct Subscription {
  std::string channel;
  std::function<void(std::string_view message)> on_message;
};

/// One connection to Redis that lives as long as this object: it connects by itself, again with
/// jittered backoff after each loss. hiredis parses; Asio owns the socket and the timers.
class Connection {
 public:
  /// With a subscription, the connection does nothing but deliver its messages. Throws
  /// std::invalid_argument when the URL is bad.
  Connection(boost::asio::any_io_executor executor, RedisSettings settings,
             Subscription subscription = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Sends one command and waits for its reply, which may be an error of Redis. `unavailable`: not
  /// connected, not sent. `overloaded`: not sent. `unknown`: sent, and no reply by `deadline` or
  /// before the connection was lost.
  Task<Reply> call(Ticks deadline, const Command& command);

  /// Waits until the connection serves; `unavailable` when it does not by `deadline`.
  Task<> ready(Ticks deadline);

  const boost::asio::any_io_executor& executor() const noexcept;
  const RedisSettings& settings() const noexcept;

  /// Becomes true when the connection serves for the first time, and stays so. Any thread may read
  /// it, also after the connection's end.
  std::shared_ptr<const std::atomic<bool>> was_up() const noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sluice::redis
