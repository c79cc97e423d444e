#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "sluice/adapters/redis/redis.hpp"
#include "sluice/base/log.hpp"

#include "adapters/redis/connection.hpp"
#include "adapters/redis/result_message.hpp"
#include "adapters/redis/script.hpp"

namespace sluice {
namespace redis {
namespace {

constexpr Step kAnnounce{"announce"};

class RedisResultFeed final : public ResultFeed {
 public:
  RedisResultFeed(RedisConnection connection, Dependency& dependency, std::string channel)
      : connection_(std::move(connection)), dependency_(dependency), channel_(std::move(channel)) {}

  Task<> announce(Ticks deadline, In<Outcome> outcomes) override {
    for (std::size_t at = 0; at < outcomes.size(); at += kOutcomesMax) {
      const auto part = outcomes.subspan(at, std::min(kOutcomesMax, outcomes.size() - at));
      Command publish;
      publish.add("PUBLISH").add(channel_).add(to_json(part));
      Dependency::Operation<Reply> work = [this, deadline, &publish] {
        return execute(*connection_, deadline, publish);
      };
      const auto reply = co_await dependency_.call<Reply>(kAnnounce, deadline, std::move(work));
      if (reply.has_error()) co_return reply.error();
    }
    co_return Result<void>{};
  }

  void listen(Listener listener) override {
    listener_ = std::move(listener);
    auto receive = [this](std::string_view message) { on_message(message); };
    subscriber_ = connection_->listen({channel_, std::move(receive)});
  }

 private:
  /// Reads what arrives on the channel, which anybody with access to Redis can write to.
  void on_message(std::string_view message) {
    const auto outcomes = parse_outcomes(message);
    if (!outcomes) return complain(message);
    try {
      listener_(*outcomes);
    } catch (const std::exception& e) {
      log().critical("redis: a listener for results failed: {}", e.what());
    }
  }

  /// At most one line a second: whoever writes to the channel must not fill the log.
  void complain(std::string_view message) {
    ++ignored_;
    const auto now = std::chrono::steady_clock::now();
    if (now < quiet_until_) return;
    quiet_until_ = now + std::chrono::seconds(1);
    log().warn("redis: ignored {} malformed result message(s), such as: {}",
               std::exchange(ignored_, 0), printable(message));
  }

  RedisConnection connection_;
  Dependency& dependency_;
  const std::string channel_;
  Listener listener_;
  std::size_t ignored_ = 0;
  std::chrono::steady_clock::time_point quiet_until_{};
  RedisConnection subscriber_;
};

}  // namespace
}  // namespace redis

std::unique_ptr<ResultFeed> create_redis_result_feed(RedisConnection connection,
                                                     Dependency& dependency, std::string channel) {
  return std::make_unique<redis::RedisResultFeed>(std::move(connection), dependency,
                                                  std::move(channel));
}

}  // namespace sluice
