#include "sluice/orders/order_queue.hpp"

#include <gtest/gtest.h>
#include <utility>
#include <vector>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_queue.hpp"
#include "support/store_values.hpp"
#include "support/through_dependency.hpp"

namespace sluice {
namespace {

using State = Breaker::State;

const LaneId kLane{7, 0};

class PublishThroughTest : public testing::Test {
 protected:
  static BreakerSettings settings() {
    BreakerSettings settings;
    settings.calls_min = 4;
    return settings;
  }

  Result<std::vector<Receipt>> publish(std::size_t count = 2) {
    std::vector<OrderMessage> messages;
    for (std::size_t i = 0; i < count; ++i) {
      messages.push_back(test::message_of(kLane, test::user_of(i)));
    }
    return loop_.finish(queue_.publish(Ticks::max(), messages));
  }

  State state() { return breaker_.state(clock_.ticks()); }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeQueue inner_;
  Breaker breaker_{settings()};
  Metrics metrics_;
  Dependency dependency_{{"kafka", "http.queue"}, &breaker_, clock_, metrics_};
  test::ThroughDependency queue_{inner_, dependency_};
};

TEST_F(PublishThroughTest, PassesMessagesAndReceiptsOn) {
  const auto receipts = publish(3);
  ASSERT_TRUE(receipts);
  EXPECT_EQ(receipts->size(), 3U);
  EXPECT_EQ(receipts->at(2).kind, Receipt::Kind::queued);
  EXPECT_EQ(inner_.published.at(0).size(), 3U);
}

TEST_F(PublishThroughTest, OpenItSendsNothing) {
  breaker_.hold(State::open);
  EXPECT_EQ(publish().error(), Errc::unavailable);
  EXPECT_TRUE(inner_.published.empty());
}

TEST_F(PublishThroughTest, AllReceiptsUnknownIsAFailure) {
  inner_.receipt = [](const OrderMessage&) { return test::unacknowledged(); };
  for (int i = 0; i < 4; ++i) {
    const auto receipts = publish();
    ASSERT_TRUE(receipts);
    EXPECT_EQ(receipts->size(), 2U);
    EXPECT_EQ(receipts->front().kind, Receipt::Kind::unknown);
  }
  EXPECT_EQ(state(), State::open);
}

TEST_F(PublishThroughTest, OneAcknowledgedReceiptIsASuccess) {
  for (int i = 0; i < 20; ++i) {
    bool first = true;
    inner_.receipt = [&first](const OrderMessage&) {
      return std::exchange(first, false) ? test::queued() : test::unacknowledged();
    };
    EXPECT_TRUE(publish());
  }
  EXPECT_EQ(state(), State::closed);
}

TEST_F(PublishThroughTest, NothingPublishedIsNoFailure) {
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(publish(0));
  EXPECT_EQ(state(), State::closed);
}

TEST_F(PublishThroughTest, ErrorsOpenIt) {
  inner_.on_publish.fail_always(Errc::overloaded);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(publish().error(), Errc::overloaded);
  EXPECT_EQ(state(), State::open);
}

}  // namespace
}  // namespace sluice
