#include "sluice/operations/operations.hpp"

#include <gtest/gtest.h>

#include "recovery/control_fixture.hpp"

namespace sluice {
namespace {

class OperationsTest : public test::ControlFixture {
 protected:
  test::Running<Operated<Sale>> start_set_state(SaleId sale, SaleState state) {
    auto running = loop_.start(operations_->set_state(sale, state));
    loop_.turn();
    return running;
  }

  template <class T>
  static std::string said(const Operated<T>& result) {
    return result ? "ok" : std::string(problem(result.error().code).name);
  }

  std::unique_ptr<Operations> operations_ =
      create_operations(settings_, {sales_, orders_, lease_, *auditor_, *control_, clock_});
};

TEST_F(OperationsTest, CreatesCheckedDraftsAlone) {
  auto draft = test::draft_of(10);
  const auto created = loop_.finish(operations_->create(draft));
  ASSERT_EQ(said(created), "ok");
  EXPECT_EQ(created->state, SaleState::draft);
  draft.stock = 0;
  const auto refused = loop_.finish(operations_->create(draft));
  EXPECT_EQ(said(refused), "invalid_sale");
  EXPECT_NE(refused.error().detail.find("stock"), std::string::npos);
  EXPECT_EQ(sales_.sales.size(), 1U);
  sales_.on_create.fail(Errc::unknown);
  EXPECT_EQ(said(loop_.finish(operations_->create(test::draft_of(10)))), "outcome_unknown");
  sales_.on_create.fail(Errc::unavailable);
  EXPECT_EQ(said(loop_.finish(operations_->create(test::draft_of(10)))), "busy");
}

TEST_F(OperationsTest, ListsAndShowsDraftsAsWell) {
  const auto sale = add_sale(SaleState::draft);
  const auto listed = loop_.finish(operations_->list(SaleFilter::all, kSalesBegin, 10));
  ASSERT_EQ(said(listed), "ok");
  EXPECT_EQ(listed->size(), 1U);
  EXPECT_EQ(said(loop_.finish(operations_->show(sale.id))), "ok");
  EXPECT_EQ(said(loop_.finish(operations_->show(99))), "unknown_sale");
  sales_.on_list.fail(Errc::unavailable);
  EXPECT_EQ(said(loop_.finish(operations_->list(SaleFilter::all, kSalesBegin, 10))), "busy");
}

TEST_F(OperationsTest, OpeningASaleReturnsWhenItsLanesEnforceIt) {
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

TEST_F(OperationsTest, PausingWaitsForLanesThatDoNotFollowYet) {
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

TEST_F(OperationsTest, AFollowerWaitsForTheLeaderToBuildTheLanes) {
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

TEST_F(OperationsTest, GivesUpOnLanesThatNeverFollow) {
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

TEST_F(OperationsTest, MovesThatAreNotAllowedAreRefused) {
  const auto closed = add_sale(SaleState::closed);
  EXPECT_EQ(said(start_set_state(closed.id, SaleState::open).value()), "invalid_state");
  EXPECT_EQ(said(start_set_state(99, SaleState::open).value()), "unknown_sale");
  sales_.on_set_state.fail(Errc::unknown);
  EXPECT_EQ(said(start_set_state(closed.id, SaleState::closed).value()), "outcome_unknown");
}

TEST_F(OperationsTest, AnOperatorHoldsTheModeOfAllNodes) {
  add_sale(SaleState::open);
  round();
  const auto held = loop_.finish(operations_->hold(OperatingMode::database));
  ASSERT_TRUE(held);
  EXPECT_EQ(held->state.held, OperatingMode::database);
  EXPECT_EQ(lease_.requests.at(std::string(kModeRequest)), "database");
  round();
  EXPECT_EQ(loop_.finish(operations_->flow())->mode, OperatingMode::database);
  ASSERT_TRUE(loop_.finish(operations_->hold(OperatingMode::bypass)));
  round();
  EXPECT_EQ(flow_->mode(), OperatingMode::bypass);
  lease_.requests[std::string(kModeRequest)] = "auto";
  round();
  EXPECT_EQ(flow_->mode(), OperatingMode::normal) << "another node's operator said so";
}

TEST_F(OperationsTest, AnOperatorsRebuildGivesEveryLaneANewEpoch) {
  const auto sale = add_sale(SaleState::open, 2);
  round();
  const auto asked = loop_.finish(operations_->rebuild(sale.id, false));
  ASSERT_TRUE(asked);
  ASSERT_EQ(asked->lanes.size(), 2U);
  EXPECT_EQ(asked->lanes[0].stage, LaneStage::asked);
  const auto before = inventory_.lane({sale.id, 0}).epoch;
  round();
  EXPECT_EQ(inventory_.lane({sale.id, 0}).epoch, before + 1);
  EXPECT_EQ(inventory_.lane({sale.id, 1}).epoch, before + 1);
  EXPECT_EQ(loop_.finish(operations_->audit(sale.id))->lanes[0].stage, LaneStage::ready);
  const auto draft = add_sale(SaleState::draft);
  EXPECT_EQ(said(loop_.finish(operations_->rebuild(draft.id, false))), "invalid_state");
  const auto closed = add_sale(SaleState::closed);
  EXPECT_EQ(said(loop_.finish(operations_->rebuild(closed.id, false))), "invalid_state");
  EXPECT_EQ(said(loop_.finish(operations_->rebuild(99, false))), "unknown_sale");
  EXPECT_EQ(said(loop_.finish(operations_->audit(99))), "unknown_sale");
}

TEST_F(OperationsTest, ForceRaisesAFenceThatTheLogDoesNotCarry) {
  const auto sale = add_sale(SaleState::open);
  round();
  queue_.raise_in = nullptr;
  inventory_.lane({sale.id, 0}).ready = false;
  round();
  EXPECT_NE(problem_of("sales"), "");
  ASSERT_TRUE(loop_.finish(operations_->rebuild(sale.id, false)));
  round();
  EXPECT_NE(problem_of("sales"), "");
  ASSERT_TRUE(loop_.finish(operations_->rebuild(sale.id, true)));
  round();
  EXPECT_EQ(problem_of("sales"), "");
  EXPECT_TRUE(inventory_.lane({sale.id, 0}).ready);
}

}  // namespace
}  // namespace sluice
