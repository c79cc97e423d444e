#include "sluice/inventory/sold_out_view.hpp"

#include <gtest/gtest.h>
#include <utility>
#include <vector>

#include "support/store_values.hpp"

namespace sluice {
namespace {

using Answer = SoldOut::Answer;

constexpr Millis kFresh{1000};
constexpr Ticks kStart{std::chrono::hours(1)};

/// A page of a lane without units.
WinnersPage page_of(std::uint64_t version, const std::vector<UserId>& winners,
                    std::string next = "1") {
  WinnersPage page;
  page.version = version;
  for (const auto& user : winners) page.hashes.push_back(winner_hash(user));
  page.next = std::move(next);
  page.last = true;
  return page;
}

class SoldOutViewTest : public testing::Test {
 protected:
  SoldOutViewTest() : winner_(test::user_of(1)), loser_(test::user_of(2)) {}

  Answer ask(const UserId& user, Ticks now = kStart, std::uint64_t newest = 0) const {
    return view_.known() ? view_.known()->ask(user, newest, now) : Answer::ask_the_lane;
  }

  /// Reads what the view asks for and answers it so.
  void read(Result<WinnersPage> page, Ticks now = kStart) {
    const auto asked = view_.next(true, now);
    ASSERT_TRUE(asked);
    view_.read(asked->epoch, std::move(page), now);
  }

  /// Sold out at epoch 3, version 5, with its winners known.
  void complete(bool may_return = false) {
    view_.said_sold_out(3);
    auto page = page_of(5, {winner_});
    page.may_return = may_return;
    read(page);
  }

  SoldOutView view_{kFresh};
  UserId winner_;
  UserId loser_;
};

TEST_F(SoldOutViewTest, AnOpenViewAsksTheLaneAndHasNothingToDo) {
  EXPECT_EQ(ask(loser_), Answer::ask_the_lane);
  EXPECT_FALSE(view_.next(true, kStart));
  view_.read(3, page_of(5, {winner_}), kStart);
  EXPECT_EQ(ask(loser_), Answer::ask_the_lane) << "nothing was said yet";
  EXPECT_FALSE(view_.next(true, kStart));
}

TEST_F(SoldOutViewTest, RefusesNobodyBeforeTheLastPageIsRead) {
  view_.said_sold_out(3);
  EXPECT_EQ(ask(loser_), Answer::ask_the_lane);
  for (const auto* const cursor : {"", "10", "20"}) {
    const auto asked = view_.next(false, kStart);
    ASSERT_TRUE(asked) << "at once";
    EXPECT_EQ(asked->epoch, 3U);
    EXPECT_EQ(asked->cursor, cursor);
    auto page = page_of(5, {test::user_of(7)}, asked->cursor.empty() ? "10" : "20");
    page.last = false;
    view_.read(3, std::move(page), kStart);
    EXPECT_EQ(ask(loser_), Answer::ask_the_lane);
    EXPECT_TRUE(view_.reading());
  }
  read(page_of(5, {winner_}));
  EXPECT_EQ(ask(loser_), Answer::sold_out);
  EXPECT_EQ(ask(winner_), Answer::ask_the_lane);
  EXPECT_EQ(ask(test::user_of(7)), Answer::ask_the_lane) << "of an earlier page";
}

TEST_F(SoldOutViewTest, SaysForNowWhileUnitsAreHeld) {
  complete(true);
  EXPECT_EQ(ask(loser_), Answer::sold_out_for_now);
  read(page_of(5, {}), kStart + kFresh / 4);
  EXPECT_EQ(ask(loser_), Answer::sold_out) << "nothing is pending any more";
  auto pending = page_of(5, {});
  pending.may_return = true;
  read(pending, kStart + kFresh / 2);
  EXPECT_EQ(ask(loser_), Answer::sold_out_for_now);
}

TEST_F(SoldOutViewTest, AUnitThatIsLeftOpensItAndWhatWasReadIsKept) {
  complete();
  const auto before = view_.known();
  auto left = page_of(6, {});
  left.stock = 1;
  left.next = "44";
  read(left, kStart + kFresh / 4);
  EXPECT_EQ(before->ask(loser_, 0, kStart + kFresh / 4), Answer::ask_the_lane) << "on all threads";
  EXPECT_EQ(ask(loser_, kStart + kFresh / 4), Answer::ask_the_lane);
  EXPECT_FALSE(view_.next(true, kStart + kFresh)) << "the lane has to say it again";

  view_.said_sold_out(3);
  const auto asked = view_.next(false, kStart + kFresh);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->cursor, "44") << "only those who came since";
  view_.read(3, page_of(6, {test::user_of(8)}), kStart + kFresh);
  EXPECT_EQ(ask(loser_, kStart + kFresh), Answer::sold_out);
  EXPECT_EQ(ask(winner_, kStart + kFresh), Answer::ask_the_lane);
  EXPECT_EQ(ask(test::user_of(8), kStart + kFresh), Answer::ask_the_lane);
}

TEST_F(SoldOutViewTest, AUnitThatIsLeftOnTheFirstLookOpensIt) {
  view_.said_sold_out(3);
  auto left = page_of(5, {winner_});
  left.stock = 1;
  read(left);
  EXPECT_EQ(ask(loser_), Answer::ask_the_lane);
  EXPECT_FALSE(view_.complete());
}

TEST_F(SoldOutViewTest, ANewerVersionIsAnotherMoment) {
  complete();
  const auto before = view_.known();
  read(page_of(6, {test::user_of(8)}), kStart + kFresh / 4);
  EXPECT_EQ(before->ask(test::user_of(8), 0, kStart + kFresh / 4), Answer::ask_the_lane)
      << "a thread that still has it must not refuse who won since";
  EXPECT_NE(view_.known(), before);
  EXPECT_EQ(ask(test::user_of(8), kStart + kFresh / 4), Answer::ask_the_lane);
  EXPECT_EQ(ask(loser_, kStart + kFresh / 4), Answer::sold_out);
}

TEST_F(SoldOutViewTest, AListThatGrewByManyIsReadToItsEndAgain) {
  complete();
  auto page = page_of(6, {test::user_of(8)});
  page.last = false;
  read(page, kStart + kFresh / 4);
  EXPECT_EQ(ask(loser_, kStart + kFresh / 4), Answer::ask_the_lane);
  read(page_of(6, {}), kStart + kFresh / 4);
  EXPECT_EQ(ask(loser_, kStart + kFresh / 4), Answer::sold_out);
}

TEST_F(SoldOutViewTest, WhoeverHeardOfANewerMomentAsksTheLane) {
  complete();
  EXPECT_EQ(ask(loser_, kStart, lane_moment(3, 5)), Answer::sold_out);
  EXPECT_EQ(ask(loser_, kStart, lane_moment(3, 6)), Answer::ask_the_lane);
  EXPECT_EQ(ask(loser_, kStart, lane_moment(4, 1)), Answer::ask_the_lane);
  EXPECT_EQ(ask(loser_, kStart, lane_moment(2, 9)), Answer::sold_out);
}

TEST_F(SoldOutViewTest, AnotherEpochHasAListOfItsOwn) {
  complete();
  const auto before = view_.known();
  view_.said_sold_out(2);
  EXPECT_EQ(ask(loser_), Answer::sold_out) << "old news";
  view_.said_sold_out(4);
  EXPECT_EQ(before->ask(loser_, 0, kStart), Answer::ask_the_lane);
  EXPECT_EQ(ask(loser_), Answer::ask_the_lane);
  const auto asked = view_.next(false, kStart);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->epoch, 4U);
  EXPECT_EQ(asked->cursor, "") << "from its beginning";
  EXPECT_EQ(view_.winners(), 0U);
  view_.read(3, page_of(5, {winner_}), kStart);
  EXPECT_EQ(ask(loser_), Answer::ask_the_lane) << "a late answer";
  view_.read(4, page_of(1, {winner_}), kStart);
  EXPECT_EQ(ask(loser_), Answer::sold_out);
}

TEST_F(SoldOutViewTest, AnEpochThatIsOverIsForgotten) {
  for (const auto error : {Errc::not_ready, Errc::invalid}) {
    SoldOutView view(kFresh);
    view.said_sold_out(3);
    view.read(3, page_of(5, {winner_}), kStart);
    const auto before = view.known();
    view.read(3, error, kStart);
    EXPECT_EQ(before->ask(loser_, 0, kStart), Answer::ask_the_lane);
    EXPECT_FALSE(view.known());
    EXPECT_EQ(view.winners(), 0U);
    EXPECT_FALSE(view.next(true, kStart + kFresh));
  }
}

TEST_F(SoldOutViewTest, IsStaleAfterFreshForUnlessLookedAt) {
  complete();
  EXPECT_EQ(ask(loser_, kStart + kFresh - Millis{1}), Answer::sold_out);
  EXPECT_EQ(ask(loser_, kStart + kFresh), Answer::ask_the_lane);
  const auto known = view_.known();
  read(page_of(5, {}), kStart + Millis{800});
  EXPECT_EQ(view_.known(), known) << "renewed in place";
  EXPECT_EQ(ask(loser_, kStart + kFresh), Answer::sold_out);
  EXPECT_EQ(ask(loser_, kStart + kFresh + Millis{800}), Answer::ask_the_lane);
}

TEST_F(SoldOutViewTest, FailedLooksLeaveItUntilItIsStale) {
  complete();
  for (const auto after : {Millis{250}, Millis{500}, Millis{750}}) {
    read(Errc::unknown, kStart + after);
    EXPECT_EQ(ask(loser_, kStart + after), Answer::sold_out);
  }
  EXPECT_EQ(ask(loser_, kStart + kFresh), Answer::ask_the_lane);
}

TEST_F(SoldOutViewTest, APageThatFailedIsReadAgainAfterAQuarter) {
  view_.said_sold_out(3);
  read(Errc::unavailable);
  view_.said_sold_out(3);
  EXPECT_FALSE(view_.next(true, kStart + Millis{249}));
  EXPECT_TRUE(view_.next(true, kStart + Millis{250}));
}

TEST_F(SoldOutViewTest, LooksEachQuarterWhileBuyersAsk) {
  complete();
  EXPECT_FALSE(view_.next(true, kStart + Millis{249}));
  EXPECT_FALSE(view_.next(false, kStart + Millis{250})) << "nobody asks";
  EXPECT_FALSE(view_.next(false, kStart + 9 * kFresh));
  EXPECT_TRUE(view_.next(true, kStart + 9 * kFresh));
  EXPECT_FALSE(view_.next(true, kStart + 9 * kFresh)) << "under way";
}

// Every sequence of events, up to a length: nobody is ever refused unless the lane said "sold out",
// its list was read to the end in one epoch, no unit was left then, and the user is not on it.
TEST_F(SoldOutViewTest, NeverRefusesAWinnerOrWithoutCompleteKnowledge) {
  constexpr int kEvents = 8;
  constexpr int kLength = 6;
  int sequences = 1;
  for (int i = 0; i < kLength; ++i) sequences *= kEvents;
  for (int sequence = 0; sequence < sequences; ++sequence) {
    SoldOutView view(kFresh);
    Epoch epoch = 0;
    bool said = false;
    bool complete = false;
    bool winner_read = false;
    for (int i = 0, rest = sequence; i < kLength; ++i, rest /= kEvents) {
      const int event = rest % kEvents;
      if (event < 2) {
        const Epoch of = event == 0 ? 3 : 4;
        if (of > epoch) complete = winner_read = false;
        if (of >= epoch) said = true;
        epoch = std::max(epoch, of);
        view.said_sold_out(of);
      } else if (event < 7) {
        auto page = page_of(5, event == 2 ? std::vector{winner_} : std::vector<UserId>());
        page.last = event != 3;
        page.stock = event == 4 ? 1 : 0;
        const Epoch of = event == 5 ? epoch - 1 : epoch;
        view.read(of, event == 6 ? Result<WinnersPage>(Errc::not_ready) : page, kStart);
        if (!said || of != epoch) continue;
        winner_read = event != 6 && (winner_read || event == 2);
        complete = event == 2;
        said = event == 2 || event == 3;
      } else {
        view.forget();
        said = complete = winner_read = false;
      }
      const auto answer = [&](const UserId& user) {
        return view.known() ? view.known()->ask(user, 0, kStart) : Answer::ask_the_lane;
      };
      const auto expected = complete ? Answer::sold_out : Answer::ask_the_lane;
      ASSERT_EQ(answer(loser_), expected) << "sequence " << sequence << " step " << i;
      const auto of_winner = winner_read ? Answer::ask_the_lane : expected;
      ASSERT_EQ(answer(winner_), of_winner) << "sequence " << sequence << " step " << i;
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
