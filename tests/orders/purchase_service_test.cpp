#include "sluice/orders/purchase_service.hpp"

#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

#include "orders/purchase_fixture.hpp"
#include "support/free_permits.hpp"
#include "support/log_spy.hpp"

namespace sluice {
namespace {

using Kind = PurchaseAnswer::Kind;

class PurchaseTest : public test::PurchaseFixture {
 protected:
  ~PurchaseTest() override {
    EXPECT_EQ(test::free_permits(concurrency_), 100U) << "a permit was not given back";
  }

  /// The code of a refusal, or what else the answer is.
  static std::string said(const PurchaseAnswer& answer) {
    switch (answer.kind) {
      case Kind::queued:
        return answer.backlogged ? "backlogged" : "queued";
      case Kind::confirmed:
        return "confirmed";
      case Kind::existing:
        return "existing";
      case Kind::refused:
        break;
    }
    return std::string(problem(answer.refusal.code).name);
  }

  /// One round of upkeep, for views of "sold out".
  void look_after() {
    if (!upkeep_) upkeep_ = loop_.start(views_->upkeep());
    clock_.advance(Millis{50});
    loop_.turn();
  }

  void let_the_store_sell(bool sells) {
    router_.mode.store_lanes.clear();
    if (sells) router_.mode.store_lanes.insert(kLane);
    router_.publish();
  }

  void direct(OrderStatus status, RejectReason reason = RejectReason::none) {
    queue_.decides_at_once = true;
    queue_.receipt = [status, reason](const OrderMessage& message) {
      return test::decided(message, status, reason);
    };
  }

  std::optional<test::Running<bool>> upkeep_;
};

TEST_F(PurchaseTest, GrantedAndPublishedIsQueued) {
  inventory_.open_lane(kLane, 5, 3);
  const auto answer = buy(1, 2);
  ASSERT_EQ(said(answer), "queued");
  EXPECT_EQ(answer.order.status, OrderStatus::queued);
  EXPECT_EQ(answer.order.quantity, 2U);
  EXPECT_TRUE(seal_.authentic(answer.order.id, kLane.sale, test::user_of(1)));

  ASSERT_EQ(queue_.published.size(), 1U);
  OrderMessage expected;
  expected.id = answer.order.id;
  expected.lane = kLane;
  expected.epoch = 3;
  expected.user = test::user_of(1);
  expected.quantity = 2;
  expected.reserved_at = test::FakeClock::kStart;
  EXPECT_EQ(queue_.published[0], std::vector<OrderMessage>{expected});
  EXPECT_EQ(inventory_.lane(kLane).stock, 3);
  EXPECT_TRUE(inventory_.settled.empty());
}

TEST_F(PurchaseTest, TheMessageNamesTheRequest) {
  inventory_.open_lane(kLane, 5);
  auto running = loop_.start(purchases_->buy(sale_, test::user_of(1), 1, "r-1"));
  loop_.turn();
  ASSERT_EQ(said(running.value()), "queued");
  ASSERT_EQ(queue_.published.size(), 1U);
  EXPECT_EQ(queue_.published[0][0].request_id, "r-1");
}

TEST_F(PurchaseTest, WhatIsDecidedAtOnceIsLoggedWithItsRequest) {
  inventory_.open_lane(kLane, 5);
  direct(OrderStatus::rejected, RejectReason::duplicate);
  const test::LogSpy spy;
  auto running = loop_.start(purchases_->buy(sale_, test::user_of(1), 1, "r-1"));
  loop_.turn();
  EXPECT_EQ(said(running.value()), "busy");
  EXPECT_NE(spy.text().find("rejected, duplicate (request r-1)"), std::string::npos) << spy.text();
}

TEST_F(PurchaseTest, HoldsACreditUntilItIsAnswered) {
  inventory_.open_lane(kLane, 5);
  queue_.on_publish.hold();
  const auto running = start(1);
  loop_.turn();
  EXPECT_FALSE(running.done());
  EXPECT_EQ(test::free_permits(concurrency_), 99U);
  queue_.on_publish.let_go();
  loop_.turn();
  EXPECT_TRUE(running.done());
  EXPECT_EQ(test::free_permits(concurrency_), 100U);
}

TEST_F(PurchaseTest, WithoutACreditNothingIsReserved) {
  inventory_.open_lane(kLane, 5);
  std::vector<ConcurrencyLimit::Permit> all;
  for (int i = 0; i < 100; ++i) all.push_back(concurrency_.take());
  const auto answer = buy(1);
  EXPECT_EQ(said(answer), "busy");
  EXPECT_GT(answer.refusal.retry_after, Millis{0});
  EXPECT_EQ(inventory_.on_reserve.calls(), 0U);
}

TEST_F(PurchaseTest, ARetryFindsTheSameOrder) {
  inventory_.open_lane(kLane, 5);
  const auto first = buy(1, 2);
  const auto again = buy(1, 1);
  ASSERT_EQ(said(again), "existing");
  EXPECT_EQ(again.order, first.order);
  EXPECT_EQ(queue_.published.size(), 1U) << "published once";
  EXPECT_EQ(inventory_.lane(kLane).stock, 3);
}

TEST_F(PurchaseTest, DecidedAtOnceIsConfirmedAndSettledBeforeItIsAnswered) {
  inventory_.open_lane(kLane, 5, 3);
  direct(OrderStatus::confirmed);
  inventory_.on_settle.hold();
  const auto running = start(1);
  loop_.turn();
  EXPECT_EQ(inventory_.on_settle.waiting(), 1U);
  EXPECT_FALSE(running.done()) << "a lookup could still find it queued";
  inventory_.on_settle.let_go();
  loop_.turn();
  EXPECT_EQ(said(running.value()), "confirmed");
  EXPECT_EQ(running.value().order.status, OrderStatus::confirmed);
  const auto& record = inventory_.lane(kLane).records.at(test::user_of(1));
  EXPECT_EQ(record.order.status, OrderStatus::confirmed);
  EXPECT_EQ(inventory_.settled.at(0).call.epoch, 3U);
}

TEST_F(PurchaseTest, ADecidedOrderIsConfirmedAlsoWhenSettlingFails) {
  inventory_.open_lane(kLane, 5);
  direct(OrderStatus::confirmed);
  inventory_.on_settle.fail(Errc::unavailable);
  EXPECT_EQ(said(buy(1)), "confirmed");
}

TEST_F(PurchaseTest, ARejectedPhantomIsDroppedAndADuplicateGivenBack) {
  inventory_.open_lane(kLane, 5);
  direct(OrderStatus::rejected, RejectReason::stock);
  EXPECT_EQ(said(buy(1)), "sold_out");
  EXPECT_EQ(inventory_.lane(kLane).stock, 4) << "the unit never was";
  direct(OrderStatus::rejected, RejectReason::duplicate);
  EXPECT_EQ(said(buy(2)), "busy");
  EXPECT_EQ(inventory_.lane(kLane).stock, 4) << "the unit is back";
  EXPECT_FALSE(inventory_.lane(kLane).records.contains(test::user_of(2)));
}

TEST_F(PurchaseTest, APhantomOfSeveralUnitsMeansThatSoManyAreNotLeft) {
  inventory_.open_lane(kLane, 5);
  direct(OrderStatus::rejected, RejectReason::stock);
  const auto answer = buy(1, 2);
  EXPECT_EQ(said(answer), "insufficient_stock") << "one may be left for a smaller wish";
  EXPECT_GT(answer.refusal.retry_after, Millis{0});
  EXPECT_EQ(inventory_.lane(kLane).stock, 3) << "the units never were";
  const auto last = buy(2, 1);
  EXPECT_EQ(said(last), "sold_out");
  EXPECT_EQ(last.refusal.retry_after, Millis{0});
}

TEST_F(PurchaseTest, SettlesUnderTheEpochOfTheReservationAlsoAfterARebuild) {
  inventory_.open_lane(kLane, 5, 3);
  direct(OrderStatus::confirmed);
  queue_.on_publish.hold();
  const auto first = start(1);
  loop_.turn();
  inventory_.open_lane(kLane, 5, 4);
  const auto second = start(2);
  loop_.turn();
  queue_.on_publish.let_go();
  loop_.turn();
  EXPECT_EQ(said(first.value()), "confirmed");
  EXPECT_EQ(said(second.value()), "confirmed");
  ASSERT_EQ(inventory_.settled.size(), 2U);
  EXPECT_EQ(inventory_.settled[0].call.epoch, 3U);
  EXPECT_EQ(inventory_.settled[1].call.epoch, 4U);
}

TEST_F(PurchaseTest, SoldOutIsFinalOnlyWhenNoUnitIsHeld) {
  inventory_.open_lane(kLane, 1);
  EXPECT_EQ(said(buy(1)), "queued");
  const auto for_now = buy(2);
  EXPECT_EQ(said(for_now), "sold_out_for_now");
  EXPECT_GT(for_now.refusal.retry_after, Millis{0});
  inventory_.lane(kLane).records.at(test::user_of(1)).order.status = OrderStatus::confirmed;
  const auto last = buy(3);
  EXPECT_EQ(said(last), "sold_out");
  EXPECT_EQ(last.refusal.retry_after, Millis{0});
}

TEST_F(PurchaseTest, SoldOutIsNeverFinalWhileOrdersMustBePaid) {
  sale_.terms.pay_within = Millis{60'000};
  inventory_.open_lane(kLane, 2);
  direct(OrderStatus::confirmed);
  EXPECT_EQ(said(buy(1)), "confirmed");
  direct(OrderStatus::rejected, RejectReason::stock);
  EXPECT_EQ(said(buy(2)), "sold_out_for_now") << "a phantom";
  const auto by_the_lane = buy(3);
  EXPECT_EQ(said(by_the_lane), "sold_out_for_now") << "a confirmed order may expire";
  EXPECT_GT(by_the_lane.refusal.retry_after, Millis{0});
  look_after();
  const auto calls = inventory_.on_reserve.calls();
  const auto by_the_view = buy(4);
  EXPECT_EQ(said(by_the_view), "sold_out_for_now");
  EXPECT_GT(by_the_view.refusal.retry_after, Millis{0});
  EXPECT_EQ(inventory_.on_reserve.calls(), calls) << "the view still spares the lane";
}

TEST_F(PurchaseTest, FewerUnitsThanAskedForIsItsOwnRefusal) {
  inventory_.open_lane(kLane, 2);
  EXPECT_EQ(said(buy(1, 3)), "insufficient_stock");
  EXPECT_EQ(said(buy(2, 2)), "queued");
}

TEST_F(PurchaseTest, AShutWindowIsNamedByItsPhase) {
  auto& lane = inventory_.open_lane(kLane, 2);
  lane.window.state = SaleState::closed;
  sale_.state = SaleState::closed;
  EXPECT_EQ(said(buy(1)), "sale_closed");
  sale_.state = SaleState::paused;
  const auto paused = buy(1);
  EXPECT_EQ(said(paused), "sale_paused");
  EXPECT_GT(paused.refusal.retry_after, Millis{0});
  sale_.state = SaleState::open;
  EXPECT_EQ(said(buy(1)), "not_ready") << "this node says open and the lane does not";
  sale_.terms.ends_at = clock_.now();
  const auto ended = buy(1);
  EXPECT_EQ(said(ended), "sale_ended");
  EXPECT_EQ(ended.refusal.retry_after, Millis{0});
}

TEST_F(PurchaseTest, BeforeTheStartTheLaneIsNotAsked) {
  inventory_.open_lane(kLane, 2);
  sale_.terms.starts_at = clock_.now() + Millis{3000};
  EXPECT_EQ(said(buy(1)), "sale_not_started");
  EXPECT_EQ(inventory_.on_reserve.calls(), 0U);
  EXPECT_EQ(inventory_.on_view.calls(), 0U);
}

TEST_F(PurchaseTest, AfterTheEndABuyerStillFindsTheOrder) {
  inventory_.open_lane(kLane, 2);
  const auto bought = buy(1);
  inventory_.lane(kLane).window.state = SaleState::closed;
  sale_.state = SaleState::closed;
  const auto again = buy(1);
  EXPECT_EQ(said(again), "existing");
  EXPECT_EQ(again.order.id, bought.order.id);
}

TEST_F(PurchaseTest, TheEpochIsLearnedOnceAndKept) {
  inventory_.open_lane(kLane, 5, 9);
  EXPECT_EQ(said(buy(1)), "queued");
  EXPECT_EQ(said(buy(2)), "queued");
  EXPECT_EQ(inventory_.on_view.calls(), 1U);
}

TEST_F(PurchaseTest, ARebuiltLaneIsLearnedAgainOnceWithIdsOfTheNewEpoch) {
  inventory_.open_lane(kLane, 5, 3);
  EXPECT_EQ(said(buy(1)), "queued");
  inventory_.open_lane(kLane, 5, 4);
  const auto answer = buy(2);
  ASSERT_EQ(said(answer), "queued");
  EXPECT_EQ(answer.order.id.epoch(), 4U);
  EXPECT_EQ(queue_.published.back().at(0).epoch, 4U);
  ASSERT_EQ(inventory_.reserved.size(), 3U);
  EXPECT_EQ(inventory_.reserved[1].at(0).id.epoch(), 3U);
  EXPECT_EQ(inventory_.reserved[2].at(0).id.epoch(), 4U);
}

TEST_F(PurchaseTest, ALaneThatIsNotReadyIsAskedOnlyOnceMore) {
  inventory_.open_lane(kLane, 5, 3);
  EXPECT_EQ(said(buy(1)), "queued");
  inventory_.on_reserve.fail_always(Errc::not_ready);
  const auto answer = buy(2);
  EXPECT_EQ(said(answer), "not_ready");
  EXPECT_GT(answer.refusal.retry_after, Millis{0});
  EXPECT_EQ(inventory_.on_reserve.calls(), 3U);
  inventory_.on_reserve.work_again();
  EXPECT_EQ(said(buy(2)), "queued");
}

TEST_F(PurchaseTest, WithoutAProjectionNothingIsReserved) {
  EXPECT_EQ(said(buy(1)), "not_ready") << "no such lane";
  inventory_.open_lane(kLane, 5).ready = false;
  EXPECT_EQ(said(buy(1)), "not_ready");
  EXPECT_EQ(inventory_.on_reserve.calls(), 0U);
}

TEST_F(PurchaseTest, NoAnswerWhileLearningTheEpochReservesNothing) {
  inventory_.open_lane(kLane, 5);
  for (const auto error : {Errc::unavailable, Errc::unknown}) {
    inventory_.on_view.fail(error);
    EXPECT_EQ(said(buy(1)), "busy");
  }
  EXPECT_EQ(inventory_.on_reserve.calls(), 0U);
}

TEST_F(PurchaseTest, ALostReserveIsAskedAgainWithTheSameIds) {
  inventory_.open_lane(kLane, 5);
  inventory_.on_reserve.fail(Errc::unknown, true);
  const auto answer = buy(1);
  EXPECT_EQ(said(answer), "queued");
  ASSERT_EQ(inventory_.reserved.size(), 2U);
  EXPECT_EQ(inventory_.reserved[0].at(0).id, inventory_.reserved[1].at(0).id);
  EXPECT_EQ(answer.order.id, inventory_.reserved[0].at(0).id);
  EXPECT_EQ(inventory_.lane(kLane).stock, 4) << "reserved once";
}

TEST_F(PurchaseTest, AReserveThatStaysOpenIsOutcomeUnknownAtTheBound) {
  inventory_.open_lane(kLane, 5);
  // Every call takes its whole timeout.
  for (int i = 0; i < 10; ++i) inventory_.on_reserve.fail(Errc::unknown);
  inventory_.on_reserve.hold();
  const auto running = start(1);
  for (int i = 0; i < 5 && !running.done(); ++i) {
    loop_.turn();
    clock_.advance(settings_.reserve_timeout);
    inventory_.on_reserve.let_go();
    inventory_.on_reserve.hold();
    loop_.turn();
  }
  ASSERT_TRUE(running.done());
  EXPECT_EQ(said(running.value()), "outcome_unknown");
  EXPECT_EQ(inventory_.on_reserve.calls(), 2U) << "answer_timeout leaves room for two";
  EXPECT_TRUE(queue_.published.empty());
}

TEST_F(PurchaseTest, NotDoneAfterALostReserveIsStillUnknown) {
  for (const auto later : {Errc::unavailable, Errc::not_ready, Errc::overloaded}) {
    inventory_.open_lane(kLane, 5);
    make();
    inventory_.on_reserve.fail(Errc::unknown, true);
    inventory_.on_reserve.fail(later);
    EXPECT_EQ(said(buy(1)), "outcome_unknown") << make_error_code(later).message();
    EXPECT_EQ(inventory_.lane(kLane).stock, 4);
  }
}

TEST_F(PurchaseTest, AnInventoryThatDoesNotAnswerIsBusy) {
  inventory_.open_lane(kLane, 5);
  inventory_.on_reserve.fail(Errc::unavailable);
  const auto answer = buy(1);
  EXPECT_EQ(said(answer), "busy");
  EXPECT_GT(answer.refusal.retry_after, Millis{0});
  EXPECT_EQ(inventory_.on_reserve.calls(), 1U) << "no hammering";
}

TEST_F(PurchaseTest, AnUnacknowledgedPublishIsQueuedAndSaysSo) {
  inventory_.open_lane(kLane, 5);
  queue_.receipt = [](const OrderMessage&) { return test::unacknowledged(); };
  EXPECT_EQ(said(buy(1)), "backlogged");
  queue_.on_publish.fail(Errc::unavailable);
  EXPECT_EQ(said(buy(2)), "backlogged") << "the pending record holds it";
  EXPECT_TRUE(inventory_.settled.empty()) << "nothing is given back without an outcome";
}

TEST_F(PurchaseTest, AnUnknownOutcomeOfADirectQueueIsNeverPromised) {
  inventory_.open_lane(kLane, 5);
  queue_.decides_at_once = true;
  queue_.receipt = [](const OrderMessage&) { return test::unacknowledged(); };
  const auto answer = buy(1);
  EXPECT_EQ(said(answer), "outcome_unknown");
  EXPECT_GT(answer.refusal.retry_after, Millis{0});
  queue_.on_publish.fail(Errc::unavailable);
  EXPECT_EQ(said(buy(2)), "outcome_unknown");
  EXPECT_TRUE(inventory_.settled.empty());
  EXPECT_EQ(inventory_.lane(kLane).stock, 3) << "recovery decides these two";
}

TEST_F(PurchaseTest, PurchasesThatComeTogetherTravelTogether) {
  inventory_.open_lane(kLane, 100);
  std::vector<test::Running<PurchaseAnswer>> running;
  for (std::uint64_t i = 0; i < 10; ++i) running.push_back(start(i));
  loop_.turn();
  ASSERT_EQ(inventory_.reserved.size(), 1U);
  EXPECT_EQ(inventory_.reserved[0].size(), 10U);
  ASSERT_EQ(queue_.published.size(), 1U);
  EXPECT_EQ(queue_.published[0].size(), 10U);
  for (const auto& one : running) EXPECT_EQ(said(one.value()), "queued");
}

TEST_F(PurchaseTest, BatchesKeepToTheirBound) {
  settings_.batch_max = 4;
  make();
  inventory_.open_lane(kLane, 100);
  std::vector<test::Running<PurchaseAnswer>> running;
  for (std::uint64_t i = 0; i < 10; ++i) running.push_back(start(i));
  loop_.turn();
  ASSERT_EQ(inventory_.reserved.size(), 3U);
  for (const auto& attempts : inventory_.reserved) EXPECT_LE(attempts.size(), 4U);
  for (const auto& one : running) EXPECT_EQ(said(one.value()), "queued");
}

TEST_F(PurchaseTest, LosersAreAnsweredBeforeTheWinnersPublishEnds) {
  inventory_.open_lane(kLane, 1);
  queue_.on_publish.hold();
  const auto winner = start(1);
  const auto loser = start(2);
  loop_.turn();
  EXPECT_FALSE(winner.done());
  ASSERT_TRUE(loser.done());
  EXPECT_EQ(said(loser.value()), "sold_out_for_now");
  queue_.on_publish.let_go();
  loop_.turn();
  EXPECT_EQ(said(winner.value()), "queued");
}

TEST_F(PurchaseTest, ASlowPublishDoesNotDelayTheNextReserve) {
  inventory_.open_lane(kLane, 5);
  queue_.on_publish.hold();
  const auto first = start(1);
  loop_.turn();
  const auto second = start(2);
  loop_.turn();
  EXPECT_EQ(inventory_.on_reserve.calls(), 2U);
  queue_.on_publish.let_go();
  loop_.turn();
  EXPECT_EQ(said(first.value()), "queued");
  EXPECT_EQ(said(second.value()), "queued");
}

TEST_F(PurchaseTest, LanesOfASaleAreReservedApart) {
  sale_.terms.lanes = 4;
  for (std::uint32_t i = 0; i < 4; ++i) inventory_.open_lane({kLane.sale, i}, 100, i + 1);
  std::vector<test::Running<PurchaseAnswer>> running;
  for (std::uint64_t i = 0; i < 40; ++i) running.push_back(start(i));
  loop_.turn();
  EXPECT_EQ(inventory_.reserved.size(), 4U);
  for (std::uint64_t i = 0; i < 40; ++i) {
    const auto lane = lane_of(test::user_of(i), 4);
    const auto& order = running[i].value().order;
    EXPECT_EQ(order.id.lane(), lane);
    EXPECT_EQ(order.id.epoch(), lane + 1);
    EXPECT_TRUE(inventory_.lane({kLane.sale, lane}).records.contains(test::user_of(i)));
  }
}

class SoldOutPurchaseTest : public PurchaseTest {
 protected:
  SoldOutPurchaseTest() {
    inventory_.open_lane(kLane, 1);
    direct(OrderStatus::confirmed);
    EXPECT_EQ(said(buy(1)), "confirmed");
    EXPECT_EQ(said(buy(2)), "sold_out");
    look_after();
    calls_ = inventory_.on_reserve.calls();
  }

  std::size_t calls_ = 0;
};

TEST_F(SoldOutPurchaseTest, TheViewRefusesWithoutAskingTheLane) {
  for (std::uint64_t i = 3; i < 20; ++i) EXPECT_EQ(said(buy(i)), "sold_out");
  EXPECT_EQ(inventory_.on_reserve.calls(), calls_);
}

TEST_F(SoldOutPurchaseTest, AWinnerStillReachesTheOrder) {
  const auto winner = buy(1);
  EXPECT_EQ(said(winner), "existing");
  EXPECT_EQ(winner.order.status, OrderStatus::confirmed);
  EXPECT_EQ(inventory_.on_reserve.calls(), calls_ + 1);
}

TEST_F(SoldOutPurchaseTest, UpkeepKeepsTheViewFresh) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(said(buy(3 + i)), "sold_out");
    look_after();
  }
  EXPECT_EQ(inventory_.on_reserve.calls(), calls_);
  EXPECT_GT(inventory_.on_winners.calls(), 10U);
}

TEST_F(SoldOutPurchaseTest, WithoutNewsTheLaneIsAskedAgain) {
  inventory_.on_winners.fail_always(Errc::unavailable);
  for (int i = 0; i < 30; ++i) look_after();
  EXPECT_EQ(said(buy(3)), "sold_out");
  EXPECT_EQ(inventory_.on_reserve.calls(), calls_ + 1);
}

TEST_F(SoldOutPurchaseTest, AReturnedUnitIsSoldAgain) {
  auto& lane = inventory_.lane(kLane);
  lane.records.clear();
  lane.stock = 1;
  ++lane.version;
  EXPECT_EQ(said(buy(3)), "sold_out") << "not looked at since";
  for (int i = 0; i < 10; ++i) look_after();
  EXPECT_EQ(said(buy(3)), "confirmed");
}

TEST_F(PurchaseTest, AWinnerIsFoundAlsoBetweenSoldOutAndItsWinners) {
  inventory_.open_lane(kLane, 1);
  const auto winner = buy(1);
  EXPECT_EQ(said(buy(2)), "sold_out_for_now");
  const auto again = buy(1);
  EXPECT_EQ(said(again), "existing");
  EXPECT_EQ(again.order.id, winner.order.id);
}

TEST_F(PurchaseTest, TheRouteIsChosenAnewForEachBatch) {
  inventory_.open_lane(kLane, 10);
  EXPECT_EQ(said(buy(1)), "queued");
  direct_.decides_at_once = true;
  direct_.receipt = [](const OrderMessage& message) {
    return test::decided(message, OrderStatus::confirmed);
  };
  other_.open_lane(kLane, 10, 2);
  let_the_store_sell(true);
  const auto answer = buy(2);
  EXPECT_EQ(said(answer), "confirmed") << "under the other one's epoch, learned anew";
  EXPECT_EQ(answer.order.id.epoch(), 2U);
  let_the_store_sell(false);
  EXPECT_EQ(said(buy(3)), "queued");
  EXPECT_EQ(queue_.published.size(), 2U);
}

TEST_F(PurchaseTest, ABatchEndsOnTheRouteItBeganWith) {
  inventory_.open_lane(kLane, 10);
  queue_.on_publish.hold();
  const auto running = start(1);
  loop_.turn();
  let_the_store_sell(true);
  queue_.on_publish.let_go();
  loop_.turn();
  EXPECT_EQ(said(running.value()), "queued");
  EXPECT_TRUE(direct_.published.empty());
}

TEST_F(PurchaseTest, BehindABacklogBuyersAreToldHowLongTheyWait) {
  inventory_.open_lane(kLane, 10);
  router_.mode.backlogged = true;
  router_.mode.wait = Millis{42'000};
  router_.publish();
  const auto answer = buy(1);
  EXPECT_EQ(said(answer), "backlogged");
  EXPECT_EQ(answer.wait, Millis{42'000});
}

TEST_F(PurchaseTest, ALaneBehindTheFenceIsNotReady) {
  inventory_.open_lane(kLane, 10, 2);
  router_.mode.fences[kLane] = 3;
  router_.publish();
  EXPECT_EQ(said(buy(1)), "not_ready") << "what it grants would be refused";
  EXPECT_EQ(inventory_.on_reserve.calls(), 0U);
  inventory_.open_lane(kLane, 10, 3);
  EXPECT_EQ(said(buy(1)), "queued");
}

TEST_F(PurchaseTest, AnOrderThatNoLogHoldsIsNotPromisedAgain) {
  inventory_.open_lane(kLane, 10);
  direct(OrderStatus::confirmed);
  queue_.receipt = [](const OrderMessage&) { return test::unacknowledged(); };
  EXPECT_EQ(said(buy(1)), "outcome_unknown");
  EXPECT_EQ(said(buy(1)), "outcome_unknown");
  queue_.decides_at_once = false;
  EXPECT_EQ(said(buy(1)), "existing");
}

}  // namespace
}  // namespace sluice
