#include "sluice/inventory/sold_out_view.hpp"

#include <gtest/gtest.h>

#include "support/store_values.hpp"

namespace sluice {
namespace {

using Step = SoldOutView::Step;
using Answer = SoldOutView::Answer;

constexpr Millis kFresh{1000};
constexpr Ticks kStart{std::chrono::hours(1)};

class SoldOutViewTest : public testing::Test {
 protected:
  SoldOutViewTest() : winner_(test::user_of(1)), loser_(test::user_of(2)) {}

  Winners winners_at(std::uint64_t version) const {
    Winners winners;
    winners.version = version;
    winners.users = {winner_};
    return winners;
  }

  static LaneView lane_at(std::uint64_t version, Epoch epoch = 3) {
    LaneView view;
    view.ready = true;
    view.epoch = epoch;
    view.version = version;
    return view;
  }

  /// Sold out at epoch 3, version 5, with its winners known.
  void complete(bool may_return = false) {
    view_.said_sold_out(3, 5, may_return, kStart);
    view_.winners(3, winners_at(5), kStart);
  }

  SoldOutView view_{kFresh};
  UserId winner_;
  UserId loser_;
};

TEST_F(SoldOutViewTest, AnOpenViewAsksTheLaneAndHasNothingToDo) {
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::ask_the_lane);
  EXPECT_EQ(view_.next(kStart), Step::none);
  view_.winners(3, winners_at(5), kStart);
  view_.seen(lane_at(5), kStart);
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::ask_the_lane) << "nothing was said yet";
  EXPECT_EQ(view_.next(kStart), Step::none);
}

TEST_F(SoldOutViewTest, RefusesNobodyBeforeTheWinnersAreKnown) {
  view_.said_sold_out(3, 5, false, kStart);
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::ask_the_lane);
  view_.seen(lane_at(5), kStart);
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::ask_the_lane) << "a check brings no winners";
  EXPECT_EQ(view_.next(kStart), Step::fetch_winners);
}

TEST_F(SoldOutViewTest, RefusesTheOthersOnceTheWinnersAreKnown) {
  complete();
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::sold_out);
  EXPECT_EQ(view_.ask(winner_, kStart), Answer::ask_the_lane);
}

TEST_F(SoldOutViewTest, SaysForNowWhileUnitsAreHeld) {
  complete(true);
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::sold_out_for_now);
  view_.seen(lane_at(5), kStart);
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::sold_out) << "nothing is pending any more";
  auto pending = lane_at(5);
  pending.pending = 1;
  view_.seen(pending, kStart);
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::sold_out_for_now);
  view_.said_sold_out(3, 5, false, kStart);
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::sold_out) << "the lane's own word counts as well";
}

TEST_F(SoldOutViewTest, WinnersOfAnotherVersionAreDiscarded) {
  for (const std::uint64_t version : {4U, 6U}) {
    SoldOutView view(kFresh);
    view.said_sold_out(3, 5, false, kStart);
    view.winners(3, winners_at(version), kStart);
    EXPECT_EQ(view.ask(loser_, kStart), Answer::ask_the_lane);
    EXPECT_EQ(view.next(kStart), Step::none) << "open again: the lane has to say it anew";
  }
}

TEST_F(SoldOutViewTest, WinnersOfAnOlderEpochChangeNothing) {
  view_.said_sold_out(3, 5, false, kStart);
  view_.winners(2, winners_at(5), kStart);
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::ask_the_lane);
  EXPECT_EQ(view_.next(kStart), Step::fetch_winners);
}

TEST_F(SoldOutViewTest, WinnersOfANewerEpochOpenIt) {
  view_.said_sold_out(3, 5, false, kStart);
  view_.winners(4, winners_at(5), kStart);
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::ask_the_lane);
  EXPECT_EQ(view_.next(kStart), Step::none) << "else it would fetch in vain for ever";
}

TEST_F(SoldOutViewTest, LateWinnersDoNotReplaceACompleteSet) {
  complete();
  Winners late;
  late.version = 5;
  view_.winners(3, late, kStart);
  EXPECT_EQ(view_.ask(winner_, kStart), Answer::ask_the_lane);
}

TEST_F(SoldOutViewTest, AnyOtherVersionEpochOrStockOpensIt) {
  auto stock = lane_at(5);
  stock.stock = 1;
  for (const auto& news :
       {lane_at(6), lane_at(4), lane_at(5, 4), lane_at(5, 2), stock, LaneView()}) {
    SoldOutView view(kFresh);
    view.said_sold_out(3, 5, false, kStart);
    view.winners(3, winners_at(5), kStart);
    view.seen(news, kStart);
    EXPECT_EQ(view.ask(loser_, kStart), Answer::ask_the_lane);
    EXPECT_EQ(view.next(kStart + kFresh), Step::none);
  }
}

TEST_F(SoldOutViewTest, ANewerWordNeedsItsOwnWinners) {
  complete();
  view_.said_sold_out(3, 6, false, kStart);
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::ask_the_lane);
  EXPECT_EQ(view_.next(kStart), Step::fetch_winners) << "at once";
  view_.winners(3, winners_at(5), kStart);
  EXPECT_EQ(view_.ask(loser_, kStart), Answer::ask_the_lane);

  SoldOutView after_rebuild(kFresh);
  after_rebuild.said_sold_out(3, 5, false, kStart);
  after_rebuild.winners(3, winners_at(5), kStart);
  after_rebuild.said_sold_out(4, 5, false, kStart);
  EXPECT_EQ(after_rebuild.ask(loser_, kStart), Answer::ask_the_lane) << "another epoch";
}

TEST_F(SoldOutViewTest, IsStaleAfterFreshForUnlessChecked) {
  complete();
  EXPECT_EQ(view_.ask(loser_, kStart + kFresh - Millis{1}), Answer::sold_out);
  EXPECT_EQ(view_.ask(loser_, kStart + kFresh), Answer::ask_the_lane);
  view_.seen(lane_at(5), kStart + Millis{800});
  EXPECT_EQ(view_.ask(loser_, kStart + kFresh), Answer::sold_out);
  EXPECT_EQ(view_.ask(loser_, kStart + kFresh + Millis{800}), Answer::ask_the_lane);
}

TEST_F(SoldOutViewTest, AStepIsAskedAgainAfterAQuarter) {
  view_.said_sold_out(3, 5, false, kStart);
  EXPECT_EQ(view_.next(kStart), Step::fetch_winners);
  EXPECT_EQ(view_.next(kStart + Millis{249}), Step::none);
  EXPECT_EQ(view_.next(kStart + Millis{250}), Step::fetch_winners) << "no answer came";
  view_.winners(3, winners_at(5), kStart + Millis{260});
  EXPECT_EQ(view_.next(kStart + Millis{499}), Step::none);
  EXPECT_EQ(view_.next(kStart + Millis{500}), Step::check_version);
  EXPECT_EQ(view_.next(kStart + Millis{501}), Step::none);
}

// Every sequence of events, up to a length: nobody is ever refused unless the last word of the lane
// was "sold out", its winners are known, and the user is not among them.
TEST_F(SoldOutViewTest, NeverRefusesAWinnerOrWithoutCompleteKnowledge) {
  constexpr int kEvents = 8;
  constexpr int kLength = 5;
  int sequences = 1;
  for (int i = 0; i < kLength; ++i) sequences *= kEvents;
  for (int sequence = 0; sequence < sequences; ++sequence) {
    SoldOutView view(kFresh);
    bool said = false;
    bool known = false;
    std::uint64_t version = 0;
    for (int i = 0, rest = sequence; i < kLength; ++i, rest /= kEvents) {
      const std::uint64_t v = rest % 2 == 0 ? 5 : 6;
      switch (rest % kEvents / 2) {
        case 0:
          if (!said || version != v) known = false;
          view.said_sold_out(3, v, false, kStart);
          said = true;
          version = v;
          break;
        case 1:
          view.winners(3, winners_at(v), kStart);
          if (!said || known) break;
          known = version == v;
          said = known;
          break;
        case 2:
          view.seen(lane_at(v), kStart);
          if (version != v) said = known = false;
          break;
        default:
          view.seen(LaneView(), kStart);
          said = known = false;
          break;
      }
      EXPECT_EQ(view.ask(winner_, kStart), Answer::ask_the_lane);
      const auto expected = said && known ? Answer::sold_out : Answer::ask_the_lane;
      ASSERT_EQ(view.ask(loser_, kStart), expected) << "sequence " << sequence << " step " << i;
    }
  }
}

TEST(SettleAction, KeepsDropsAndGivesBack) {
  const auto action = [](OrderStatus status, RejectReason reason = RejectReason::none) {
    Outcome outcome;
    outcome.status = status;
    outcome.reason = reason;
    return settle_action(outcome);
  };
  EXPECT_EQ(action(OrderStatus::queued), SettleAction::keep);
  EXPECT_EQ(action(OrderStatus::confirmed), SettleAction::keep);
  EXPECT_EQ(action(OrderStatus::paid), SettleAction::keep);
  EXPECT_EQ(action(OrderStatus::rejected, RejectReason::stock), SettleAction::drop);
  EXPECT_EQ(action(OrderStatus::rejected, RejectReason::duplicate), SettleAction::give_back);
  EXPECT_EQ(action(OrderStatus::rejected, RejectReason::fenced), SettleAction::give_back);
  EXPECT_EQ(action(OrderStatus::rejected, RejectReason::invalid), SettleAction::give_back);
  EXPECT_EQ(action(OrderStatus::cancelled), SettleAction::give_back);
  EXPECT_EQ(action(OrderStatus::expired), SettleAction::give_back);
}

}  // namespace
}  // namespace sluice
