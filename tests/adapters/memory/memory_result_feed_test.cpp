#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "sluice/adapters/memory/memory.hpp"

#include "support/result_feed_contract.hpp"
#include "support/run_on.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

class MemoryFeedWorld final : public ResultFeedWorld {
 public:
  boost::asio::io_context& context() override { return context_; }
  std::unique_ptr<ResultFeed> make_feed() override {
    return create_memory_result_feed(hub_, context_.get_executor());
  }

 private:
  boost::asio::io_context context_{1};
  MemoryResultHub hub_ = create_memory_result_hub();
};

const bool kRegistered =
    register_result_feed_contract({"Memory", [] { return std::make_unique<MemoryFeedWorld>(); }});

Outcome some_outcome() { return confirmed(message_of({1, 0}, user_of(1))); }

TEST(MemoryResultFeed, DeliversOnTheListenersOwnThread) {
  const auto hub = create_memory_result_hub();
  boost::asio::io_context here(1);
  const auto feed = create_memory_result_feed(hub, here.get_executor());
  std::vector<std::thread::id> heard_on;
  feed->listen(
      [&](const std::vector<Outcome>&) { heard_on.push_back(std::this_thread::get_id()); });
  std::thread other([&] {
    boost::asio::io_context there(1);
    const auto sender = create_memory_result_feed(hub, there.get_executor());
    const std::vector<Outcome> news = {some_outcome()};
    for (int i = 0; i < 100; ++i) (void)run_on(there, sender->announce(soon(), news));
  });
  run_until(here, [&] { return heard_on.size() == 100; });
  other.join();
  for (const auto id : heard_on) EXPECT_EQ(id, std::this_thread::get_id());
}

TEST(MemoryResultFeed, DropsNewsThatAListenerDoesNotKeepUpWith) {
  const auto hub = create_memory_result_hub();
  boost::asio::io_context context(1);
  boost::asio::io_context asleep(1);
  const auto sender = create_memory_result_feed(hub, context.get_executor());
  const auto feed = create_memory_result_feed(hub, asleep.get_executor());
  std::size_t heard = 0;
  feed->listen([&](const std::vector<Outcome>& news) { heard += news.size(); });
  const std::vector<Outcome> news = {some_outcome()};
  for (int i = 0; i < 1500; ++i) {
    ASSERT_TRUE(run_on(context, sender->announce(soon(), news)).has_value());
  }
  asleep.run();
  EXPECT_EQ(heard, 1024U);
  ASSERT_TRUE(run_on(context, sender->announce(soon(), news)).has_value());
  asleep.restart();
  asleep.run();
  EXPECT_EQ(heard, 1025U);
}

TEST(MemoryResultFeed, LetsAListenerDestroyItsFeed) {
  const auto hub = create_memory_result_hub();
  boost::asio::io_context context(1);
  auto feed = create_memory_result_feed(hub, context.get_executor());
  int heard = 0;
  feed->listen([&](const std::vector<Outcome>&) {
    ++heard;
    feed.reset();
  });
  const auto sender = create_memory_result_feed(hub, context.get_executor());
  const std::vector<Outcome> news = {some_outcome()};
  ASSERT_TRUE(run_on(context, sender->announce(soon(), news)).has_value());
  run_until(context, [&] { return heard == 1; });
  ASSERT_TRUE(run_on(context, sender->announce(soon(), news)).has_value());
  context.restart();
  context.run();
  EXPECT_EQ(heard, 1);
}

}  // namespace
}  // namespace sluice::test
