#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "sluice/base/hash.hpp"

#include "redis_support.hpp"
#include "support/result_feed_contract.hpp"
#include "support/run_on.hpp"
#include "support/store_values.hpp"
#include "support/test_dependency.hpp"

namespace sluice::test {
namespace {

/// Feeds on connections of their own, as different nodes have them.
class RedisFeedWorld final : public ResultFeedWorld {
 public:
  explicit RedisFeedWorld(std::string url) : url_(std::move(url)) {}
  ~RedisFeedWorld() override {
    context_.restart();
    context_.poll();
  }

  boost::asio::io_context& context() override { return context_; }

  std::unique_ptr<ResultFeed> make_feed() override {
    const auto connection = connect_redis(context_.get_executor(), settings_of(url_));
    if (!run_on(context_, ping(connection, soon()))) throw std::runtime_error("no Redis");
    return create_redis_result_feed(connection, redis_dependency(), channel_);
  }

  const std::string& channel() const { return channel_; }

 private:
  std::string url_;
  std::string channel_ = "seckill:test:" + random_hex(8);
  boost::asio::io_context context_{1};
};

const bool kRegistered = register_result_feed_contract(
    {"Redis", [] { return std::make_unique<RedisFeedWorld>(shared_redis_url()); }});

Outcome outcome_of(std::uint64_t user) { return confirmed(message_of({1, 0}, user_of(user))); }

class RedisResultFeed : public testing::Test {
 protected:
  void announce(const Outcome& outcome) {
    const std::vector<Outcome> news = {outcome};
    ASSERT_EQ(error_of(run_on(world_.context(), sender_->announce(soon(), news))), "ok");
  }

  /// Announces until it is heard.
  void insist(const Outcome& outcome) {
    run_until(world_.context(), [&] {
      if (!heard_.empty() && heard_.back() == outcome) return true;
      const std::vector<Outcome> news = {outcome};
      (void)run_on(world_.context(), sender_->announce(soon(), news));
      return false;
    });
  }

  void listen() {
    receiver_->listen([this](const std::vector<Outcome>& news) {
      heard_.insert(heard_.end(), news.begin(), news.end());
    });
    insist(outcome_of(0));
  }

  PrivateRedis server_;
  RedisFeedWorld world_{server_.url()};
  std::unique_ptr<ResultFeed> sender_ = world_.make_feed();
  std::unique_ptr<ResultFeed> receiver_ = world_.make_feed();
  std::vector<Outcome> heard_;
};

TEST_F(RedisResultFeed, IgnoresWhatAStrangerPublishes) {
  listen();
  const auto last = outcome_of(1);
  const auto id = last.id.text();
  RedisAdmin stranger(server_.url());
  const std::vector<std::string> nonsense = {
      "",
      "null",
      std::string("\0\xff\r\n\x1b[31m", 9),
      "{\"v\":1}",
      "{\"v\":2,\"outcomes\":[[\"" + id + "\",\"confirmed\"]]}",
      "{\"v\":1,\"outcomes\":[[\"" + id + "\",\"bought\"]]}",
      "{\"v\":1,\"outcomes\":[[\"not-an-id\",\"confirmed\"]]}",
      "{\"v\":1,\"outcomes\":[[\"" + id + "\"]]}",
      std::string(1 << 20, '['),
  };
  for (const auto& message : nonsense) {
    ASSERT_EQ(stranger.ask({"PUBLISH", world_.channel(), message}), "1");
  }
  announce(last);
  run_until(world_.context(), [&] { return heard_.back() == last; });
  for (const auto& outcome : heard_) EXPECT_EQ(outcome.status, OrderStatus::confirmed);
}

TEST_F(RedisResultFeed, SubscribesAgainAfterALoss) {
  listen();
  RedisAdmin admin(server_.url());
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(admin.ask({"CLIENT", "KILL", "TYPE", "pubsub"}), "1");
    insist(outcome_of(2));
  }
}

TEST_F(RedisResultFeed, SaysWhenItCannotAnnounce) {
  server_.stop();
  const std::vector<Outcome> news = {outcome_of(1)};
  run_until(world_.context(), [&] {
    const auto announced = run_on(world_.context(), sender_->announce(soon(), news));
    return !announced && announced.error() == Errc::unavailable;
  });
}

}  // namespace
}  // namespace sluice::test
