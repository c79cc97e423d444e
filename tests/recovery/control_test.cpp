#include "sluice/recovery/control.hpp"

#include <gtest/gtest.h>
#include <memory>
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

class ControlTest : public testing::Test {
 protected:
  ControlTest() { make(); }

  void make() {
    control_.reset();
    flow_.reset();
    auditor_.reset();
    keeper_.reset();
    queue_.raise_in = &orders_;
    LaneKeeper::Ports keeper{inventory_, queue_, orders_, results_, clock_, metrics_};
    keeper_.emplace(settings_, std::nullopt, keeper);
    auditor_.emplace(settings_.call_timeout, Auditor::Ports{inventory_, orders_, clock_, metrics_});
    FlowKeeper::Ports flow{orders_, state_, throttle_, direct_, breaker_, {}, clock_, metrics_};
    flow_.emplace(FlowSettings(), settings_.call_timeout, std::nullopt, std::move(flow));
    std::vector<Dependency> dependencies;
    dependencies.push_back({Dependency::Role::store, pinging(on_store_ping_), "start Postgres"});
    dependencies.push_back({Dependency::Role::inventory, pinging(on_ping_), "start it"});
    dependencies.push_back({Dependency::Role::queue, pinging(on_queue_ping_), "start Kafka"});
    Control::Ports ports{sales_, orders_, lease_,     *keeper_, *auditor_,
                         *flow_, book_,   readiness_, clock_};
    control_.emplace(settings_, "node-a", std::move(dependencies), ports);
  }

  static std::function<Task<>(Ticks)> pinging(test::FakeStep& step) {
    return [&step](Ticks) {
      return ping(step);
    };
  }

  static Task<> ping(test::FakeStep& step) {
    const auto fault = co_await step.enter();
    if (fault) co_return fault->error;
    co_return boost::system::in_place_value;
  }

  /// A sale with the stock rows of its lanes, as the store makes it.
  Sale add_sale(SaleState state, std::uint32_t lanes = 1) {
    Sale sale;
    sale.id = sales_.sales.empty() ? 1 : sales_.sales.rbegin()->first + 1;
    sale.terms = test::draft_of(100, lanes);
    sale.terms.starts_at = test::FakeClock::kStart - std::chrono::hours(1);
    sale.terms.ends_at = test::FakeClock::kStart + std::chrono::hours(1);
    sale.state = state;
    sales_.sales[sale.id] = sale;
    for (std::uint32_t i = 0; i < lanes; ++i) {
      auto& lane = orders_.lanes[{sale.id, i}];
      lane.stock = lane_stock(100, lanes, i);
      lane.window = window_of(sale);
    }
    return sale;
  }

  OrderMessage reserve(LaneId lane, std::uint64_t user) {
    const auto epoch = inventory_.lane(lane).epoch;
    const auto message = test::message_of(lane, test::user_of(user), 1, epoch);
    inventory_.lane(lane).stock -= 1;
    inventory_.lane(lane).records[message.user] = {{message.id, OrderStatus::queued, 1},
                                                   clock_.now()};
    return message;
  }

  void round() { loop_.finish(control_->round()); }

  /// The problem of a check; "" when there is none.
  std::string problem_of(const std::string& name) const {
    for (const auto& check : readiness_.get()->checks) {
      if (check.name == name) return check.problem;
    }
    return "no such check";
  }

  test::Running<Operated<Sale>> start_set_state(SaleId sale, SaleState state) {
    auto running = loop_.start(control_->set_state(sale, state));
    loop_.turn();
    return running;
  }

  template <class T>
  static std::string said(const Operated<T>& result) {
    return result ? "ok" : std::string(problem(result.error().code).name);
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeInventory inventory_{clock_};
  test::FakeQueue queue_;
  test::FakeOrderStore orders_;
  test::FakeSaleStore sales_;
  test::FakeControlStore lease_;
  test::FakeResults results_;
  test::FakeStep on_store_ping_;
  test::FakeStep on_ping_;
  test::FakeStep on_queue_ping_;
  Flow state_{std::make_shared<FlowState>()};
  Throttle throttle_;
  CallMeter direct_;
  Breaker breaker_{BreakerSettings()};
  Metrics metrics_;
  SaleBook book_{std::make_shared<SaleSnapshot>()};
  Readiness readiness_{std::make_shared<ReadyState>()};
  RecoverySettings settings_;
  std::optional<LaneKeeper> keeper_;
  std::optional<Auditor> auditor_;
  std::optional<FlowKeeper> flow_;
  std::optional<Control> control_;
};

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

TEST_F(ControlTest, DrainingIsSaidAtOnceAndForGood) {
  round();
  EXPECT_TRUE(readiness_.get()->ready());
  control_->drain();
  EXPECT_FALSE(readiness_.get()->ready());
  round();
  EXPECT_TRUE(readiness_.get()->draining);
}

TEST_F(ControlTest, CreatesCheckedDraftsAlone) {
  auto draft = test::draft_of(10);
  const auto created = loop_.finish(control_->create(draft));
  ASSERT_EQ(said(created), "ok");
  EXPECT_EQ(created->state, SaleState::draft);
  draft.stock = 0;
  const auto refused = loop_.finish(control_->create(draft));
  EXPECT_EQ(said(refused), "invalid_sale");
  EXPECT_NE(refused.error().detail.find("stock"), std::string::npos);
  EXPECT_EQ(sales_.sales.size(), 1U);
  sales_.on_create.fail(Errc::unknown);
  EXPECT_EQ(said(loop_.finish(control_->create(test::draft_of(10)))), "outcome_unknown");
  sales_.on_create.fail(Errc::unavailable);
  EXPECT_EQ(said(loop_.finish(control_->create(test::draft_of(10)))), "busy");
}

TEST_F(ControlTest, ListsAndShowsDraftsAsWell) {
  const auto sale = add_sale(SaleState::draft);
  const auto listed = loop_.finish(control_->list());
  ASSERT_EQ(said(listed), "ok");
  EXPECT_EQ(listed->size(), 1U);
  EXPECT_EQ(said(loop_.finish(control_->show(sale.id))), "ok");
  EXPECT_EQ(said(loop_.finish(control_->show(99))), "unknown_sale");
  sales_.on_list.fail(Errc::unavailable);
  EXPECT_EQ(said(loop_.finish(control_->list())), "busy");
}

TEST_F(ControlTest, OpeningASaleReturnsWhenItsLanesEnforceIt) {
  const auto sale = add_sale(SaleState::draft, 2);
  const auto opened = start_set_state(sale.id, SaleState::open);
  ASSERT_TRUE(opened.done());
  ASSERT_EQ(said(opened.value()), "ok");
  EXPECT_EQ(opened.value()->state, SaleState::open);
  for (std::uint32_t i = 0; i < 2; ++i) {
    EXPECT_EQ(inventory_.lane({sale.id, i}).window.state, SaleState::open);
  }
  ASSERT_NE(book_.get()->find(sale.id), nullptr) << "this node's snapshot has it";
  EXPECT_EQ(book_.get()->find(sale.id)->state, SaleState::open);
}

TEST_F(ControlTest, PausingWaitsForLanesThatDoNotFollowYet) {
  const auto sale = add_sale(SaleState::open);
  round();
  inventory_.on_set_window.fail(Errc::unavailable);
  const auto paused = start_set_state(sale.id, SaleState::paused);
  EXPECT_FALSE(paused.done());
  clock_.advance(Millis{100});
  loop_.turn();
  ASSERT_TRUE(paused.done());
  EXPECT_EQ(said(paused.value()), "ok");
  EXPECT_EQ(inventory_.lane({sale.id, 0}).window.state, SaleState::paused);
}

TEST_F(ControlTest, AFollowerWaitsForTheLeaderToBuildTheLanes) {
  const auto sale = add_sale(SaleState::draft);
  lease_.holder = "node-b";
  const auto opened = start_set_state(sale.id, SaleState::open);
  EXPECT_FALSE(opened.done());
  inventory_.open_lane({sale.id, 0}, 100).window = window_of(sales_.sales[sale.id]);
  clock_.advance(Millis{100});
  loop_.turn();
  ASSERT_TRUE(opened.done());
  EXPECT_EQ(said(opened.value()), "ok");
}

TEST_F(ControlTest, GivesUpOnLanesThatNeverFollow) {
  const auto sale = add_sale(SaleState::open);
  round();
  inventory_.on_set_window.fail_always(Errc::unavailable);
  const auto paused = start_set_state(sale.id, SaleState::paused);
  for (int i = 0; i < 100 && !paused.done(); ++i) {
    clock_.advance(Millis{100});
    loop_.turn();
  }
  ASSERT_TRUE(paused.done());
  EXPECT_EQ(said(paused.value()), "not_ready");
  EXPECT_EQ(sales_.sales[sale.id].state, SaleState::paused) << "stored, and said so";
}

TEST_F(ControlTest, MovesThatAreNotAllowedAreRefused) {
  const auto closed = add_sale(SaleState::closed);
  EXPECT_EQ(said(start_set_state(closed.id, SaleState::open).value()), "invalid_state");
  EXPECT_EQ(said(start_set_state(99, SaleState::open).value()), "unknown_sale");
  sales_.on_set_state.fail(Errc::unknown);
  EXPECT_EQ(said(start_set_state(closed.id, SaleState::closed).value()), "outcome_unknown");
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

TEST_F(ControlTest, ANodeThatStartsWithoutTheInventoryIsReadyWhenTheStoreSells) {
  add_sale(SaleState::open);
  on_ping_.fail_always(Errc::unavailable);
  round();
  EXPECT_FALSE(readiness_.get()->ready());
  clock_.advance(settings_.database_after);
  round();
  EXPECT_TRUE(readiness_.get()->ready());
  EXPECT_EQ(flow_->mode(), FlowMode::database);
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
  EXPECT_EQ(flow_->mode(), FlowMode::database);
  EXPECT_TRUE(throttle_.rate().has_value()) << "the store's own rate is a limit";
  on_ping_.work_again();
  round();
  clock_.advance(settings_.restore_after);
  round();
  EXPECT_TRUE(state_.get()->store_lanes.empty());
  EXPECT_EQ(flow_->mode(), FlowMode::normal);
  EXPECT_FALSE(throttle_.rate().has_value());
  EXPECT_EQ(inventory_.lane({sale.id, 0}).epoch, 4U) << "one epoch for each seller";
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
  EXPECT_EQ(flow_->mode(), FlowMode::bypass);
}

TEST_F(ControlTest, AnOperatorHoldsTheModeOfAllNodes) {
  add_sale(SaleState::open);
  round();
  const auto held = loop_.finish(control_->hold(FlowMode::database));
  ASSERT_TRUE(held);
  EXPECT_EQ(held->state.held, FlowMode::database);
  EXPECT_EQ(lease_.wishes.at(std::string(kModeWish)), "database");
  round();
  EXPECT_EQ(loop_.finish(control_->flow())->mode, FlowMode::database);
  ASSERT_TRUE(loop_.finish(control_->hold(FlowMode::bypass)));
  round();
  EXPECT_EQ(flow_->mode(), FlowMode::bypass);
  lease_.wishes[std::string(kModeWish)] = "auto";
  round();
  EXPECT_EQ(flow_->mode(), FlowMode::normal) << "another node's operator said so";
}

TEST_F(ControlTest, AnOperatorsRebuildGivesEveryLaneANewEpoch) {
  const auto sale = add_sale(SaleState::open, 2);
  round();
  const auto asked = loop_.finish(control_->rebuild(sale.id, false));
  ASSERT_TRUE(asked);
  ASSERT_EQ(asked->lanes.size(), 2U);
  EXPECT_EQ(asked->lanes[0].stage, LaneStage::asked);
  const auto before = inventory_.lane({sale.id, 0}).epoch;
  round();
  EXPECT_EQ(inventory_.lane({sale.id, 0}).epoch, before + 1);
  EXPECT_EQ(inventory_.lane({sale.id, 1}).epoch, before + 1);
  EXPECT_EQ(loop_.finish(control_->audit(sale.id))->lanes[0].stage, LaneStage::ready);
  const auto draft = add_sale(SaleState::draft);
  EXPECT_EQ(said(loop_.finish(control_->rebuild(draft.id, false))), "invalid_state");
  const auto closed = add_sale(SaleState::closed);
  EXPECT_EQ(said(loop_.finish(control_->rebuild(closed.id, false))), "invalid_state");
  EXPECT_EQ(said(loop_.finish(control_->rebuild(99, false))), "unknown_sale");
  EXPECT_EQ(said(loop_.finish(control_->audit(99))), "unknown_sale");
}

TEST_F(ControlTest, ForceRaisesAFenceThatTheLogDoesNotCarry) {
  const auto sale = add_sale(SaleState::open);
  round();
  queue_.raise_in = nullptr;
  inventory_.lane({sale.id, 0}).ready = false;
  round();
  EXPECT_NE(problem_of("sales"), "");
  ASSERT_TRUE(loop_.finish(control_->rebuild(sale.id, false)));
  round();
  EXPECT_NE(problem_of("sales"), "");
  ASSERT_TRUE(loop_.finish(control_->rebuild(sale.id, true)));
  round();
  EXPECT_EQ(problem_of("sales"), "");
  EXPECT_TRUE(inventory_.lane({sale.id, 0}).ready);
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

}  // namespace
}  // namespace sluice
