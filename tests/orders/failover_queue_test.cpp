#include <gtest/gtest.h>
#include <vector>

#include "sluice/orders/order_queue.hpp"

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_queue.hpp"
#include "support/store_values.hpp"
#include "support/through_dependency.hpp"

namespace sluice {
namespace {

const LaneId kLane{7, 0};

class FailoverQueueTest : public testing::Test {
 protected:
  static BreakerSettings settings() {
    BreakerSettings settings;
    settings.calls_min = 3;
    settings.trials = 2;
    return settings;
  }

  FailoverQueueTest() {
    direct_.decides_at_once = true;
    direct_.receipt = [](const OrderMessage& message) {
      return test::decided(message, OrderStatus::confirmed);
    };
  }

  Result<std::vector<Receipt>> publish() {
    const std::vector<OrderMessage> messages{test::message_of(kLane, test::user_of(1), 1)};
    return loop_.finish(queue_->publish(clock_.ticks() + Millis{1000}, messages));
  }

  void break_the_log() {
    log_.receipt = [](const OrderMessage&) { return test::unacknowledged(); };
    for (int i = 0; i < 3; ++i) publish();
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeQueue log_;
  test::FakeQueue direct_;
  Breaker breaker_{settings()};
  Metrics metrics_;
  Dependency dependency_{{"kafka", "http.queue"}, &breaker_, clock_, metrics_};
  test::ThroughDependency guarded_{log_, dependency_};
  std::unique_ptr<OrderQueue> queue_ = create_failover_queue(guarded_, direct_, breaker_, clock_);
};

TEST_F(FailoverQueueTest, TheLogTakesWhatItCan) {
  EXPECT_EQ(publish()->front().kind, Receipt::Kind::queued);
  EXPECT_FALSE(queue_->decides());
  EXPECT_TRUE(direct_.published.empty());
}

TEST_F(FailoverQueueTest, AnUnacknowledgedMessageIsNotSentTwoWays) {
  log_.receipt = [](const OrderMessage&) { return test::unacknowledged(); };
  EXPECT_EQ(publish()->front().kind, Receipt::Kind::unknown);
  EXPECT_TRUE(direct_.published.empty()) << "it may still arrive; recovery decides it";
}

TEST_F(FailoverQueueTest, WhatWasSurelyNotSentGoesTheDirectWay) {
  log_.on_publish.fail(Errc::unavailable);
  EXPECT_EQ(publish()->front().kind, Receipt::Kind::decided);
  log_.on_publish.fail(Errc::overloaded);
  EXPECT_EQ(publish()->front().kind, Receipt::Kind::decided);
}

TEST_F(FailoverQueueTest, ALogThatFailsIsBypassed) {
  break_the_log();
  const auto calls = log_.on_publish.calls();
  EXPECT_EQ(publish()->front().kind, Receipt::Kind::decided);
  EXPECT_EQ(log_.on_publish.calls(), calls);
  EXPECT_TRUE(queue_->decides());
}

TEST_F(FailoverQueueTest, AfterGoodTrialsTheLogIsBack) {
  break_the_log();
  log_.receipt = nullptr;
  clock_.advance(settings().open_for);
  EXPECT_TRUE(queue_->decides()) << "not yet sure of it";
  EXPECT_EQ(publish()->front().kind, Receipt::Kind::queued);
  EXPECT_EQ(publish()->front().kind, Receipt::Kind::queued);
  EXPECT_FALSE(queue_->decides());
}

TEST_F(FailoverQueueTest, ARefusedMessageSaysNothingAboutTheLog) {
  for (int i = 0; i < 10; ++i) {
    log_.on_publish.fail(Errc::invalid);
    EXPECT_EQ(publish().error(), Errc::invalid);
  }
  EXPECT_EQ(breaker_.state(clock_.ticks()), Breaker::State::closed);
}

TEST_F(FailoverQueueTest, FencesGoIntoTheLogAlone) {
  const Fence fence{kLane, 4};
  EXPECT_TRUE(loop_.finish(queue_->fence(clock_.ticks() + Millis{1000}, fence)));
  EXPECT_EQ(log_.fences, std::vector<Fence>{fence});
  EXPECT_TRUE(direct_.fences.empty());
}

}  // namespace
}  // namespace sluice
