#include "sluice/recovery/lane_keeper.hpp"

#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_feed.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_store.hpp"
#include "support/store_values.hpp"

namespace sluice {
namespace {

using test::error_of;

const LaneId kLane{7, 0};

std::string text_of(Errc error) { return make_error_code(error).message(); }

class LaneKeeperTest : public testing::Test {
 protected:
  LaneKeeperTest() {
    sale_.id = kLane.sale;
    sale_.terms = test::draft_of(100);
    sale_.state = SaleState::open;
    store_.lanes[kLane].stock = 100;
    store_.lanes[kLane].window = window_of(sale_);
    make({});
  }

  void make(std::optional<OrderLog> log) {
    keeper_.reset();
    LaneKeeper::Ports ports{inventory_, store_, results_, clock_, metrics_};
    keeper_.emplace(settings_, std::move(log), ports);
  }

  /// A ready lane that agrees with the store.
  void make_ready(Epoch epoch = 1) {
    inventory_.open_lane(kLane, 100, epoch).window = window_of(sale_);
    store_.lanes[kLane].fence = epoch;
  }

  Result<LaneView> keep(bool may_rebuild = true) {
    return loop_.finish(keeper_->keep(kLane, window_of(sale_), may_rebuild));
  }

  Result<std::size_t> decide_overdue() { return loop_.finish(keeper_->decide_overdue(kLane)); }

  OrderMessage reserve(std::uint64_t user, Epoch epoch = 1, std::uint32_t quantity = 1) {
    const auto message = test::message_of(kLane, test::user_of(user), quantity, epoch);
    auto& lane = inventory_.lane(kLane);
    lane.stock -= quantity;
    lane.records[message.user] = {{message.id, OrderStatus::queued, quantity}, clock_.now()};
    return message;
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeInventory inventory_{clock_};
  test::FakeOrderStore store_;
  test::FakeResults results_;
  Metrics metrics_;
  RecoverySettings settings_;
  Sale sale_;
  std::optional<LaneKeeper> keeper_;
};

TEST_F(LaneKeeperTest, AReadyLaneIsLeftAlone) {
  make_ready(3);
  const auto view = keep();
  ASSERT_EQ(error_of(view), "ok");
  EXPECT_EQ(view->epoch, 3U);
  EXPECT_EQ(inventory_.on_set_window.calls(), 0U);
  EXPECT_EQ(inventory_.on_rebuild.calls(), 0U);
  EXPECT_EQ(store_.on_fence.calls(), 0U);
}

TEST_F(LaneKeeperTest, AnotherWindowIsSet) {
  make_ready();
  sale_.state = SaleState::paused;
  ++sale_.revision;
  const auto view = keep(false);
  ASSERT_EQ(error_of(view), "ok");
  EXPECT_EQ(view->window, window_of(sale_));
  EXPECT_EQ(inventory_.lane(kLane).window, window_of(sale_));
  EXPECT_EQ(inventory_.on_rebuild.calls(), 0U);
}

TEST_F(LaneKeeperTest, AWindowOlderThanTheLanesDoesNotUndoIt) {
  const Sale known_before = sale_;
  sale_.state = SaleState::paused;
  ++sale_.revision;
  make_ready();
  ASSERT_EQ(error_of(loop_.finish(keeper_->keep(kLane, window_of(known_before), true))), "ok");
  EXPECT_EQ(inventory_.lane(kLane).window, window_of(sale_));
}

TEST_F(LaneKeeperTest, ALaneThatIsNotReadyWaitsForTheLeader) {
  const auto view = keep(false);
  EXPECT_EQ(error_of(view), text_of(Errc::not_ready));
  EXPECT_EQ(store_.on_fence.calls(), 0U);
  EXPECT_FALSE(inventory_.has(kLane));
}

TEST_F(LaneKeeperTest, TheLeaderBuildsALaneFromTheStore) {
  const auto sold = test::message_of(kLane, test::user_of(1), 2);
  store_.decide(sold);
  const auto view = keep();
  ASSERT_EQ(error_of(view), "ok");
  EXPECT_TRUE(view->ready);
  EXPECT_EQ(view->epoch, 2U) << "one above what the store accepted before";
  EXPECT_EQ(view->stock, 98);
  EXPECT_EQ(view->window, window_of(sale_));
  EXPECT_EQ(store_.lanes[kLane].fence, 2U);
  EXPECT_EQ(inventory_.lane(kLane).records.at(sold.user).order.status, OrderStatus::confirmed);
}

TEST_F(LaneKeeperTest, ARebuildDecidesWhatIsPendingBeforeItFences) {
  make_ready();
  const auto promised = reserve(1, 1, 2);
  inventory_.lane(kLane).ready = false;
  store_.on_fence.before([&] { EXPECT_TRUE(store_.orders.contains(promised.id)); });
  const auto view = keep();
  ASSERT_EQ(error_of(view), "ok");
  EXPECT_EQ(store_.orders.at(promised.id).status, OrderStatus::confirmed);
  EXPECT_EQ(inventory_.lane(kLane).records.at(promised.user).order.status, OrderStatus::confirmed);
  EXPECT_EQ(view->stock, 98);
  EXPECT_EQ(view->pending, 0U);
  EXPECT_EQ(results_.announced, std::vector<Outcome>{test::confirmed(promised)});
  EXPECT_EQ(inventory_.overdue_ages.at(0), Millis{0}) << "whatever its age";
}

TEST_F(LaneKeeperTest, ALostLaneIsRebuiltWhenTheLogIsAppliedThroughItsLoss) {
  make(OrderLog{"orders", 4});
  make_ready();
  inventory_.lane(kLane).ready = false;
  store_.applied = clock_.now() - Millis{1};
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
  EXPECT_EQ(store_.lanes[kLane].fence, 1U) << "orders may be on their way";
  store_.applied = clock_.now();
  ASSERT_EQ(error_of(keep()), "ok");
  EXPECT_EQ(store_.lanes[kLane].fence, 2U);
}

TEST_F(LaneKeeperTest, ALostLaneDoesNotWaitForAStoppedLogForEver) {
  make(OrderLog{"orders", 4});
  make_ready();
  inventory_.lane(kLane).ready = false;
  store_.applied.reset();
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
  clock_.advance(settings_.overdue_age_max);
  EXPECT_EQ(error_of(keep()), "ok");
}

TEST_F(LaneKeeperTest, AFreshLaneDoesNotWaitForTheLog) {
  make(OrderLog{"orders", 4});
  store_.lanes[kLane].fence = 0;
  EXPECT_EQ(error_of(keep()), "ok");
}

TEST_F(LaneKeeperTest, WhatIsPendingIsDecidedInPartsThatTheStoreTakes) {
  make_ready();
  store_.lanes[kLane].stock = 5000;
  for (std::uint64_t i = 0; i < 2500; ++i) reserve(i);
  inventory_.lane(kLane).ready = false;
  ASSERT_EQ(error_of(keep()), "ok");
  EXPECT_EQ(store_.orders.size(), 2500U);
  EXPECT_GE(store_.apply_calls.size(), 2U);
  for (const auto& call : store_.apply_calls) EXPECT_LE(call.messages.size(), 1000U);
}

TEST_F(LaneKeeperTest, WithoutTheStoreNothingIsFenced) {
  make_ready();
  reserve(1);
  inventory_.lane(kLane).ready = false;
  store_.on_apply.fail(Errc::unavailable);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unavailable));
  EXPECT_EQ(store_.on_fence.calls(), 0U);
  inventory_.on_overdue.fail(Errc::unknown);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unknown));
  EXPECT_EQ(store_.on_fence.calls(), 0U);
  EXPECT_EQ(error_of(keep()), "ok");
}

TEST_F(LaneKeeperTest, ALaneBehindTheFenceIsRebuilt) {
  make_ready(3);
  store_.lanes[kLane].fence = 4;
  EXPECT_EQ(error_of(keep(false)), text_of(Errc::not_ready));
  const auto view = keep();
  ASSERT_EQ(error_of(view), "ok");
  EXPECT_EQ(view->epoch, 5U);
}

TEST_F(LaneKeeperTest, ALaneThatIsStillNotReadyAfterARebuildIsNoSuccess) {
  store_.lanes[kLane].window = {};
  sale_ = Sale{};
  inventory_.on_view.before(
      [&] { inventory_.on_view.before([&] { inventory_.lane(kLane).ready = false; }); });
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
}

TEST_F(LaneKeeperTest, FailuresArePassedOn) {
  make_ready();
  inventory_.on_view.fail(Errc::unavailable);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unavailable));
  store_.on_fence_epoch.fail(Errc::unknown);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unknown));
  sale_.state = SaleState::paused;
  ++sale_.revision;
  inventory_.on_set_window.fail(Errc::unavailable);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unavailable));
  inventory_.lane(kLane).ready = false;
  inventory_.on_rebuild.fail(Errc::stale);
  EXPECT_EQ(error_of(keep()), text_of(Errc::stale)) << "another node was quicker";
  store_.on_fence.fail(Errc::unavailable);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unavailable));
  store_.lanes.clear();
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_found));
}

TEST_F(LaneKeeperTest, DecidesOnlyWhatIsOverdue) {
  make_ready();
  const auto old = reserve(1);
  clock_.advance(settings_.overdue_age);
  const auto young = reserve(2);
  const auto decided = decide_overdue();
  ASSERT_EQ(error_of(decided), "ok");
  EXPECT_EQ(*decided, 1U);
  EXPECT_TRUE(store_.orders.contains(old.id));
  EXPECT_FALSE(store_.orders.contains(young.id));
  EXPECT_EQ(inventory_.lane(kLane).records.at(old.user).order.status, OrderStatus::confirmed);
  EXPECT_EQ(results_.announced, std::vector<Outcome>{test::confirmed(old)});
  EXPECT_EQ(*decide_overdue(), 0U);
}

TEST_F(LaneKeeperTest, DecidesAtMostItsBoundInOneStep) {
  settings_.overdue_max = 3;
  make({});
  make_ready();
  for (std::uint64_t i = 0; i < 5; ++i) reserve(i);
  clock_.advance(settings_.overdue_age);
  EXPECT_EQ(*decide_overdue(), 3U);
  EXPECT_EQ(*decide_overdue(), 2U);
  EXPECT_EQ(*decide_overdue(), 0U);
}

TEST_F(LaneKeeperTest, WhatWasAppliedAlreadyIsSettledAgainWithoutChange) {
  make_ready();
  const auto message = reserve(1);
  store_.decide(message);
  clock_.advance(settings_.overdue_age);
  EXPECT_EQ(*decide_overdue(), 1U);
  EXPECT_EQ(store_.lanes[kLane].stock, 99);
  EXPECT_EQ(inventory_.lane(kLane).records.at(message.user).order.status, OrderStatus::confirmed);
}

TEST_F(LaneKeeperTest, OverdueOrdersStayWhenTheStoreDoesNotAnswer) {
  make_ready();
  const auto message = reserve(1);
  clock_.advance(settings_.overdue_age);
  store_.on_apply.fail(Errc::unavailable);
  EXPECT_EQ(error_of(decide_overdue()), text_of(Errc::unavailable));
  EXPECT_EQ(inventory_.lane(kLane).records.at(message.user).order.status, OrderStatus::queued);
  EXPECT_EQ(*decide_overdue(), 1U);
}

class LoggedLaneKeeperTest : public LaneKeeperTest {
 protected:
  LoggedLaneKeeperTest() {
    OrderLog log;
    log.topic = "orders";
    log.partitions = 4;
    make(log);
    make_ready();
  }

  Millis age() {
    EXPECT_EQ(error_of(decide_overdue()), "ok");
    return inventory_.overdue_ages.back();
  }
};

TEST_F(LoggedLaneKeeperTest, WaitsForWhatMayStillBeOnItsWay) {
  store_.applied = clock_.now();
  EXPECT_EQ(age(), settings_.overdue_age);
  store_.applied = clock_.now() - Millis{20'000};
  EXPECT_EQ(age(), Millis{25'000}) << "as far behind as the log, and the clocks' difference";
  store_.applied = clock_.now() + Millis{60'000};
  EXPECT_EQ(age(), settings_.overdue_age) << "never younger than that";
}

TEST_F(LoggedLaneKeeperTest, WaitsNoLongerThanItsBound) {
  store_.applied = TimePoint{};
  EXPECT_EQ(age(), settings_.overdue_age_max);
  store_.applied = std::nullopt;
  EXPECT_EQ(age(), settings_.overdue_age_max) << "a partition nobody has read says nothing";
}

TEST_F(LoggedLaneKeeperTest, WithoutTheLogsTimeNothingIsDecided) {
  reserve(1);
  clock_.advance(std::chrono::hours(1));
  store_.on_applied_through.fail(Errc::unavailable);
  EXPECT_EQ(error_of(decide_overdue()), text_of(Errc::unavailable));
  EXPECT_TRUE(store_.orders.empty());
}

}  // namespace
}  // namespace sluice
