#include "sluice/recovery/late_reconciler.hpp"

#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_feed.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_queue.hpp"
#include "support/fake_store.hpp"
#include "support/store_values.hpp"

namespace sluice {
namespace {

const LaneId kLane{7, 0};
const LaneId kOther{8, 0};
constexpr Epoch kNow = 3;
constexpr Term kTerm = 5;

class LateReconcilerTest : public testing::Test {
 protected:
  LateReconcilerTest() {
    for (const auto lane : {kLane, kOther}) {
      auto& row = store_.lanes[lane];
      row.stock = 10;
      row.fence = kNow;
      row.newest = kNow;
      inventory_.open_lane(lane, 10, kNow);
    }
    store_.now = clock_.now();
    queue_.decides_at_once = false;
    settings_.missing_after = Millis{12'000};
    make();
  }

  void make() {
    LateReconciler::Ports ports{late_, lanes_, inventory_, queue_, results_, clock_, metrics_};
    reconciler_.emplace(settings_, ports);
  }

  /// An order of an epoch that is over, which the log brought too late.
  OrderMessage parked(std::uint64_t user, std::uint32_t quantity = 1, LaneId lane = kLane) {
    auto message = test::message_of(lane, test::user_of(user), quantity, kNow - 1);
    store_.decide(message);
    return message;
  }

  OrderMessage missing(std::uint64_t user) {
    auto message = test::message_of(kLane, test::user_of(user), 0, kNow - 1);
    store_.late[message.id] = {{message, clock_.now(), next_place_++}};
    return message;
  }

  std::string decide() {
    const auto more = loop_.finish(reconciler_->decide(duty_));
    if (!more) return more.error().message();
    return *more > 0 ? "soon again" : "done";
  }

  std::string state_of(const OrderMessage& message) {
    const std::vector<OrderKey> keys{{message.id, message.lane.sale, message.user}};
    const auto order = loop_.finish(store_.find({}, keys)).value().at(0);
    if (!order) return "unknown";
    return std::string(name(order->status)) + "/" + std::string(name(order->reason));
  }

  /// The user's order as the lane has it.
  OrderView& record(std::uint64_t user, LaneId lane = kLane) {
    return inventory_.lane(lane).records[test::user_of(user)].order;
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeInventory inventory_{clock_};
  test::FakeQueue queue_;
  test::FakeOrderStore store_;
  test::FakeLateOrders late_{store_};
  test::FakeResults results_;
  Metrics metrics_;
  RecoverySettings settings_;
  LaneReconciler lanes_{settings_, {inventory_, queue_, store_, results_, clock_, metrics_}};
  LateReconciler::Duty duty_{kTerm, true, {}};
  std::int64_t next_place_ = 100;
  std::optional<LateReconciler> reconciler_;
};

TEST_F(LateReconcilerTest, ALateOrderIsGrantedAgainUnderItsId) {
  const auto order = parked(1, 2);
  EXPECT_EQ(decide(), "done");
  EXPECT_EQ(state_of(order), "confirmed/none");
  EXPECT_EQ(store_.lanes[kLane].stock, 8);
  EXPECT_EQ(inventory_.lane(kLane).stock, 8);
  EXPECT_EQ(record(1).id, order.id);
  EXPECT_EQ(record(1).status, OrderStatus::confirmed);
  ASSERT_EQ(results_.announced.size(), 1U);
  EXPECT_EQ(results_.announced[0], test::confirmed(order));
  EXPECT_EQ(decide(), "done");
  EXPECT_EQ(inventory_.reserved.size(), 1U) << "nothing is left to ask for";
}

TEST_F(LateReconcilerTest, AlsoWhenTheSaleIsOverOrPaused) {
  const auto order = parked(1);
  inventory_.lane(kLane).window.state = SaleState::closed;
  EXPECT_EQ(decide(), "done");
  EXPECT_EQ(state_of(order), "confirmed/none");
}

TEST_F(LateReconcilerTest, AUserWithAnotherOrderKeepsThatOne) {
  const auto order = parked(1);
  const auto other = test::message_of(kLane, test::user_of(1), 1, kNow);
  record(1) = {other.id, OrderStatus::queued, 1};
  EXPECT_EQ(decide(), "soon again") << "the other one is undecided";
  EXPECT_EQ(state_of(order), "queued/none");
  record(1).status = OrderStatus::confirmed;
  EXPECT_EQ(decide(), "done");
  EXPECT_EQ(state_of(order), "rejected/duplicate");
  EXPECT_EQ(results_.announced.back(), test::rejected(order, RejectReason::duplicate));
}

TEST_F(LateReconcilerTest, WithoutUnitsItIsRefusedOnceNoneCanComeBack) {
  const auto order = parked(1, 2);
  inventory_.lane(kLane).stock = 1;
  record(2) = {test::message_of(kLane, test::user_of(2), 9, kNow).id, OrderStatus::queued, 9};
  EXPECT_EQ(decide(), "soon again");
  EXPECT_EQ(state_of(order), "queued/none");
  record(2).status = OrderStatus::confirmed;
  EXPECT_EQ(decide(), "done");
  EXPECT_EQ(state_of(order), "rejected/stock");
  EXPECT_EQ(store_.lanes[kLane].suspect, 0U);
}

TEST_F(LateReconcilerTest, ALaneThatIsBeingRebuiltIsWaitedForAndOthersAreNot) {
  const auto waits = parked(1);
  const auto other = parked(2, 1, kOther);
  store_.lanes[kLane].newest = kNow + 1;
  EXPECT_EQ(decide(), "soon again");
  EXPECT_EQ(state_of(waits), "queued/none");
  EXPECT_EQ(state_of(other), "confirmed/none");
}

TEST_F(LateReconcilerTest, AnEpochThatEndsMeanwhileGrantsNothing) {
  const auto order = parked(1);
  inventory_.on_reserve.before([&] { store_.lanes[kLane].fence = kNow + 1; });
  decide();
  EXPECT_EQ(state_of(order), "queued/none");
  EXPECT_EQ(store_.lanes[kLane].stock, 10);
}

TEST_F(LateReconcilerTest, WhereTheStoreSellsItDecidesItself) {
  const auto order = parked(1, 2);
  const auto large = parked(2, 9);
  store_.lanes[kLane].by_store = kNow;
  duty_.inventory_up = false;
  EXPECT_EQ(decide(), "done");
  EXPECT_EQ(state_of(order), "confirmed/none");
  EXPECT_EQ(state_of(large), "rejected/stock");
  EXPECT_TRUE(inventory_.reserved.empty());
}

TEST_F(LateReconcilerTest, ALostAnswerIsAskedForAgain) {
  const auto order = parked(1);
  store_.on_apply.fail(Errc::unknown, true);
  EXPECT_EQ(decide(), "soon again");
  EXPECT_EQ(state_of(order), "confirmed/none");
  EXPECT_EQ(record(1).status, OrderStatus::queued) << "for recovery to settle";
  EXPECT_EQ(inventory_.lane(kLane).stock, 9);
  const auto overdue = loop_.finish(inventory_.overdue({kLane, 0, {}}, Millis{0}, 10)).value();
  ASSERT_EQ(overdue.size(), 1U);
  EXPECT_EQ(overdue[0].epoch, kNow) << "the epoch that granted it, not the one of its id";
}

TEST_F(LateReconcilerTest, AMissingOrderIsGivenUpOnceItsMessageCannotCome) {
  const auto order = missing(1);
  const auto late = clock_.now() + Millis{17'000};
  EXPECT_EQ(decide(), "done");
  clock_.advance(Millis{17'000});
  EXPECT_EQ(decide(), "done");
  EXPECT_EQ(state_of(order), "queued/none") << "it is not known how far the log is applied";
  duty_.through = late - Millis{1};
  decide();
  EXPECT_EQ(state_of(order), "queued/none");
  duty_.through = late;
  decide();
  EXPECT_EQ(state_of(order), "rejected/fenced");
  EXPECT_EQ(inventory_.reserved.size(), 0U);
}

TEST_F(LateReconcilerTest, WithoutALogOnlyTheTimeCounts) {
  const auto order = missing(1);
  queue_.decides_at_once = true;
  clock_.advance(Millis{16'999});
  decide();
  EXPECT_EQ(state_of(order), "queued/none");
  clock_.advance(Millis{1});
  decide();
  EXPECT_EQ(state_of(order), "rejected/fenced");
}

TEST_F(LateReconcilerTest, OneThatLedBeforeRefusesNobody) {
  const auto order = parked(1);
  inventory_.lane(kLane).stock = 0;
  store_.term = kTerm + 1;
  EXPECT_EQ(decide(), "soon again");
  EXPECT_EQ(state_of(order), "queued/none");
}

TEST_F(LateReconcilerTest, ThoseThatWaitHideNoOthers) {
  settings_.overdue_max = 2;
  make();
  std::vector<OrderMessage> orders;
  for (std::uint64_t user = 1; user <= 2; ++user) orders.push_back(parked(user));
  for (std::uint64_t user = 3; user <= 5; ++user) orders.push_back(parked(user, 1, kOther));
  store_.lanes[kLane].newest = kNow + 1;
  for (int round = 0; round < 3; ++round) decide();
  for (const auto& order : orders) {
    EXPECT_EQ(state_of(order), order.lane == kLane ? "queued/none" : "confirmed/none");
  }
  store_.lanes[kLane].newest = kNow;
  for (int round = 0; round < 3; ++round) decide();
  EXPECT_EQ(state_of(orders[0]), "confirmed/none");
}

TEST_F(LateReconcilerTest, AStoreThatFailsIsAskedAgain) {
  const auto order = parked(1);
  late_.on_undecided.fail(Errc::unavailable);
  EXPECT_EQ(decide(), test::error_of(Result<void>(Errc::unavailable)));
  EXPECT_EQ(decide(), "done");
  EXPECT_EQ(state_of(order), "confirmed/none");
}

}  // namespace
}  // namespace sluice
