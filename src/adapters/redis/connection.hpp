#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "sluice/adapters/redis/redis.hpp"
#include "sluice/base/random.hpp"

#include "adapters/redis/link.hpp"
#include "adapters/redis/protocol.hpp"

namespace sluice::redis {

/// One connection to Redis: it connects by itself, again with jittered backoff after each loss.
/// hiredis parses; Asio owns the socket and the timers.
class Connection {
 public:
  /// One that ends with its last holder. With a subscription, it does nothing but deliver its
  /// messages. Throws std::invalid_argument when the URL or a file is bad.
  static RedisConnection open(boost::asio::any_io_executor executor, RedisSettings settings,
                              Subscription subscription = {});

  /// Used by `open` alone.
  Connection(boost::asio::any_io_executor executor, std::shared_ptr<const Target> target);

  /// Another one with the same settings, subscribed.
  RedisConnection listen(Subscription subscription) const;

  /// Sends one command and waits for its reply, which may be an error of Redis. `unavailable`: not
  /// connected, not sent. `overloaded`: not sent. `unknown`: sent, and no reply by `deadline` or
  /// before the connection was lost.
  Task<Reply> call(Ticks deadline, const Command& command);

  /// Waits until the connection serves; `unavailable` when it does not by `deadline`.
  Task<> ready(Ticks deadline);

  /// Becomes true when the connection serves for the first time, and stays so. Any thread may read
  /// it, also after the connection's end.
  const std::shared_ptr<std::atomic<bool>> was_up = std::make_shared<std::atomic<bool>>(false);

 private:
  static boost::asio::awaitable<void> run(std::shared_ptr<Connection> self);
  void on_connected();
  void report();
  void stop();

  const boost::asio::any_io_executor executor_;
  const std::shared_ptr<const Target> target_;
  Random random_ = system_random();
  boost::asio::steady_timer pause_;
  std::shared_ptr<Link> link_;
  bool serves_ = false;
  bool stopped_ = false;
  std::vector<std::shared_ptr<Waiter>> until_ready_;
  std::string last_trouble_;
};

}  // namespace sluice::redis
