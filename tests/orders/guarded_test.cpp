#include "sluice/orders/guarded.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_queue.hpp"
#include "support/store_values.hpp"

namespace sluice {
namespace {

using test::error_of;
using State = Breaker::State;

const LaneId kLane{7, 0};

BreakerSettings settings() {
  BreakerSettings settings;
  settings.calls_min = 4;
  settings.failure_ratio = 0.5;
  settings.slow = Millis{100};
  settings.slow_ratio = 0.5;
  settings.trials = 1;
  return settings;
}

const std::string kUnavailable = make_error_code(Errc::unavailable).message();

class GuardedTest : public testing::Test {
 protected:
  State state() { return breaker_.state(clock_.ticks()); }

  test::EventLoop loop_;
  test::FakeClock clock_;
  Breaker breaker_{settings()};
};

class GuardedInventoryTest : public GuardedTest {
 protected:
  GuardedInventoryTest() { inner_.open_lane(kLane, 100); }

  Result<ReserveReply> reserve(std::uint64_t user) {
    const auto name = test::user_of(user);
    const std::vector<Attempt> attempts{{test::message_of(kLane, name).id, name, 1}};
    return loop_.finish(inventory_->reserve(call_, attempts));
  }

  /// Reserve calls that the inner inventory does not answer for `took`.
  void slow_call(Millis took) {
    inner_.on_view.hold();
    auto running = loop_.start(inventory_->view(call_));
    loop_.turn();
    clock_.advance(took);
    inner_.on_view.let_go();
    loop_.turn();
    ASSERT_TRUE(running.done());
  }

  test::FakeInventory inner_{clock_};
  std::unique_ptr<Inventory> inventory_ = create_guarded_inventory(inner_, breaker_, clock_);
  Call call_{kLane, 1, Ticks::max()};
};

TEST_F(GuardedInventoryTest, PassesCallsAndAnswersOn) {
  const auto reply = reserve(1);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->reservations.at(0).verdict, Verdict::granted);
  const std::vector<UserId> users{test::user_of(1)};
  const auto found = loop_.finish(inventory_->find(call_, users));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->at(0).has_value());
  EXPECT_EQ(loop_.finish(inventory_->view(call_))->stock, 99);
  EXPECT_EQ(loop_.finish(inventory_->winners(call_))->users, users);
  EXPECT_EQ(loop_.finish(inventory_->overdue(call_, Millis{0}, 10))->size(), 1U);
}

TEST_F(GuardedInventoryTest, OpenItCallsNothing) {
  breaker_.hold(State::open);
  const std::vector<UserId> users{test::user_of(1)};
  const std::vector<Settlement> settlements;
  LaneImage image;
  image.lane = kLane;
  EXPECT_EQ(error_of(reserve(1)), kUnavailable);
  EXPECT_EQ(error_of(loop_.finish(inventory_->settle(call_, settlements))), kUnavailable);
  EXPECT_EQ(error_of(loop_.finish(inventory_->find(call_, users))), kUnavailable);
  EXPECT_EQ(error_of(loop_.finish(inventory_->view(call_))), kUnavailable);
  EXPECT_EQ(error_of(loop_.finish(inventory_->winners(call_))), kUnavailable);
  EXPECT_EQ(error_of(loop_.finish(inventory_->overdue(call_, Millis{0}, 1))), kUnavailable);
  EXPECT_EQ(error_of(loop_.finish(inventory_->close(call_))), kUnavailable);
  EXPECT_EQ(error_of(loop_.finish(inventory_->rebuild(call_, image))), kUnavailable);
  EXPECT_EQ(error_of(loop_.finish(inventory_->set_window(call_, LaneWindow{}))), kUnavailable);
  for (const auto* step :
       {&inner_.on_reserve, &inner_.on_settle, &inner_.on_find, &inner_.on_view, &inner_.on_winners,
        &inner_.on_overdue, &inner_.on_rebuild, &inner_.on_set_window}) {
    EXPECT_EQ(step->calls(), 0U);
  }
}

TEST_F(GuardedInventoryTest, FailuresOpenIt) {
  for (const auto error : {Errc::unavailable, Errc::unknown, Errc::overloaded, Errc::internal}) {
    EXPECT_EQ(state(), State::closed);
    inner_.on_reserve.fail(error);
    EXPECT_EQ(error_of(reserve(1)), make_error_code(error).message()) << "passed on as it is";
  }
  EXPECT_EQ(state(), State::open);
  EXPECT_EQ(inner_.on_reserve.calls(), 4U);
  EXPECT_EQ(error_of(reserve(1)), kUnavailable);
  EXPECT_EQ(inner_.on_reserve.calls(), 4U);
}

TEST_F(GuardedInventoryTest, AnswersOfAWorkingServiceDoNotOpenIt) {
  for (int round = 0; round < 10; ++round) {
    for (const auto error : {Errc::not_ready, Errc::stale, Errc::not_found, Errc::invalid}) {
      inner_.on_view.fail(error);
      EXPECT_EQ(error_of(loop_.finish(inventory_->view(call_))), make_error_code(error).message());
    }
  }
  EXPECT_EQ(state(), State::closed);
}

TEST_F(GuardedInventoryTest, SlowAnswersOpenIt) {
  for (int i = 0; i < 4; ++i) slow_call(Millis{100});
  EXPECT_EQ(state(), State::closed);
  for (int i = 0; i < 4; ++i) slow_call(Millis{101});
  EXPECT_EQ(state(), State::open);
}

TEST_F(GuardedInventoryTest, ALongRebuildIsNotSlow) {
  LaneImage image;
  image.lane = kLane;
  for (Epoch epoch = 2; epoch < 12; ++epoch) {
    image.epoch = epoch;
    inner_.on_rebuild.hold();
    auto running = loop_.start(inventory_->rebuild(call_, image));
    loop_.turn();
    clock_.advance(Millis{5000});
    inner_.on_rebuild.let_go();
    loop_.turn();
    ASSERT_TRUE(running.value());
  }
  EXPECT_EQ(state(), State::closed);
}

TEST_F(GuardedInventoryTest, AnExceptionIsAFailureAndPassesOn) {
  for (int i = 0; i < 4; ++i) {
    inner_.on_view.before([] { throw std::runtime_error("broken"); });
    EXPECT_THROW(loop_.finish(inventory_->view(call_)), std::runtime_error);
  }
  EXPECT_EQ(state(), State::open);
}

TEST_F(GuardedInventoryTest, ATrialThatSucceedsClosesIt) {
  inner_.on_view.fail_always(Errc::unavailable);
  for (int i = 0; i < 4; ++i) loop_.finish(inventory_->view(call_));
  ASSERT_EQ(state(), State::open);
  inner_.on_view.work_again();
  clock_.advance(settings().open_for);
  EXPECT_TRUE(loop_.finish(inventory_->view(call_)));
  EXPECT_EQ(state(), State::closed);
}

class GuardedQueueTest : public GuardedTest {
 protected:
  Result<std::vector<Receipt>> publish(std::size_t count = 2) {
    std::vector<OrderMessage> messages;
    for (std::size_t i = 0; i < count; ++i) {
      messages.push_back(test::message_of(kLane, test::user_of(i)));
    }
    return loop_.finish(queue_->publish(Ticks::max(), messages));
  }

  test::FakeQueue inner_;
  CallMeter meter_;
  std::unique_ptr<OrderQueue> queue_ = create_guarded_queue(inner_, &breaker_, &meter_, clock_);
};

TEST_F(GuardedQueueTest, PassesMessagesAndReceiptsOn) {
  const auto receipts = publish(3);
  ASSERT_TRUE(receipts);
  EXPECT_EQ(receipts->size(), 3U);
  EXPECT_EQ(receipts->at(2).kind, Receipt::Kind::queued);
  EXPECT_EQ(inner_.published.at(0).size(), 3U);
  EXPECT_FALSE(queue_->decides());
  inner_.decides_at_once = true;
  EXPECT_TRUE(queue_->decides());
  EXPECT_TRUE(loop_.finish(queue_->fence(Ticks::max(), Fence{kLane, 2})));
}

TEST_F(GuardedQueueTest, OpenItSendsNothing) {
  breaker_.hold(State::open);
  EXPECT_EQ(error_of(publish()), kUnavailable);
  EXPECT_EQ(error_of(loop_.finish(queue_->fence(Ticks::max(), Fence{kLane, 2}))), kUnavailable);
  EXPECT_TRUE(inner_.published.empty());
  EXPECT_EQ(meter_.take().calls, 0U);
}

TEST_F(GuardedQueueTest, AllReceiptsUnknownIsAFailure) {
  inner_.receipt = [](const OrderMessage&) {
    return test::unacknowledged();
  };
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(publish());
  EXPECT_EQ(state(), State::open);
}

TEST_F(GuardedQueueTest, OneAcknowledgedReceiptIsASuccess) {
  for (int i = 0; i < 20; ++i) {
    bool first = true;
    inner_.receipt = [&first](const OrderMessage&) {
      return std::exchange(first, false) ? test::queued() : test::unacknowledged();
    };
    EXPECT_TRUE(publish());
  }
  EXPECT_EQ(state(), State::closed);
}

TEST_F(GuardedQueueTest, NothingPublishedIsNoFailure) {
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(publish(0));
  EXPECT_EQ(state(), State::closed);
}

TEST_F(GuardedQueueTest, ErrorsOpenIt) {
  inner_.on_publish.fail_always(Errc::overloaded);
  for (int i = 0; i < 4; ++i) publish();
  EXPECT_EQ(state(), State::open);
}

TEST_F(GuardedQueueTest, MetersWhatWasTaken) {
  inner_.on_publish.hold();
  const std::vector<OrderMessage> messages{test::message_of(kLane, test::user_of(1)),
                                           test::message_of(kLane, test::user_of(2))};
  const auto running = loop_.start(queue_->publish(Ticks::max(), messages));
  loop_.turn();
  clock_.advance(Millis{40});
  inner_.on_publish.let_go();
  loop_.turn();
  ASSERT_TRUE(running.value());
  inner_.on_publish.fail(Errc::unavailable);
  publish();

  const auto sample = meter_.take();
  EXPECT_EQ(sample.calls, 2U);
  EXPECT_EQ(sample.failures, 1U);
  EXPECT_EQ(sample.orders, 2U);
  EXPECT_EQ(sample.latency, Millis{40});
}

TEST_F(GuardedQueueTest, WorksWithoutBreakerAndMeter) {
  const auto bare = create_guarded_queue(inner_, nullptr, nullptr, clock_);
  inner_.on_publish.fail_always(Errc::unavailable);
  const std::vector<OrderMessage> messages{test::message_of(kLane, test::user_of(1))};
  for (int i = 0; i < 10; ++i) loop_.finish(bare->publish(Ticks::max(), messages));
  EXPECT_EQ(inner_.on_publish.calls(), 10U);
  EXPECT_TRUE(loop_.finish(bare->fence(Ticks::max(), Fence{kLane, 2})));
}

}  // namespace
}  // namespace sluice
