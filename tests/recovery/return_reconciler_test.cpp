#include "sluice/recovery/return_reconciler.hpp"

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
#include "support/fake_transitions.hpp"
#include "support/store_values.hpp"

namespace sluice {
namespace {

using test::error_of;

const LaneId kLane{7, 0};
const LaneId kOther{7, 1};
constexpr Millis kPayWithin{10'000};

class ReturnReconcilerTest : public testing::Test {
 protected:
  ReturnReconcilerTest() {
    for (const auto lane : {kLane, kOther}) {
      store_.lanes[lane].stock = 100;
      inventory_.open_lane(lane, 100);
    }
    make();
  }

  void make() {
    keeper_.reset();
    ReturnReconciler::Ports ports{moves_, lanes_, inventory_, results_, clock_, metrics_};
    keeper_.emplace(settings_, ports);
  }

  /// An order that is confirmed everywhere, to be paid within ten seconds.
  OrderId confirm(LaneId lane, std::uint64_t user, std::uint32_t quantity = 1) {
    const auto message = test::message_of(lane, test::user_of(user), quantity);
    store_.decide(message);
    store_.orders[message.id].pay_by = clock_.now() + kPayWithin;
    auto& projected = inventory_.lane(lane);
    projected.stock -= quantity;
    projected.records[message.user] = {{message.id, OrderStatus::confirmed, quantity},
                                       clock_.now()};
    return message.id;
  }

  void move(OrderId order, Move move) {
    const auto& row = store_.orders.at(order);
    const std::vector<Transition> transitions{{{order, row.lane.sale, row.user}, move}};
    ASSERT_TRUE(loop_.finish(moves_.move({}, transitions)));
  }

  OrderId cancelled(LaneId lane, std::uint64_t user, std::uint32_t quantity = 1) {
    const auto order = confirm(lane, user, quantity);
    move(order, Move::cancel);
    return order;
  }

  Result<std::size_t> expire() { return loop_.finish(keeper_->expire()); }

  /// The lanes that are left.
  std::vector<LaneId> relay(bool inventory_up = true) {
    return loop_.finish(keeper_->relay(inventory_up)).value();
  }

  OrderStatus status_of(OrderId order) { return store_.orders.at(order).status; }
  std::int64_t projected(LaneId lane) { return inventory_.lane(lane).stock; }
  bool says(const std::string& metric) {
    return metrics_.text().find("\n" + metric + "\n") != std::string::npos;
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeInventory inventory_{clock_};
  test::FakeOrderStore store_;
  test::FakeOrderTransitions moves_{store_, clock_};
  test::FakeResults results_;
  Metrics metrics_;
  RecoverySettings settings_;
  test::FakeQueue queue_;
  LaneReconciler lanes_{settings_, {inventory_, queue_, store_, results_, clock_, metrics_}};
  std::optional<ReturnReconciler> keeper_;
};

TEST_F(ReturnReconcilerTest, OrdersThatAreNotPaidInTimeExpireAndAreAnnounced) {
  const auto unpaid = confirm(kLane, 1, 3);
  const auto paid = confirm(kLane, 2);
  move(paid, Move::pay);
  clock_.advance(kPayWithin - Millis{1});
  const auto later = confirm(kOther, 3);
  EXPECT_EQ(*expire(), 0U) << "there is still time";
  clock_.advance(Millis{1});
  EXPECT_EQ(*expire(), 1U);
  EXPECT_EQ(status_of(unpaid), OrderStatus::expired);
  EXPECT_EQ(status_of(paid), OrderStatus::paid);
  EXPECT_EQ(status_of(later), OrderStatus::confirmed);
  const std::vector<Outcome> news{{unpaid, OrderStatus::expired, RejectReason::none}};
  EXPECT_EQ(results_.announced, news);
  EXPECT_EQ(*expire(), 0U);
  EXPECT_TRUE(says("sluice_orders_expired_total 1"));
  EXPECT_EQ(moves_.rows.size(), 1U);
}

TEST_F(ReturnReconcilerTest, OneStepExpiresAtMostTheBoundTheLongestOverdueFirst) {
  settings_.overdue_max = 2;
  make();
  std::vector<OrderId> orders;
  for (std::uint64_t user = 0; user < 3; ++user) {
    orders.push_back(confirm(kLane, user));
    clock_.advance(Millis{1});
  }
  clock_.advance(kPayWithin);
  EXPECT_EQ(*expire(), 2U);
  EXPECT_EQ(status_of(orders[2]), OrderStatus::confirmed);
  EXPECT_EQ(*expire(), 1U);
}

TEST_F(ReturnReconcilerTest, ABoundAboveThePortsIsCut) {
  settings_.overdue_max = 4096;
  make();
  for (std::uint64_t user = 0; user < 1025; ++user) {
    store_.lanes[kLane].stock += 1;
    confirm(kLane, user);
  }
  clock_.advance(kPayWithin);
  EXPECT_EQ(*expire(), 1024U);
  EXPECT_EQ(*expire(), 1U);
}

TEST_F(ReturnReconcilerTest, AnOrderPaidInTheLastMomentIsNotCalledExpired) {
  const auto order = confirm(kLane, 1);
  clock_.advance(kPayWithin);
  moves_.on_move.before([&] { store_.orders[order].status = OrderStatus::paid; });
  EXPECT_EQ(*expire(), 0U);
  EXPECT_TRUE(results_.announced.empty());
  EXPECT_TRUE(says("sluice_orders_expired_total 0"));
}

TEST_F(ReturnReconcilerTest, AnExpiryWithoutAnAnswerIsLeftForTheNextRound) {
  const auto order = confirm(kLane, 1);
  clock_.advance(kPayWithin);
  moves_.on_due.fail(Errc::unavailable);
  EXPECT_EQ(error_of(expire()), make_error_code(Errc::unavailable).message());
  moves_.on_move.fail(Errc::unknown, true);
  EXPECT_EQ(error_of(expire()), make_error_code(Errc::unknown).message());
  EXPECT_EQ(status_of(order), OrderStatus::expired);
  EXPECT_EQ(*expire(), 0U) << "it was done";
}

TEST_F(ReturnReconcilerTest, NewsThatAreLostAreNoError) {
  confirm(kLane, 1);
  clock_.advance(kPayWithin);
  results_.on_announce.fail(Errc::unavailable);
  EXPECT_EQ(*expire(), 1U);
}

TEST_F(ReturnReconcilerTest, ReturnedUnitsReachTheInventoryAndAreForgotten) {
  const auto first = cancelled(kLane, 1, 3);
  const auto second = cancelled(kOther, 2);
  EXPECT_TRUE(relay().empty());
  EXPECT_EQ(projected(kLane), 100);
  EXPECT_EQ(projected(kOther), 100);
  EXPECT_TRUE(inventory_.lane(kLane).records.empty()) << "the user may buy again";
  EXPECT_TRUE(moves_.rows.empty());
  ASSERT_EQ(moves_.relayed_calls.size(), 2U);
  EXPECT_EQ(moves_.relayed_calls[0].orders, std::vector<OrderId>{first});
  EXPECT_EQ(moves_.relayed_calls[1].orders, std::vector<OrderId>{second});
  EXPECT_TRUE(says("sluice_returns_relayed_total 2"));
  EXPECT_TRUE(says("sluice_returns_waiting_lanes 0"));
}

TEST_F(ReturnReconcilerTest, ALongOutboxIsRelayedInSteps) {
  settings_.overdue_max = 10;
  make();
  for (std::uint64_t user = 0; user < 30; ++user) cancelled(kLane, user);
  EXPECT_TRUE(relay().empty());
  EXPECT_EQ(projected(kLane), 100);
  EXPECT_EQ(moves_.relayed_calls.size(), 3U);
}

TEST_F(ReturnReconcilerTest, ARelayThatIsRepeatedGivesNothingBackTwice) {
  cancelled(kLane, 1);
  moves_.on_relayed.fail(Errc::unknown);
  EXPECT_EQ(relay(), std::vector<LaneId>{kLane});
  EXPECT_EQ(projected(kLane), 100);
  EXPECT_TRUE(relay().empty());
  EXPECT_EQ(projected(kLane), 100);
}

TEST_F(ReturnReconcilerTest, AUsersNextOrderIsNotTouchedByTheReturnOfTheFirst) {
  cancelled(kLane, 1);
  inventory_.lane(kLane).records.clear();
  inventory_.lane(kLane).stock = 100;
  confirm(kLane, 1);
  EXPECT_TRUE(relay().empty());
  EXPECT_EQ(projected(kLane), 99);
  EXPECT_EQ(inventory_.lane(kLane).records.size(), 1U);
}

TEST_F(ReturnReconcilerTest, RowsStayWhenTheInventoryDidNotTakeThemForSure) {
  cancelled(kLane, 1);
  inventory_.on_settle.fail(Errc::unknown);
  EXPECT_EQ(relay(), std::vector<LaneId>{kLane});
  EXPECT_EQ(moves_.rows.size(), 1U);
  EXPECT_TRUE(says("sluice_returns_waiting_lanes 1"));
  EXPECT_TRUE(relay().empty());
  EXPECT_EQ(projected(kLane), 100);
}

TEST_F(ReturnReconcilerTest, RowsStayUntilTheInventoryHasTheLaneUnderTheFence) {
  cancelled(kLane, 1);
  store_.lanes[kLane].fence = 2;
  store_.lanes[kLane].newest = 2;
  EXPECT_EQ(relay(), std::vector<LaneId>{kLane}) << "it is behind the fence";
  inventory_.lane(kLane).ready = false;
  EXPECT_EQ(relay(), std::vector<LaneId>{kLane}) << "nobody has it";
  EXPECT_EQ(moves_.rows.size(), 1U);
  inventory_.open_lane(kLane, 100, 2);
  EXPECT_TRUE(relay().empty());
  EXPECT_EQ(projected(kLane), 100) << "the image had the unit";
}

TEST_F(ReturnReconcilerTest, AnImageOlderThanTheReturnGetsTheUnitWhenItIsOpen) {
  const auto order = confirm(kLane, 1);
  store_.lanes[kLane].fence = 2;
  store_.lanes[kLane].newest = 2;
  const auto image = *loop_.finish(whole_image(store_, {}, kLane));
  move(order, Move::cancel);
  inventory_.lane(kLane).ready = false;
  EXPECT_EQ(relay(), std::vector<LaneId>{kLane});
  const Call call{kLane, 2, {}};
  ASSERT_TRUE(loop_.finish(inventory_.stage(call, 0, image.winners)));
  ASSERT_TRUE(loop_.finish(inventory_.rebuild(call, image, image.winners.size())));
  EXPECT_EQ(projected(kLane), 99);
  EXPECT_TRUE(relay().empty());
  EXPECT_EQ(projected(kLane), 100);
}

TEST_F(ReturnReconcilerTest, RowsStayWhileAFenceIsOnItsWay) {
  cancelled(kLane, 1);
  store_.lanes[kLane].newest = 2;
  EXPECT_EQ(relay(), std::vector<LaneId>{kLane});
  EXPECT_EQ(inventory_.on_settle.calls(), 0U);
  EXPECT_TRUE(moves_.relayed_calls.empty());
}

TEST_F(ReturnReconcilerTest, RowsStayWhenAnEpochIsAllottedMeanwhile) {
  cancelled(kLane, 1);
  moves_.on_relayed.before([&] { store_.lanes[kLane].newest = 2; });
  EXPECT_EQ(relay(), std::vector<LaneId>{kLane});
  EXPECT_EQ(moves_.rows.size(), 1U);
}

TEST_F(ReturnReconcilerTest, WhenTheStoreSellsNobodyNeedsToBeTold) {
  cancelled(kLane, 1);
  store_.lanes[kLane].by_store = 1;
  EXPECT_TRUE(relay(false).empty());
  EXPECT_TRUE(moves_.rows.empty());
  EXPECT_EQ(inventory_.on_view.calls(), 0U);
  EXPECT_EQ(inventory_.on_settle.calls(), 0U);
}

TEST_F(ReturnReconcilerTest, AnInventoryThatIsAwayIsNotAsked) {
  cancelled(kLane, 1);
  EXPECT_EQ(relay(false), std::vector<LaneId>{kLane});
  EXPECT_EQ(inventory_.on_view.calls(), 0U);
  EXPECT_TRUE(relay().empty());
}

TEST_F(ReturnReconcilerTest, ABadLaneDoesNotStopTheOthers) {
  cancelled(kLane, 1);
  cancelled(kOther, 2);
  store_.on_head.fail(Errc::unavailable);
  EXPECT_EQ(relay(), std::vector<LaneId>{kLane});
  EXPECT_EQ(projected(kOther), 100);
}

TEST_F(ReturnReconcilerTest, LanesThatWereNotReachedInTimeAreTheFirstOfTheNextRound) {
  cancelled(kLane, 1);
  cancelled(kOther, 2);
  inventory_.on_settle.fail(Errc::unknown);
  inventory_.on_settle.before([&] { clock_.advance(settings_.tick); });
  EXPECT_EQ(relay(), (std::vector<LaneId>{kLane, kOther}));
  EXPECT_EQ(projected(kOther), 99);
  inventory_.on_settle.fail_always(Errc::unknown);
  inventory_.on_settle.before([&] {
    inventory_.on_settle.work_again();
    clock_.advance(settings_.tick);
  });
  EXPECT_EQ(relay(), std::vector<LaneId>{kLane});
  EXPECT_EQ(projected(kOther), 100);
}

TEST_F(ReturnReconcilerTest, AStoreThatDoesNotSayWhatReturnsIsAnError) {
  moves_.on_returning.fail(Errc::unavailable);
  const auto relayed = loop_.finish(keeper_->relay(true));
  EXPECT_EQ(error_of(relayed), make_error_code(Errc::unavailable).message());
}

}  // namespace
}  // namespace sluice
