#include "sluice/recovery/mode_reconciler.hpp"

#include <gtest/gtest.h>
#include <optional>
#include <string>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_store.hpp"

namespace sluice {
namespace {

const LaneId kLane{7, 0};

class ModeReconcilerTest : public testing::Test {
 protected:
  ModeReconcilerTest() { make(OrderLog{"orders", 4}); }

  void make(std::optional<OrderLog> log) {
    keeper_.reset();
    ModeReconciler::Ports ports{store_,
                                flow_,
                                limiter_,
                                direct_,
                                breaker_,
                                [this] { return log_end_; },
                                [this] { return heartbeats_; },
                                clock_,
                                metrics_};
    keeper_.emplace(settings_, Millis{1000}, std::move(log), std::move(ports));
  }

  void update(std::optional<OperatingMode> held = {}, std::unordered_set<LaneId> store_lanes = {}) {
    loop_.finish(
        keeper_->update(held, {store_up_, store_up_}, std::move(store_lanes), {{kLane, 3}}));
  }

  /// Rounds of a second each, in which so many messages come and are applied.
  void run(int seconds, std::int64_t come, std::int64_t applied) {
    for (int i = 0; i < seconds; ++i) {
      clock_.advance(Millis{1000});
      *log_end_ += come;
      auto& position = store_.positions[{"orders", 0}];
      position = std::min(*log_end_, position + applied);
      update();
    }
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeOrderStore store_;
  ModeSnapshot flow_{std::make_shared<ModeState>()};
  RateLimiter limiter_;
  CallMeter direct_;
  Breaker breaker_{BreakerSettings()};
  Metrics metrics_;
  std::optional<std::int64_t> heartbeats_ = 7;
  ModeSettings settings_;
  std::optional<std::int64_t> log_end_ = 0;
  bool store_up_ = true;
  std::optional<ModeReconciler> keeper_;
};

TEST_F(ModeReconcilerTest, ALogThatIsAppliedAsItComesLetsEverybodyIn) {
  run(20, 5000, 5000);
  EXPECT_FALSE(flow_.get()->backlogged);
  EXPECT_FALSE(limiter_.rate());
  EXPECT_EQ(keeper_->mode(), OperatingMode::normal);
  EXPECT_EQ(flow_.get()->fences.at(kLane), 3U);
}

TEST_F(ModeReconcilerTest, ABacklogIsToldAndThrottledUntilItIsWorkedOff) {
  run(10, 5000, 5000);
  run(30, 5000, 1000);
  const auto slow = flow_.get();
  EXPECT_TRUE(slow->backlogged);
  EXPECT_NEAR(static_cast<double>(slow->behind), 120'000, 6'000);
  EXPECT_GE(slow->wait, Millis{60'000}) << "120,000 orders at 1,000 a second";
  ASSERT_TRUE(limiter_.rate());
  EXPECT_LT(*limiter_.rate(), 1500);
  run(60, 0, 5000);
  EXPECT_FALSE(flow_.get()->backlogged);
  EXPECT_FALSE(limiter_.rate());
}

TEST_F(ModeReconcilerTest, WithoutTheStoreTheBacklogGrowsToItsBound) {
  settings_.lag.messages_max = 100'000;
  make(OrderLog{"orders", 4});
  run(5, 5000, 5000);
  store_up_ = false;
  run(15, 5000, 0);
  EXPECT_TRUE(flow_.get()->backlogged);
  EXPECT_GT(limiter_.rate().value_or(0), 0) << "a few are still queued";
  run(10, 5000, 0);
  EXPECT_EQ(limiter_.rate(), 0) << "the bound is reached";
}

TEST_F(ModeReconcilerTest, InADegradedModeTheStoresOwnRateIsTheLimit) {
  update({}, {kLane});
  EXPECT_EQ(keeper_->mode(), OperatingMode::database);
  EXPECT_TRUE(flow_.get()->store_lanes.contains(kLane));
  const auto start = limiter_.rate();
  ASSERT_TRUE(start);
  EXPECT_EQ(*start, settings_.direct.start_per_s);
  for (int i = 0; i < 5; ++i) {
    clock_.advance(Millis{1000});
    direct_.record(1000, false, Millis{900});
    update({}, {kLane});
  }
  EXPECT_LT(*limiter_.rate(), *start) << "it failed";
  update();
  EXPECT_FALSE(limiter_.rate());
}

TEST_F(ModeReconcilerTest, AHeldModeOutweighsTheBreaker) {
  update(OperatingMode::bypass);
  EXPECT_EQ(keeper_->mode(), OperatingMode::bypass);
  EXPECT_TRUE(limiter_.rate());
  update();
  EXPECT_EQ(keeper_->mode(), OperatingMode::normal);
  for (std::uint32_t i = 0; i < BreakerSettings().calls_min; ++i) keeper_->queue_failed();
  EXPECT_EQ(keeper_->mode(), OperatingMode::bypass);
  update(OperatingMode::normal);
  EXPECT_EQ(keeper_->mode(), OperatingMode::normal);
}

TEST_F(ModeReconcilerTest, ChangesOfTheBreakerAreCounted) {
  update();
  for (std::uint32_t i = 0; i < BreakerSettings().calls_min; ++i) keeper_->queue_failed();
  update();
  update();
  const auto text = metrics_.text();
  const std::string name = "sluice_queue_breaker_changes_total";
  EXPECT_NE(text.find(name + "{state=\"open\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find(name + "{state=\"closed\"} 0\n"), std::string::npos);
}

TEST_F(ModeReconcilerTest, ThePastLogTimeHoldsUntilTheStoreTellsALaterOne) {
  EXPECT_FALSE(keeper_->applied_through());
  store_.applied = clock_.now();
  update();
  EXPECT_EQ(keeper_->applied_through(), store_.applied);
  store_.on_progress.fail(Errc::unavailable);
  update();
  EXPECT_EQ(keeper_->applied_through(), store_.applied);
  store_.applied.reset();
  update();
  EXPECT_FALSE(keeper_->applied_through()) << "a partition nobody has read";
}

TEST_F(ModeReconcilerTest, WithoutALogNothingIsEverBacklogged) {
  make({});
  log_end_.reset();
  clock_.advance(Millis{60'000});
  update();
  EXPECT_FALSE(flow_.get()->backlogged);
  EXPECT_FALSE(limiter_.rate());
  EXPECT_EQ(store_.on_progress.calls(), 0U);
}

}  // namespace
}  // namespace sluice
