#include "sluice/recovery/lane_reconciler.hpp"

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

using test::error_of;

const LaneId kLane{7, 0};

std::string text_of(Errc error) { return make_error_code(error).message(); }

class LaneReconcilerTest : public testing::Test {
 protected:
  LaneReconcilerTest() {
    sale_.id = kLane.sale;
    sale_.terms = test::draft_of(100);
    sale_.state = SaleState::open;
    store_.lanes[kLane].stock = 100;
    store_.lanes[kLane].window = window_of(sale_);
    apply_fences_at_once();
    queue_.decides_at_once = true;
    make();
  }

  void apply_fences_at_once() { queue_.raise_in = &store_; }

  void make() {
    LaneReconciler::Ports ports{inventory_, queue_, store_, results_, clock_, metrics_};
    keeper_.emplace(settings_, ports);
  }

  /// A ready lane that agrees with the store.
  void make_ready(Epoch epoch = 1) {
    inventory_.open_lane(kLane, 100, epoch).window = window_of(sale_);
    store_.lanes[kLane].fence = epoch;
    store_.lanes[kLane].newest = epoch;
  }

  static LaneReconciler::Duty leader(Authority authority = Authority::inventory) {
    LaneReconciler::Duty duty;
    duty.authority = authority;
    duty.term = Term{1};
    return duty;
  }

  static LaneReconciler::Duty follower() { return {}; }

  static LaneReconciler::Duty without_inventory() {
    auto duty = leader(Authority::store);
    duty.inventory_up = false;
    return duty;
  }

  Result<LaneState> keep(LaneReconciler::Duty duty = leader()) {
    return loop_.finish(keeper_->keep(kLane, window_of(sale_), duty));
  }

  Result<std::size_t> decide_overdue(bool queue_up = true) {
    return loop_.finish(keeper_->decide_overdue(kLane, through_, queue_up));
  }

  /// Users 0 … `count` - 1 have live orders, and the inventory has lost the lane.
  void lose_lane_of(std::uint64_t count) {
    make_ready();
    for (std::uint64_t i = 0; i < count; ++i) {
      store_.decide(test::message_of(kLane, test::user_of(i)));
    }
    inventory_.lane(kLane).ready = false;
    store_.image_page_orders = 10;
  }

  OrderMessage reserve(std::uint64_t user, Epoch epoch = 1, std::uint32_t quantity = 1) {
    auto message = test::message_of(kLane, test::user_of(user), quantity, epoch);
    auto& lane = inventory_.lane(kLane);
    lane.stock -= quantity;
    lane.records[message.user] = {{message.id, OrderStatus::queued, quantity}, clock_.now()};
    return message;
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeInventory inventory_{clock_};
  test::FakeQueue queue_;
  test::FakeOrderStore store_;
  test::FakeResults results_;
  Metrics metrics_;
  RecoverySettings settings_;
  Sale sale_;
  std::optional<TimePoint> through_;  ///< The log time that is applied.
  std::optional<LaneReconciler> keeper_;
};

TEST_F(LaneReconcilerTest, AReadyLaneIsLeftAlone) {
  make_ready(3);
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->stage(), LaneStage::ready);
  EXPECT_EQ(state->view.epoch, 3U);
  EXPECT_EQ(inventory_.on_set_window.calls(), 0U);
  EXPECT_EQ(inventory_.on_rebuild.calls(), 0U);
  EXPECT_EQ(store_.on_next_epoch.calls(), 0U);
}

TEST_F(LaneReconcilerTest, AnotherWindowIsSet) {
  make_ready();
  sale_.state = SaleState::paused;
  ++sale_.revision;
  const auto state = keep(follower());
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->view.window, window_of(sale_));
  EXPECT_EQ(inventory_.lane(kLane).window, window_of(sale_));
  EXPECT_EQ(inventory_.on_rebuild.calls(), 0U);
}

TEST_F(LaneReconcilerTest, AWindowOlderThanTheLanesDoesNotUndoIt) {
  const Sale known_before = sale_;
  sale_.state = SaleState::paused;
  ++sale_.revision;
  make_ready();
  ASSERT_EQ(error_of(loop_.finish(keeper_->keep(kLane, window_of(known_before), leader()))), "ok");
  EXPECT_EQ(inventory_.lane(kLane).window, window_of(sale_));
}

TEST_F(LaneReconcilerTest, ALaneThatIsNotReadyWaitsForTheLeader) {
  EXPECT_EQ(error_of(keep(follower())), text_of(Errc::not_ready));
  EXPECT_EQ(store_.on_next_epoch.calls(), 0U);
  EXPECT_FALSE(inventory_.has(kLane));
}

TEST_F(LaneReconcilerTest, TheLeaderBuildsALaneFromTheStore) {
  const auto sold = test::message_of(kLane, test::user_of(1), 2);
  store_.decide(sold);
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_TRUE(state->view.ready);
  EXPECT_EQ(state->view.epoch, 2U) << "one above what the store accepted before";
  EXPECT_EQ(state->view.stock, 98);
  EXPECT_EQ(state->view.window, window_of(sale_));
  EXPECT_EQ(store_.lanes[kLane].fence, 2U);
  EXPECT_EQ(inventory_.lane(kLane).records.at(sold.user).order.status, OrderStatus::confirmed);
}

TEST_F(LaneReconcilerTest, AFreshLaneNeedsNoLog) {
  store_.lanes[kLane].fence = 0;
  store_.lanes[kLane].newest = 0;
  queue_.on_fence.fail_always(Errc::unavailable);
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->view.epoch, 1U);
  EXPECT_EQ(queue_.on_fence.calls(), 0U);
}

TEST_F(LaneReconcilerTest, ARebuildDecidesWhatIsPendingBeforeItFences) {
  make_ready();
  const auto promised = reserve(1, 1, 2);
  inventory_.lane(kLane).ready = false;
  queue_.on_fence.before([&] { EXPECT_TRUE(store_.orders.contains(promised.id)); });
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(store_.orders.at(promised.id).status, OrderStatus::confirmed);
  EXPECT_EQ(inventory_.lane(kLane).records.at(promised.user).order.status, OrderStatus::confirmed);
  EXPECT_EQ(state->view.stock, 98);
  EXPECT_EQ(state->view.pending, 0U);
  EXPECT_EQ(results_.announced, std::vector<Outcome>{test::confirmed(promised)});
  EXPECT_EQ(inventory_.overdue_ages.at(0), Millis{0}) << "whatever its age";
}

TEST_F(LaneReconcilerTest, ASuspectLaneIsClosedBeforeWhatItHoldsIsDecided) {
  make_ready();
  const auto promised = reserve(1);
  store_.lanes[kLane].suspect = 1;
  inventory_.on_overdue.before([&] { EXPECT_EQ(inventory_.on_close.calls(), 1U); });
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->view.epoch, 2U);
  EXPECT_EQ(state->stage(), LaneStage::ready);
  EXPECT_EQ(store_.orders.at(promised.id).status, OrderStatus::confirmed);
}

TEST_F(LaneReconcilerTest, EveryEpochBeforeTheNewOneIsEndedAlsoWhereNothingIsReady) {
  const auto expect_closed = [this](Epoch floor) {
    inventory_.on_rebuild.before([this, floor] {
      EXPECT_TRUE(inventory_.lane(kLane).closed);
      EXPECT_EQ(inventory_.lane(kLane).epoch, floor);
    });
  };
  expect_closed(1);
  ASSERT_EQ(keep()->view.epoch, 2U) << "there was no lane";
  inventory_.lane(kLane).ready = false;
  expect_closed(2);
  ASSERT_EQ(keep()->view.epoch, 3U) << "there were ruins";
  store_.lanes[kLane].newest = 7;
  expect_closed(7);
  ASSERT_EQ(keep()->view.epoch, 8U) << "another keeper may still open one of 4 to 7";
  EXPECT_EQ(inventory_.on_close.calls(), 3U);
  EXPECT_EQ(inventory_.on_rebuild.calls(), 3U);
}

TEST_F(LaneReconcilerTest, AFreshLaneIsClosedBelowItsFirstEpoch) {
  store_.lanes[kLane].fence = 0;
  store_.lanes[kLane].newest = 0;
  inventory_.on_rebuild.before([this] { EXPECT_EQ(inventory_.lane(kLane).epoch, 0U); });
  ASSERT_EQ(keep()->view.epoch, 1U);
  EXPECT_EQ(inventory_.on_close.calls(), 1U);
}

TEST_F(LaneReconcilerTest, WithoutAClosingNothingIsFenced) {
  inventory_.on_close.fail(Errc::unknown);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unknown));
  EXPECT_EQ(queue_.on_fence.calls(), 0U);
  EXPECT_EQ(store_.on_raise_fence.calls(), 0U);
  EXPECT_EQ(inventory_.on_rebuild.calls(), 0U);
  EXPECT_EQ(keep()->view.epoch, 2U) << "the same rebuild goes on";
}

TEST_F(LaneReconcilerTest, AFenceRaisedSinceItWasSeenIsNotRaisedPastTheLog) {
  store_.lanes[kLane].fence = 0;
  store_.lanes[kLane].newest = 0;
  std::optional<OrderMessage> sold;
  // Another keeper opens the first epoch and sells under it, after this one has looked.
  store_.on_next_epoch.before([&] {
    make_ready(1);
    sold = reserve(1);
  });
  EXPECT_EQ(error_of(keep()), text_of(Errc::stale));
  EXPECT_EQ(store_.lanes[kLane].fence, 1U);
  EXPECT_EQ(inventory_.on_rebuild.calls(), 0U);
  EXPECT_FALSE(inventory_.lane(kLane).ready);
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(queue_.fences, (std::vector<Fence>{{kLane, 2}})) << "behind what the log holds";
  EXPECT_EQ(state->view.epoch, 2U);
  EXPECT_EQ(store_.orders.at(sold->id).status, OrderStatus::confirmed);
}

TEST_F(LaneReconcilerTest, OfTwoKeepersThatSawNoFenceOneRaisesItAndNeitherOpensTwice) {
  store_.lanes[kLane].fence = 0;
  store_.lanes[kLane].newest = 0;
  Metrics metrics;
  LaneReconciler::Ports ports{inventory_, queue_, store_, results_, clock_, metrics};
  LaneReconciler other(settings_, ports);
  store_.on_raise_fence.hold();
  const auto first = loop_.start(keeper_->keep(kLane, window_of(sale_), leader()));
  loop_.turn();
  const auto second = loop_.start(other.keep(kLane, window_of(sale_), leader()));
  loop_.turn();
  ASSERT_EQ(store_.on_raise_fence.waiting(), 2U);
  store_.on_raise_fence.let_go();
  loop_.turn();
  EXPECT_EQ(store_.lanes[kLane].fence, 1U);
  EXPECT_EQ(error_of(second.value()), text_of(Errc::stale)) << "it was raised by the first";
  EXPECT_EQ(error_of(first.value()), "ok");
  const auto state = loop_.finish(other.keep(kLane, window_of(sale_), leader()));
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->view.epoch, 1U);
  EXPECT_EQ(inventory_.on_rebuild.calls(), 1U);
}

TEST_F(LaneReconcilerTest, ASuspectLaneSellsUntilItsRebuildBegins) {
  make_ready();
  store_.lanes[kLane].suspect = 1;
  const auto seen = keep(follower());
  ASSERT_EQ(error_of(seen), "ok");
  EXPECT_EQ(seen->stage(), LaneStage::asked);
  auto without_queue = leader();
  without_queue.queue_up = false;
  ASSERT_EQ(error_of(keep(without_queue)), "ok") << "no fence would pass: it had better sell";
  EXPECT_EQ(inventory_.on_close.calls(), 0U);
  EXPECT_EQ(keep()->view.epoch, 2U);
}

TEST_F(LaneReconcilerTest, ALostLaneOpensWhenTheLogHasAppliedItsFence) {
  make_ready();
  inventory_.lane(kLane).ready = false;
  queue_.raise_in = nullptr;
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
  EXPECT_EQ(queue_.fences, (std::vector<Fence>{{kLane, 2}}));
  EXPECT_EQ(loop_.finish(keeper_->look(kLane, true))->stage(), LaneStage::fencing);
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
  EXPECT_EQ(queue_.fences.size(), 1U) << "it is on its way";
  EXPECT_EQ(store_.on_next_epoch.calls(), 1U) << "the same rebuild goes on";
  store_.lanes[kLane].fence = 2;
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->view.epoch, 2U);
}

TEST_F(LaneReconcilerTest, AFenceThatDoesNotArriveIsSentAgain) {
  make_ready();
  inventory_.lane(kLane).ready = false;
  queue_.raise_in = nullptr;
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
  clock_.advance(settings_.fence_again);
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
  EXPECT_EQ(queue_.fences, (std::vector<Fence>{{kLane, 2}, {kLane, 2}}));
}

TEST_F(LaneReconcilerTest, AFenceThatCannotBeSentLeavesTheLaneClosed) {
  make_ready();
  inventory_.lane(kLane).ready = false;
  queue_.on_fence.fail(Errc::unavailable);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unavailable));
  EXPECT_EQ(store_.lanes[kLane].fence, 1U);
  queue_.on_fence.fail(Errc::unknown, true);
  EXPECT_EQ(error_of(keep()), "ok") << "it was there after all";
}

TEST_F(LaneReconcilerTest, WhatTheOldLaneHeldIsDecidedOnce) {
  make_ready();
  reserve(1);
  inventory_.lane(kLane).ready = false;
  queue_.raise_in = nullptr;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
  EXPECT_EQ(store_.apply_calls.size(), 1U);
}

TEST_F(LaneReconcilerTest, AnEpochWhoseOpeningIsInDoubtIsNeverOpenedAgain) {
  make_ready();
  inventory_.lane(kLane).ready = false;
  inventory_.on_rebuild.fail(Errc::unknown);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unknown));
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->view.epoch, 3U);
}

TEST_F(LaneReconcilerTest, AnEpochThatWasSurelyNotOpenedIsNotWasted) {
  make_ready();
  inventory_.lane(kLane).ready = false;
  inventory_.on_rebuild.fail(Errc::unavailable);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unavailable));
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->view.epoch, 2U);
}

TEST_F(LaneReconcilerTest, ALargeImageIsCopiedOverSeveralRoundsFromOneSnapshot) {
  lose_lane_of(35);
  // Each page takes more than the whole round may.
  const auto slow = [this] { clock_.advance(settings_.tick); };
  for (std::size_t page = 1; page < 4; ++page) {
    store_.on_image_page.before(slow);
    EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
    EXPECT_EQ(inventory_.staged[kLane].orders.size(), 10 * page);
    ASSERT_TRUE(keeper_->copying(kLane));
    EXPECT_EQ(keeper_->copying(kLane)->staged_units, static_cast<std::int64_t>(10 * page));
    EXPECT_EQ(keeper_->copying(kLane)->units, 35);
    EXPECT_FALSE(inventory_.lane(kLane).ready);
  }
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(inventory_.lane(kLane).records.size(), 35U);
  EXPECT_EQ(store_.on_image.calls(), 1U);
  EXPECT_EQ(store_.images_open, 0U);
  EXPECT_FALSE(keeper_->copying(kLane));
}

TEST_F(LaneReconcilerTest, ACopyThatFailsLeavesNothingAndBeginsAnewLaterAndLater) {
  lose_lane_of(35);
  const auto fail_at_the_second_page = [this] { inventory_.on_stage.fail(Errc::unavailable); };
  for (const Millis pause : {Millis{0}, settings_.busy_tick, 2 * settings_.busy_tick}) {
    const auto images = store_.on_image.calls();
    store_.on_image_page.before(fail_at_the_second_page);
    EXPECT_EQ(error_of(keep()), text_of(Errc::unavailable));
    EXPECT_EQ(store_.images_open, 0U);
    EXPECT_FALSE(inventory_.staged.contains(kLane));
    EXPECT_FALSE(keeper_->copying(kLane));
    if (pause > Millis{0}) {
      EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
    }
    EXPECT_EQ(store_.on_image.calls(), images + 1);
    clock_.advance(pause);
  }
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->view.epoch, 2U) << "the epoch was never in doubt";
}

TEST_F(LaneReconcilerTest, ACopyThatNoRoundGoesOnWithIsGivenUp) {
  lose_lane_of(35);
  store_.on_image_page.before([this] { clock_.advance(settings_.tick); });
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
  EXPECT_EQ(store_.images_open, 1U);
  clock_.advance(std::chrono::seconds(31));
  ASSERT_TRUE(loop_.finish(keeper_->drop_copies(leader())));
  EXPECT_EQ(store_.images_open, 0U);
  EXPECT_FALSE(inventory_.staged.contains(kLane));
}

TEST_F(LaneReconcilerTest, ANodeThatLeadsNoMoreGivesItsCopiesUpAtOnce) {
  lose_lane_of(35);
  store_.on_image_page.before([this] { clock_.advance(settings_.tick); });
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
  ASSERT_TRUE(loop_.finish(keeper_->drop_copies(leader())));
  EXPECT_EQ(store_.images_open, 1U) << "the next round goes on";
  ASSERT_TRUE(loop_.finish(keeper_->drop_copies(follower())));
  EXPECT_EQ(store_.images_open, 0U);
  EXPECT_FALSE(inventory_.staged.contains(kLane));
}

TEST_F(LaneReconcilerTest, AnEpochThatAnotherBeganToOpenIsNotOpened) {
  make_ready();
  inventory_.lane(kLane).ready = false;
  store_.lanes[kLane].newest = 2;
  store_.lanes[kLane].fence = 2;
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->view.epoch, 3U) << "the opening under epoch 2 may arrive at any moment";
}

TEST_F(LaneReconcilerTest, TwoLeadersThatAlternateUseOneEpoch) {
  make_ready();
  const auto promised = reserve(1);
  inventory_.lane(kLane).ready = false;
  queue_.raise_in = nullptr;
  Metrics metrics;
  LaneReconciler::Ports ports{inventory_, queue_, store_, results_, clock_, metrics};
  LaneReconciler other(settings_, ports);
  auto duty = leader();
  for (Term term = 1; term < 200; ++term) {
    store_.term = term;
    duty.term = term;
    auto& leading = term % 2 == 0 ? *keeper_ : other;
    const auto kept = loop_.finish(leading.keep(kLane, window_of(sale_), duty));
    EXPECT_EQ(error_of(kept), text_of(Errc::not_ready)) << "the fence is on its way";
  }
  EXPECT_EQ(store_.lanes[kLane].newest, 2U);
  EXPECT_TRUE(store_.orders.contains(promised.id));
  store_.lanes[kLane].fence = 2;
  const auto state = loop_.finish(other.keep(kLane, window_of(sale_), duty));
  ASSERT_EQ(error_of(state), "ok") << "who leads opens it, whoever was allotted it";
  EXPECT_EQ(state->view.epoch, 2U);
}

TEST_F(LaneReconcilerTest, ALeaderThatWasReplacedOpensNothing) {
  make_ready();
  inventory_.lane(kLane).ready = false;
  store_.on_image.before([&] { store_.term = 2; });
  EXPECT_EQ(error_of(keep()), text_of(Errc::stale));
  EXPECT_EQ(inventory_.on_rebuild.calls(), 0U);
  EXPECT_EQ(error_of(keep()), text_of(Errc::stale)) << "nor is it allotted another epoch";
  EXPECT_EQ(store_.lanes[kLane].newest, 2U);
  store_.term = 1;
  EXPECT_EQ(keep()->view.epoch, 2U);
}

TEST_F(LaneReconcilerTest, WhetherAnOpeningBeganMayBeUnknown) {
  make_ready();
  inventory_.lane(kLane).ready = false;
  store_.on_begin_opening.fail(Errc::unknown, true);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unknown));
  EXPECT_EQ(keep()->view.epoch, 3U);
  inventory_.lane(kLane).ready = false;
  store_.on_begin_opening.fail(Errc::unknown);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unknown));
  EXPECT_EQ(keep()->view.epoch, 4U) << "it had not begun";
}

TEST_F(LaneReconcilerTest, AFenceThatAnotherRaisedHigherStopsTheOpening) {
  make_ready();
  inventory_.lane(kLane).ready = false;
  store_.on_image.before([&] {
    store_.lanes[kLane].newest = 5;
    store_.lanes[kLane].fence = 5;
  });
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
  EXPECT_FALSE(inventory_.lane(kLane).ready);
  EXPECT_EQ(keep()->view.epoch, 6U);
}

TEST_F(LaneReconcilerTest, WhatIsPendingIsDecidedInPartsThatTheStoreTakes) {
  make_ready();
  store_.lanes[kLane].stock = 5000;
  for (std::uint64_t i = 0; i < 2500; ++i) reserve(i);
  inventory_.lane(kLane).ready = false;
  ASSERT_EQ(error_of(keep()), "ok");
  EXPECT_EQ(store_.orders.size(), 2500U);
  EXPECT_GE(store_.apply_calls.size(), 2U);
  for (const auto& call : store_.apply_calls) EXPECT_LE(call.messages.size(), 1000U);
}

TEST_F(LaneReconcilerTest, NothingIsFencedBeforeThePendingOrdersAreDecided) {
  make_ready();
  reserve(1);
  inventory_.lane(kLane).ready = false;
  store_.on_apply.fail(Errc::unavailable);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unavailable));
  inventory_.on_overdue.fail(Errc::unknown);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unknown));
  EXPECT_EQ(queue_.on_fence.calls(), 0U);
  EXPECT_EQ(error_of(keep()), "ok");
}

TEST_F(LaneReconcilerTest, ALaneBehindTheFenceIsRebuilt) {
  make_ready(3);
  store_.lanes[kLane].fence = 4;
  store_.lanes[kLane].newest = 4;
  EXPECT_EQ(error_of(keep(follower())), text_of(Errc::not_ready));
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->view.epoch, 5U);
}

TEST_F(LaneReconcilerTest, WithoutTheInventoryTheStoreSellsBehindAFence) {
  make_ready();
  inventory_.on_view.fail_always(Errc::unavailable);
  queue_.raise_in = nullptr;
  EXPECT_EQ(error_of(keep(without_inventory())), text_of(Errc::not_ready));
  EXPECT_EQ(queue_.fences, (std::vector<Fence>{{kLane, 2}})) << "what the log holds comes first";
  store_.lanes[kLane].fence = 2;
  const auto state = keep(without_inventory());
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->head.authority(), Authority::store);
  EXPECT_EQ(state->stage(), LaneStage::ready);
  EXPECT_EQ(inventory_.on_view.calls(), 0U) << "it would not answer";
  auto elsewhere = follower();
  elsewhere.inventory_up = false;
  EXPECT_EQ(error_of(keep(elsewhere)), "ok") << "the row says so to every node";
}

TEST_F(LaneReconcilerTest, TheInventoryTakesOverFromTheStoreWithoutTheLog) {
  make_ready();
  inventory_.lane(kLane).ready = false;
  ASSERT_EQ(keep(without_inventory())->head.authority(), Authority::store);
  const auto sold = test::message_of(kLane, test::user_of(1), 2, 2);
  store_.decide(sold);
  queue_.on_fence.fail_always(Errc::unavailable);
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->head.authority(), Authority::inventory);
  EXPECT_EQ(state->view.epoch, 3U);
  EXPECT_EQ(state->view.stock, 98);
}

TEST_F(LaneReconcilerTest, TheStoreKeepsSellingWhileTheInventoryIsStillAway) {
  make_ready();
  ASSERT_EQ(error_of(keep(without_inventory())), "ok");
  auto impatient = leader(Authority::inventory);
  impatient.inventory_up = false;
  const auto state = keep(impatient);
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->head.authority(), Authority::store);
  EXPECT_EQ(store_.on_next_epoch.calls(), 1U);
}

TEST_F(LaneReconcilerTest, AnInventoryThatComesBackAsItWasIsClosedWhileTheStoreSells) {
  make_ready();
  ASSERT_EQ(keep(without_inventory())->head.authority(), Authority::store);
  ASSERT_TRUE(inventory_.lane(kLane).ready);
  const auto state = keep(leader(Authority::store));
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->head.authority(), Authority::store);
  EXPECT_TRUE(inventory_.lane(kLane).closed);
}

TEST_F(LaneReconcilerTest, AnInventoryThatComesBackMidwayGetsAnEpochOfItsOwn) {
  make_ready();
  inventory_.lane(kLane).ready = false;
  queue_.raise_in = nullptr;
  EXPECT_EQ(error_of(keep(without_inventory())), text_of(Errc::not_ready));
  apply_fences_at_once();
  const auto state = keep();
  ASSERT_EQ(error_of(state), "ok");
  EXPECT_EQ(state->view.epoch, 3U);
  EXPECT_EQ(state->head.authority(), Authority::inventory);
}

TEST_F(LaneReconcilerTest, ALaneThatIsStillNotReadyAfterARebuildIsNoSuccess) {
  store_.lanes[kLane].window = {};
  sale_ = Sale{};
  inventory_.on_view.before(
      [&] { inventory_.on_view.before([&] { inventory_.lane(kLane).ready = false; }); });
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_ready));
}

TEST_F(LaneReconcilerTest, LargeImagesAreBoundedHoweverManyLanesAreKeptAtOnce) {
  settings_.rebuilds_max = 1;
  make();
  const LaneId lanes[] = {kLane, {7, 1}, {7, 2}};
  for (const auto lane : lanes) {
    auto& row = store_.lanes[lane];
    row.window = window_of(sale_);
    row.stock = 5'000;
    store_.decide(test::message_of(lane, test::user_of(lane.index), 2'000));
  }
  store_.on_begin_opening.hold();
  std::vector<test::Running<Result<LaneState>>> running;
  for (const auto lane : lanes) {
    running.push_back(loop_.start(keeper_->keep(lane, window_of(sale_), leader())));
  }
  loop_.turn();
  EXPECT_EQ(store_.on_begin_opening.waiting(), 1U) << "the others wait for their turn";
  store_.on_begin_opening.let_go();
  loop_.turn();
  std::size_t ready = 0;
  for (const auto& one : running) ready += one.value().has_value() ? 1U : 0U;
  EXPECT_EQ(ready, 1U);
}

TEST_F(LaneReconcilerTest, FailuresArePassedOn) {
  make_ready();
  inventory_.on_view.fail(Errc::unavailable);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unavailable));
  store_.on_head.fail(Errc::unknown);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unknown));
  sale_.state = SaleState::paused;
  ++sale_.revision;
  inventory_.on_set_window.fail(Errc::unavailable);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unavailable));
  store_.lanes[kLane].suspect = 1;
  inventory_.on_close.fail(Errc::unknown);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unknown));
  inventory_.lane(kLane).ready = false;
  inventory_.on_rebuild.fail(Errc::stale);
  EXPECT_EQ(error_of(keep()), text_of(Errc::stale)) << "another node was quicker";
  store_.on_image.fail(Errc::unavailable);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unavailable));
  store_.on_next_epoch.fail(Errc::overloaded);
  inventory_.on_rebuild.fail(Errc::unknown);
  clock_.advance(settings_.rebuild_retry_max);
  EXPECT_EQ(error_of(keep()), text_of(Errc::unknown));
  clock_.advance(settings_.rebuild_retry_max);
  EXPECT_EQ(error_of(keep()), text_of(Errc::overloaded));
  store_.lanes.clear();
  EXPECT_EQ(error_of(keep()), text_of(Errc::not_found));
}

TEST_F(LaneReconcilerTest, DecidesOnlyWhatIsOverdue) {
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

TEST_F(LaneReconcilerTest, DecidesAtMostItsBoundInOneStep) {
  settings_.overdue_max = 3;
  make();
  make_ready();
  for (std::uint64_t i = 0; i < 5; ++i) reserve(i);
  clock_.advance(settings_.overdue_age);
  EXPECT_EQ(*decide_overdue(), 3U);
  EXPECT_EQ(*decide_overdue(), 2U);
  EXPECT_EQ(*decide_overdue(), 0U);
}

TEST_F(LaneReconcilerTest, WhatWasAppliedAlreadyIsSettledAgainWithoutChange) {
  make_ready();
  const auto message = reserve(1);
  store_.decide(message);
  clock_.advance(settings_.overdue_age);
  EXPECT_EQ(*decide_overdue(), 1U);
  EXPECT_EQ(store_.lanes[kLane].stock, 99);
  EXPECT_EQ(inventory_.lane(kLane).records.at(message.user).order.status, OrderStatus::confirmed);
}

TEST_F(LaneReconcilerTest, OverdueOrdersStayWhenTheStoreDoesNotAnswer) {
  make_ready();
  const auto message = reserve(1);
  clock_.advance(settings_.overdue_age);
  store_.on_apply.fail(Errc::unavailable);
  EXPECT_EQ(error_of(decide_overdue()), text_of(Errc::unavailable));
  EXPECT_EQ(inventory_.lane(kLane).records.at(message.user).order.status, OrderStatus::queued);
  EXPECT_EQ(*decide_overdue(), 1U);
}

class LoggedLaneReconcilerTest : public LaneReconcilerTest {
 protected:
  LoggedLaneReconcilerTest() {
    queue_.decides_at_once = false;
    make_ready();
  }

  Millis age() {
    EXPECT_EQ(error_of(decide_overdue()), "ok");
    return inventory_.overdue_ages.back();
  }
};

TEST_F(LoggedLaneReconcilerTest, WaitsForWhatMayStillBeOnItsWay) {
  through_ = clock_.now();
  EXPECT_EQ(age(), settings_.overdue_age);
  through_ = clock_.now() - Millis{20'000};
  EXPECT_EQ(age(), Millis{25'000}) << "as far behind as the log, and the clocks' difference";
  through_ = clock_.now() + Millis{60'000};
  EXPECT_EQ(age(), settings_.overdue_age) << "never younger than that";
}

TEST_F(LoggedLaneReconcilerTest, WaitsNoLongerThanItsBound) {
  through_ = TimePoint{};
  EXPECT_EQ(age(), settings_.overdue_age_max);
  through_.reset();
  EXPECT_EQ(age(), settings_.overdue_age_max) << "a partition nobody has read says nothing";
}

TEST_F(LoggedLaneReconcilerTest, WhileTheLogIsAwayNobodyWaitsForIt) {
  through_ = TimePoint{};
  EXPECT_EQ(error_of(decide_overdue(false)), "ok");
  EXPECT_EQ(inventory_.overdue_ages.back(), settings_.overdue_age);
}

}  // namespace
}  // namespace sluice
