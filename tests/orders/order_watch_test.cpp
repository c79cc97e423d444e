#include "sluice/orders/order_watch.hpp"

#include <gtest/gtest.h>
#include <vector>

#include "support/event_loop.hpp"
#include "support/store_values.hpp"

namespace sluice {
namespace {

constexpr Ticks kStart{std::chrono::hours(1)};
const LaneId kLane{1, 0};

class OrderWatchTest : public testing::Test {
 protected:
  test::Running<bool> wait_for(OrderId id, Millis patience) {
    auto running = loop_.start(watch_.changed(id, kStart + patience));
    loop_.turn();
    return running;
  }

  test::EventLoop loop_;
  OrderWatch watch_{3};
  OrderMessage one_ = test::message_of(kLane, test::user_of(1));
  OrderMessage two_ = test::message_of(kLane, test::user_of(2));
};

TEST_F(OrderWatchTest, NewsWakesWhoWaitsForThatOrderAlone) {
  const auto first = wait_for(one_.id, Millis{1000});
  const auto also_first = wait_for(one_.id, Millis{1000});
  const auto second = wait_for(two_.id, Millis{1000});
  EXPECT_EQ(watch_.waiting(), 3U);
  watch_.news({test::confirmed(one_), test::confirmed(one_)});
  loop_.turn();
  EXPECT_TRUE(first.done());
  EXPECT_TRUE(also_first.done());
  EXPECT_FALSE(second.done());
  EXPECT_EQ(watch_.waiting(), 1U);
}

TEST_F(OrderWatchTest, NewsThatNobodyWaitsForIsForgotten) {
  watch_.news({test::confirmed(one_)});
  const auto late = wait_for(one_.id, Millis{1000});
  EXPECT_FALSE(late.done());
}

TEST_F(OrderWatchTest, SweepWakesExactlyThoseWhoseTimeIsOver) {
  const auto shorter = wait_for(one_.id, Millis{100});
  const auto longer = wait_for(one_.id, Millis{101});
  watch_.sweep(kStart + Millis{99});
  loop_.turn();
  EXPECT_FALSE(shorter.done());
  watch_.sweep(kStart + Millis{100});
  loop_.turn();
  EXPECT_TRUE(shorter.done());
  EXPECT_FALSE(longer.done());
  watch_.sweep(kStart + Millis{5000});
  loop_.turn();
  EXPECT_TRUE(longer.done());
  EXPECT_EQ(watch_.waiting(), 0U);
}

TEST_F(OrderWatchTest, SweepWakesWhoseClientIsGone) {
  bool gone = false;
  auto leaves = loop_.start(watch_.changed(one_.id, kStart + Millis{9000}, {Millis{9000}, &gone}));
  const auto stays = wait_for(one_.id, Millis{9000});
  watch_.sweep(kStart);
  loop_.turn();
  EXPECT_FALSE(leaves.done());
  gone = true;
  watch_.sweep(kStart);
  loop_.turn();
  EXPECT_TRUE(leaves.done());
  EXPECT_FALSE(stays.done());
  EXPECT_EQ(watch_.waiting(), 1U) << "its place is free";
}

TEST_F(OrderWatchTest, IsFullAtItsBound) {
  std::vector<test::Running<bool>> waiting;
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(watch_.full());
    waiting.push_back(wait_for(one_.id, Millis{100}));
  }
  EXPECT_TRUE(watch_.full());
  watch_.news({test::confirmed(one_)});
  EXPECT_FALSE(watch_.full());
  loop_.turn();
  EXPECT_TRUE(waiting.back().done());
}

TEST_F(OrderWatchTest, WhoeverIsWokenMayWaitAgainAtOnce) {
  const auto first = wait_for(one_.id, Millis{100});
  watch_.news({test::confirmed(one_)});
  const auto again = wait_for(one_.id, Millis{100});
  EXPECT_TRUE(first.done());
  EXPECT_FALSE(again.done());
  EXPECT_EQ(watch_.waiting(), 1U);
}

}  // namespace
}  // namespace sluice
