#include "sluice/base/at_once.hpp"

#include <gtest/gtest.h>
#include <stdexcept>
#include <vector>

#include "support/event_loop.hpp"
#include "support/fake_step.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

class AtOnceTest : public testing::Test {
 protected:
  test::Running<bool> start(std::size_t count, std::size_t limit) {
    auto work = [this](std::size_t i) { return work_on(i); };
    auto running = loop_.start(at_once(count, limit, std::move(work)));
    loop_.turn();
    return running;
  }

  asio::awaitable<void> work_on(std::size_t i) {
    begun_.push_back(i);
    const auto fault = co_await step_.enter();
    if (fault) throw std::runtime_error("no");
    done_.push_back(i);
  }

  test::EventLoop loop_;
  test::FakeStep step_;
  std::vector<std::size_t> begun_;
  std::vector<std::size_t> done_;
};

TEST_F(AtOnceTest, NothingIsDoneAtOnce) { EXPECT_TRUE(start(0, 4).done()); }

TEST_F(AtOnceTest, SoManyAreUnderWayAndNoMoreInTheirOrder) {
  step_.hold();
  const auto running = start(5, 2);
  EXPECT_EQ(begun_, (std::vector<std::size_t>{0, 1}));
  step_.let_go();
  loop_.turn();
  EXPECT_TRUE(running.done());
  EXPECT_EQ(begun_, (std::vector<std::size_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(done_.size(), 5U);
}

TEST_F(AtOnceTest, AFailureIsThrownWhenTheOthersHaveEnded) {
  step_.hold();
  step_.fail(Errc::unavailable);
  const auto running = start(4, 2);
  EXPECT_FALSE(running.done());
  step_.let_go();
  loop_.turn();
  EXPECT_THROW(running.value(), std::runtime_error);
  EXPECT_EQ(done_, (std::vector<std::size_t>{1, 2, 3}));
}

TEST_F(AtOnceTest, OneThatIsGivenUpLeavesNothingBehind) {
  step_.hold();
  start(3, 3);
  EXPECT_EQ(begun_.size(), 3U);
}

}  // namespace
}  // namespace sluice
