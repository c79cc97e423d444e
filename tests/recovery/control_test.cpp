#include <gtest/gtest.h>

#include "control_fixture.hpp"

namespace sluice {
namespace {

class ControlTest : public test::ControlFixture {};

TEST_F(ControlTest, ARoundPublishesTheSalesWithoutDrafts) {
  const auto draft = add_sale(SaleState::draft);
  const auto open = add_sale(SaleState::open);
  const auto closed = add_sale(SaleState::closed);
  round();
  const auto book = book_.get();
  EXPECT_EQ(book->sales.size(), 2U);
  EXPECT_EQ(book->find(draft.id), nullptr);
  ASSERT_NE(book->find(open.id), nullptr);
  EXPECT_EQ(book->find(open.id)->terms.title, open.terms.title);
  EXPECT_NE(book->find(closed.id), nullptr);
  EXPECT_FALSE(inventory_.has({draft.id, 0})) << "a draft has no lanes";
}

TEST_F(ControlTest, ARoundMakesEveryLaneReadyAndThenTheNode) {
  const auto sale = add_sale(SaleState::open, 3);
  EXPECT_FALSE(readiness_.get()->ready());
  round();
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(inventory_.lane({sale.id, i}).ready);
    EXPECT_EQ(inventory_.lane({sale.id, i}).stock, lane_stock(100, 3, i));
  }
  EXPECT_TRUE(readiness_.get()->ready());
  EXPECT_EQ(lease_.holder, "node-a");
}

TEST_F(ControlTest, ADependencyThatDoesNotAnswerIsNamedWithItsAdvice) {
  on_store_ping_.fail(Errc::unavailable);
  round();
  EXPECT_FALSE(readiness_.get()->ready()) << "it knows no sale yet";
  EXPECT_NE(problem_of("store").find("start Postgres"), std::string::npos);
  EXPECT_NE(problem_of("sales"), "");
  EXPECT_EQ(problem_of("inventory"), "");
  round();
  EXPECT_TRUE(readiness_.get()->ready());
}

TEST_F(ControlTest, KeepsTheLastSnapshotWhileTheStoreIsSilent) {
  const auto sale = add_sale(SaleState::open);
  round();
  sales_.on_list.fail(Errc::unavailable);
  round();
  EXPECT_NE(problem_of("sales"), "");
  on_store_ping_.fail(Errc::unavailable);
  const auto listed = sales_.on_list.calls();
  round();
  EXPECT_EQ(sales_.on_list.calls(), listed) << "it would not answer";
  EXPECT_NE(book_.get()->find(sale.id), nullptr);
}

TEST_F(ControlTest, OneSaleThatCannotBeKeptDoesNotStopTheOthers) {
  const auto broken = add_sale(SaleState::open);
  const auto fine = add_sale(SaleState::open);
  orders_.lanes.erase({broken.id, 0});
  round();
  EXPECT_NE(problem_of("sales").find("sale 1 "), std::string::npos) << problem_of("sales");
  EXPECT_TRUE(inventory_.lane({fine.id, 0}).ready);
}

TEST_F(ControlTest, TheNewestSaleThatSellsNowIsRebuiltFirst) {
  const auto older = add_sale(SaleState::open);
  const auto newest = add_sale(SaleState::open);
  const auto over = add_sale(SaleState::open);
  sales_.sales[over.id].terms.ends_at = test::FakeClock::kStart - std::chrono::minutes(1);
  // The first to be opened fails.
  inventory_.on_rebuild.fail(Errc::unavailable);
  round();
  EXPECT_FALSE(sells(newest));
  EXPECT_TRUE(sells(older));
  EXPECT_TRUE(sells(over));
}

TEST_F(ControlTest, ANodeThatBeginsWhileALaneIsRebuiltServesTheOthers) {
  const auto lost = add_sale(SaleState::open);
  const auto fine = add_sale(SaleState::open);
  round();
  inventory_.lane({lost.id, 0}).ready = false;
  lease_.holder = "node-b";
  make();
  round();
  EXPECT_NE(problem_of("sales"), "");
  EXPECT_TRUE(readiness_.get()->ready());

  inventory_.lane({fine.id, 0}).ready = false;
  make();
  round();
  EXPECT_FALSE(readiness_.get()->ready()) << "it has nothing to sell";
}

TEST_F(ControlTest, WithoutTheLeaseItRebuildsAndDecidesNothing) {
  const auto sale = add_sale(SaleState::open);
  lease_.holder = "node-b";
  round();
  EXPECT_FALSE(inventory_.has({sale.id, 0}));
  EXPECT_FALSE(readiness_.get()->ready());
  lease_.holder.clear();
  round();
  EXPECT_TRUE(readiness_.get()->ready());

  reserve({sale.id, 0}, 1);
  clock_.advance(settings_.overdue_age);
  lease_.on_acquire.fail(Errc::unavailable);
  round();
  EXPECT_TRUE(orders_.orders.empty()) << "not sure to lead: not leading";
  EXPECT_TRUE(readiness_.get()->ready()) << "the lane is sellable all the same";
  round();
  EXPECT_EQ(orders_.orders.size(), 1U);
}

TEST_F(ControlTest, ALongQueueOfOverdueOrdersIsWorkedOffInOneRound) {
  settings_.overdue_max = 10;
  make();
  const auto sale = add_sale(SaleState::open);
  round();
  for (std::uint64_t i = 0; i < 95; ++i) reserve({sale.id, 0}, i);
  clock_.advance(settings_.overdue_age);
  round();
  EXPECT_EQ(orders_.orders.size(), 95U);
}

TEST_F(ControlTest, OverdueOrdersThatCannotBeSettledDoNotHoldUpTheRound) {
  settings_.overdue_max = 2;
  make();
  const auto sale = add_sale(SaleState::open);
  round();
  for (std::uint64_t i = 0; i < 3; ++i) reserve({sale.id, 0}, i);
  clock_.advance(settings_.overdue_age);
  // Each settle call costs time and fails: the same orders stay overdue.
  inventory_.on_settle.hold();
  inventory_.on_settle.fail_always(Errc::unknown);
  auto running = loop_.start(control_->round());
  for (int i = 0; i < 20 && !running.done(); ++i) {
    loop_.turn();
    clock_.advance(Millis{300});
    inventory_.on_settle.let_go();
    inventory_.on_settle.hold();
    loop_.turn();
  }
  EXPECT_TRUE(running.done());
}

TEST_F(ControlTest, ClosedAndSettledSalesAreLeftAlone) {
  const auto sale = add_sale(SaleState::open);
  round();
  const auto pending = reserve({sale.id, 0}, 1);
  sales_.sales[sale.id].state = SaleState::closed;
  ++sales_.sales[sale.id].revision;
  round();
  EXPECT_EQ(inventory_.lane({sale.id, 0}).window.state, SaleState::closed);
  const auto views = inventory_.on_view.calls();
  round();
  EXPECT_GT(inventory_.on_view.calls(), views) << "something is undecided yet";
  clock_.advance(settings_.overdue_age);
  round();
  EXPECT_TRUE(orders_.orders.contains(pending.id));
  round();
  const auto calls = inventory_.on_view.calls();
  round();
  EXPECT_EQ(inventory_.on_view.calls(), calls);
  EXPECT_TRUE(readiness_.get()->ready());
}

TEST_F(ControlTest, WhatIsReservedWhileALaneClosesIsDecidedBeforeTheSaleIsFinished) {
  const auto sale = add_sale(SaleState::open);
  round();
  sales_.sales[sale.id].state = SaleState::closed;
  ++sales_.sales[sale.id].revision;
  std::optional<OrderMessage> pending;
  inventory_.on_set_window.before([&] { pending = reserve({sale.id, 0}, 1); });
  round();
  round();
  ASSERT_TRUE(pending);
  EXPECT_FALSE(sales_.sales[sale.id].finished);
  clock_.advance(settings_.overdue_age);
  round();
  EXPECT_TRUE(orders_.orders.contains(pending->id));
  round();
  EXPECT_TRUE(sales_.sales[sale.id].finished);
}

TEST_F(ControlTest, ASaleIsFinishedOnceTheLogIsReadBeyondItsLastOrder) {
  log_ = OrderLog{"orders", 4};
  make();
  const auto sale = add_sale(SaleState::open);
  round();
  sales_.sales[sale.id].state = SaleState::closed;
  ++sales_.sales[sale.id].revision;
  const auto closed = clock_.now();
  orders_.applied = closed + Millis{4999};
  for (int i = 0; i < 4; ++i) round();
  EXPECT_FALSE(sales_.sales[sale.id].finished);
  orders_.applied = closed + Millis{5000};
  for (int i = 0; i < 2; ++i) round();
  EXPECT_TRUE(sales_.sales[sale.id].finished);
}

TEST_F(ControlTest, OnlyTheLeaderFinishesSalesAndAFailureIsTriedAgain) {
  const auto sale = add_sale(SaleState::open);
  round();
  sales_.sales[sale.id].state = SaleState::closed;
  ++sales_.sales[sale.id].revision;
  lease_.holder = "node-b";
  for (int i = 0; i < 3; ++i) round();
  EXPECT_EQ(sales_.on_finish.calls(), 0U);
  lease_.holder = "node-a";
  sales_.on_finish.fail(Errc::unavailable);
  for (int i = 0; i < 3; ++i) round();
  EXPECT_TRUE(sales_.sales[sale.id].finished);
  const auto calls = sales_.on_finish.calls();
  round();
  EXPECT_EQ(sales_.on_finish.calls(), calls);
}

TEST_F(ControlTest, MoreUnfinishedSalesThanItHoldsAreAProblemOfReadinessThatIsTolerated) {
  settings_.sales_max = 1;
  make();
  add_sale(SaleState::open);
  round();
  EXPECT_EQ(problem_of("sales"), "");
  add_sale(SaleState::open);
  round();
  EXPECT_NE(problem_of("sales").find("recovery.sales_max"), std::string::npos);
  EXPECT_TRUE(readiness_.get()->ready());
}

TEST_F(ControlTest, DrainingMayBeginBeforeTheFirstRound) {
  control_->drain();
  EXPECT_TRUE(readiness_.get()->draining);
  EXPECT_FALSE(readiness_.get()->ready());
}

TEST_F(ControlTest, DrainingIsSaidAtOnceAndForGood) {
  round();
  EXPECT_TRUE(readiness_.get()->ready());
  control_->drain();
  EXPECT_FALSE(readiness_.get()->ready());
  round();
  EXPECT_TRUE(readiness_.get()->draining);
}

TEST_F(ControlTest, ANodeThatWasReadySellsOnWithoutOneService) {
  add_sale(SaleState::open);
  round();
  for (auto* step : {&on_store_ping_, &on_ping_, &on_queue_ping_}) {
    step->fail_always(Errc::unavailable);
    round();
    EXPECT_TRUE(readiness_.get()->ready()) << "the two others make it good";
    step->work_again();
    round();
  }
  on_ping_.fail_always(Errc::unavailable);
  on_queue_ping_.fail_always(Errc::unavailable);
  round();
  EXPECT_FALSE(readiness_.get()->ready()) << "nothing can be sold without both";
}

TEST_F(ControlTest, ANodeThatAloneHasNoStoreLetsNobodyIn) {
  add_sale(SaleState::open);
  round();
  on_store_ping_.fail_always(Errc::unavailable);
  const auto silent = settings_.lease;
  for (Millis passed{0}; passed < 2 * silent; passed += settings_.tick) {
    ++*heartbeats_;
    clock_.advance(settings_.tick);
    round();
  }
  EXPECT_EQ(limiter_.rate(), std::nullopt) << "it is slow, and still renews leases";
  lease_.on_acquire.fail_always(Errc::unavailable);
  for (Millis passed{0}; passed < 2 * silent; passed += settings_.tick) {
    clock_.advance(settings_.tick);
    round();
  }
  EXPECT_TRUE(readiness_.get()->ready()) << "nobody has it";
  for (Millis passed{0}; passed < silent; passed += settings_.tick) {
    ++*heartbeats_;
    clock_.advance(settings_.tick);
    round();
  }
  EXPECT_FALSE(readiness_.get()->ready()) << "another node has it";
  EXPECT_EQ(limiter_.rate(), 0.0);
  on_store_ping_.work_again();
  lease_.on_acquire.work_again();
  round();
  EXPECT_TRUE(readiness_.get()->ready());
  EXPECT_EQ(limiter_.rate(), std::nullopt);
}

TEST_F(ControlTest, ANodeThatAloneHasNoInventorySendsItsBuyersToOthers) {
  add_sale(SaleState::open);
  round();
  lease_.holder = "node-b";
  on_ping_.fail_always(Errc::unavailable);
  const auto enough = settings_.database_after + settings_.lease;
  for (Millis passed{0}; passed < enough; passed += settings_.tick) {
    round();
    EXPECT_TRUE(readiness_.get()->ready()) << "the leader may let the store sell";
    clock_.advance(settings_.tick);
  }
  round();
  EXPECT_FALSE(readiness_.get()->ready()) << "so the leader has it";
  on_ping_.work_again();
  round();
  EXPECT_TRUE(readiness_.get()->ready());
}

TEST_F(ControlTest, ANodeThatStartsWithoutTheInventoryIsReadyWhenTheStoreSells) {
  add_sale(SaleState::open);
  on_ping_.fail_always(Errc::unavailable);
  round();
  EXPECT_FALSE(readiness_.get()->ready());
  clock_.advance(settings_.database_after);
  round();
  EXPECT_TRUE(readiness_.get()->ready());
  EXPECT_EQ(flow_->mode(), OperatingMode::database);
}

TEST_F(ControlTest, ANodeThatWasJustStartedGivesItsServicesAMoment) {
  add_sale(SaleState::open);
  on_queue_ping_.fail_always(Errc::unavailable);
  round();
  EXPECT_FALSE(readiness_.get()->ready()) << "its client of the log may only need a moment";
  clock_.advance(settings_.database_after - Millis{1});
  for (int i = 0; i < 50; ++i) round();
  EXPECT_FALSE(readiness_.get()->ready());
  clock_.advance(Millis{1});
  round();
  EXPECT_TRUE(readiness_.get()->ready()) << "two of three are enough to sell";
}

TEST_F(ControlTest, ALogThatIsThereInThatMomentIsNotBypassed) {
  add_sale(SaleState::open);
  on_queue_ping_.fail_always(Errc::unavailable);
  for (int i = 0; i < 50; ++i) round();
  EXPECT_EQ(breaker_.state(clock_.ticks()), Breaker::State::open);
  on_queue_ping_.work_again();
  round();
  EXPECT_TRUE(readiness_.get()->ready());
  EXPECT_EQ(breaker_.state(clock_.ticks()), Breaker::State::closed);
  EXPECT_EQ(control_->mode().mode, OperatingMode::normal);
}

TEST_F(ControlTest, TheStoreSellsWhenTheInventoryIsGoneAndUntilItIsBack) {
  const auto sale = add_sale(SaleState::open, 2);
  round();
  on_ping_.fail_always(Errc::unavailable);
  round();
  EXPECT_TRUE(state_.get()->store_lanes.empty());
  clock_.advance(settings_.database_after);
  round();
  EXPECT_EQ(state_.get()->store_lanes.size(), 2U);
  EXPECT_EQ(flow_->mode(), OperatingMode::database);
  EXPECT_TRUE(limiter_.rate().has_value()) << "the store's own rate is a limit";
  on_ping_.work_again();
  round();
  clock_.advance(settings_.restore_after);
  round();
  EXPECT_TRUE(state_.get()->store_lanes.empty());
  EXPECT_EQ(flow_->mode(), OperatingMode::normal);
  EXPECT_FALSE(limiter_.rate().has_value());
  EXPECT_EQ(inventory_.lane({sale.id, 0}).epoch, 4U) << "one epoch for each authority";
}

TEST_F(ControlTest, AnInventoryThatStopsAnsweringInTheMiddleIsAskedOncePerRound) {
  add_sale(SaleState::open, 4);
  round();
  inventory_.on_view.fail_always(Errc::unknown);
  on_ping_.fail_always(Errc::unavailable);
  on_ping_.before([] {});
  const auto views = inventory_.on_view.calls();
  round();
  EXPECT_LE(inventory_.on_view.calls() - views, 1U);
}

TEST_F(ControlTest, ABrokenLogOpensItsBreaker) {
  add_sale(SaleState::open);
  round();
  on_queue_ping_.fail_always(Errc::unavailable);
  for (std::uint32_t i = 0; i < BreakerSettings().calls_min; ++i) round();
  EXPECT_EQ(flow_->mode(), OperatingMode::bypass);
}

TEST_F(ControlTest, RunKeepsGoingRoundAndGivesUpTheLeaseAtItsEnd) {
  add_sale(SaleState::open);
  const auto running = loop_.start(control_->run());
  loop_.turn();
  EXPECT_EQ(on_ping_.calls(), 1U);
  for (int i = 0; i < 10; ++i) {
    clock_.advance(Millis{100});
    loop_.turn();
  }
  EXPECT_EQ(on_ping_.calls(), 2U);
  EXPECT_EQ(lease_.holder, "node-a");
  control_->stop();
  clock_.advance(Millis{100});
  loop_.turn();
  EXPECT_TRUE(running.done()) << "a stop is not slept through";
  EXPECT_EQ(lease_.holder, "");
}

TEST_F(ControlTest, OrdersExpireAlsoInASaleThatIsClosedAndLeftAlone) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  round();
  const auto order = confirm({sale.id, 0}, 1);
  sales_.sales[sale.id].state = SaleState::closed;
  ++sales_.sales[sale.id].revision;
  round();
  const auto windows = inventory_.on_set_window.calls();
  clock_.advance(Millis{9'999});
  round();
  EXPECT_EQ(status_of(order), OrderStatus::confirmed);
  clock_.advance(Millis{1});
  round();
  EXPECT_EQ(status_of(order), OrderStatus::expired);
  EXPECT_EQ(orders_.lanes.at({sale.id, 0}).stock, 100);
  EXPECT_EQ(inventory_.lane({sale.id, 0}).stock, 100);
  EXPECT_TRUE(moves_.rows.empty());
  EXPECT_EQ(inventory_.on_set_window.calls(), windows);
}

TEST_F(ControlTest, AClosedSaleIsRebuiltWhenAReturnedUnitWaitsForItsInventory) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  round();
  confirm({sale.id, 0}, 1);
  sales_.sales[sale.id].state = SaleState::closed;
  ++sales_.sales[sale.id].revision;
  round();
  round();
  inventory_.lane({sale.id, 0}).ready = false;
  clock_.advance(Millis{10'000});
  round();
  EXPECT_EQ(moves_.rows.size(), 1U) << "its lane was left alone, and is lost";
  round();
  EXPECT_TRUE(moves_.rows.empty());
  EXPECT_EQ(inventory_.lane({sale.id, 0}).stock, 100);
  round();
  const auto views = inventory_.on_view.calls();
  round();
  EXPECT_EQ(inventory_.on_view.calls(), views) << "left alone again";
}

TEST_F(ControlTest, OnlyTheLeaderExpiresAndRelays) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  round();
  const auto order = confirm({sale.id, 0}, 1);
  clock_.advance(Millis{10'000});
  lease_.holder = "node-b";
  round();
  EXPECT_EQ(status_of(order), OrderStatus::confirmed);
  EXPECT_EQ(moves_.on_due.calls() + moves_.on_returning.calls(), 2U) << "of the first round";
  lease_.holder = "node-a";
  round();
  EXPECT_EQ(status_of(order), OrderStatus::expired);
}

TEST_F(ControlTest, AllThatIsDueExpiresInOneRound) {
  pay_within_ = Millis{10'000};
  settings_.overdue_max = 10;
  make();
  const auto sale = add_sale(SaleState::open);
  round();
  for (std::uint64_t user = 0; user < 35; ++user) confirm({sale.id, 0}, user);
  clock_.advance(Millis{10'000});
  round();
  EXPECT_EQ(orders_.lanes.at({sale.id, 0}).stock, 100);
  EXPECT_EQ(inventory_.lane({sale.id, 0}).stock, 100);
  EXPECT_EQ(moves_.on_due.calls(), 1U + 5U) << "the last one finds nothing";
}

TEST_F(ControlTest, AStoreThatCannotExpireStillRelays) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  round();
  const auto order = confirm({sale.id, 0}, 1);
  const std::vector<Transition> cancel{{{order, sale.id, test::user_of(1)}, Move::cancel}};
  ASSERT_TRUE(loop_.finish(moves_.move(clock_.ticks() + Millis{1000}, cancel)));
  moves_.on_due.fail(Errc::unavailable);
  round();
  EXPECT_TRUE(moves_.rows.empty());
  EXPECT_EQ(inventory_.lane({sale.id, 0}).stock, 100);
}

TEST_F(ControlTest, WhatItKnewOfASaleThatIsListedNoMoreIsForgotten) {
  const auto sale = add_sale(SaleState::open);
  on_ping_.fail_always(Errc::unavailable);
  round();
  clock_.advance(settings_.database_after);
  round();
  EXPECT_EQ(flow_->mode(), OperatingMode::database);
  EXPECT_TRUE(state_.get()->fences.contains({sale.id, 0}));
  sales_.sales.clear();
  round();
  EXPECT_EQ(flow_->mode(), OperatingMode::normal) << "there is nothing that the store sells";
  EXPECT_TRUE(state_.get()->fences.empty());
}

TEST_F(ControlTest, ARoundOfTenThousandCalmLanesMakesFewCalls) {
  settings_.sales_max = 10'000;
  settings_.lanes_looked_max = 500;
  make();
  for (int i = 0; i < 10'000; ++i) add_sale(SaleState::open);
  round();
  EXPECT_TRUE(readiness_.get()->ready());
  const auto heads = orders_.on_heads.calls();
  const auto each = orders_.on_head.calls();
  const auto views = inventory_.on_view.calls();
  for (int i = 0; i < 3; ++i) round();
  EXPECT_EQ(orders_.on_heads.calls(), heads + 3) << "one for all lanes";
  EXPECT_EQ(orders_.on_head.calls(), each);
  EXPECT_EQ(inventory_.on_view.calls(), views + 3 * 500);

  // What a row says is seen at once, whatever the lane's turn.
  orders_.lanes[{7'777, 0}].suspect = 2;
  round();
  EXPECT_EQ(inventory_.lane({7'777, 0}).epoch, 3U);
}

TEST_F(ControlTest, ALaneThatTakesLongHoldsUpNoOther) {
  settings_.lanes_at_once = 3;
  make();
  std::vector<SaleId> sales;
  for (int i = 0; i < 7; ++i) sales.push_back(add_sale(SaleState::open).id);
  inventory_.on_rebuild.hold();
  auto running = loop_.start(control_->round());
  loop_.turn();
  EXPECT_EQ(inventory_.on_rebuild.waiting(), 3U) << "so many at once, and no more";
  inventory_.on_rebuild.let_go();
  loop_.turn();
  EXPECT_TRUE(running.done());
  for (const auto sale : sales) EXPECT_TRUE(inventory_.lane({sale, 0}).ready);
}

TEST_F(ControlTest, WhatOneCalmLaneLostIsLookedForInAll) {
  settings_.lanes_looked_max = 1;
  make();
  for (int i = 0; i < 5; ++i) add_sale(SaleState::open);
  round();
  lease_.holder = "node-b";
  round();
  for (SaleId sale = 1; sale <= 5; ++sale) inventory_.lane({sale, 0}).ready = false;
  round();
  const auto views = inventory_.on_view.calls();
  round();
  EXPECT_EQ(inventory_.on_view.calls(), views + 5);
}

}  // namespace
}  // namespace sluice
