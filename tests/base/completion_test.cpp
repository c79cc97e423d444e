#include "sluice/base/completion.hpp"

#include <boost/asio/this_coro.hpp>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <thread>

#include "support/event_loop.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

using Text = std::unique_ptr<std::string>;

struct Keep {
  Completion<Text>* into;
  void operator()(Completion<Text> completion) { *into = std::move(completion); }
};

asio::awaitable<Text> wait_for(Completion<Text>* into, std::thread::id* resumed_on, bool* ended) {
  struct Guard {
    bool* flag;
    ~Guard() { *flag = true; }
  } guard{ended};
  Keep keep{into};
  auto text = co_await suspend<Text>(std::move(keep));
  *resumed_on = std::this_thread::get_id();
  co_return text;
}

class CompletionTest : public testing::Test {
 protected:
  test::EventLoop loop_;
  Completion<Text> completion_;
  std::thread::id resumed_on_;
  bool ended_ = false;
};

TEST_F(CompletionTest, ResumesInALaterTurnWithTheValue) {
  auto running = loop_.start(wait_for(&completion_, &resumed_on_, &ended_));
  loop_.turn();
  ASSERT_TRUE(completion_);
  completion_(std::make_unique<std::string>("there"));
  EXPECT_FALSE(completion_) << "it can be called once";
  EXPECT_FALSE(running.done()) << "never within the call";
  loop_.turn();
  EXPECT_EQ(*running.value(), "there");
}

TEST_F(CompletionTest, ResumesOnItsExecutorWhenCalledFromAnotherThread) {
  auto running = loop_.start(wait_for(&completion_, &resumed_on_, &ended_));
  loop_.turn();
  std::thread other([this] { completion_(std::make_unique<std::string>("there")); });
  loop_.context().restart();
  loop_.context().run();
  other.join();
  EXPECT_EQ(*running.value(), "there");
  EXPECT_EQ(resumed_on_, std::this_thread::get_id());
}

TEST_F(CompletionTest, DestroyedUncalledHasItsCoroutineDestroyedOnTheExecutor) {
  auto running = loop_.start(wait_for(&completion_, &resumed_on_, &ended_));
  loop_.turn();
  EXPECT_FALSE(ended_);
  completion_ = Completion<Text>();
  loop_.turn();
  EXPECT_TRUE(ended_);
  EXPECT_FALSE(running.done());
}

TEST_F(CompletionTest, CalledButNeverRunIsDestroyedWithTheLoop) {
  {
    test::EventLoop loop;
    auto running = loop.start(wait_for(&completion_, &resumed_on_, &ended_));
    loop.turn();
    completion_(std::make_unique<std::string>("too late"));
    EXPECT_FALSE(ended_);
  }
  EXPECT_TRUE(ended_);
}

}  // namespace
}  // namespace sluice
