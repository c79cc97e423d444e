#include "support/inventory_contract.hpp"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <utility>

#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using std::chrono::hours;

std::vector<InventoryContract>& registry() {
  static std::vector<InventoryContract> contracts;
  return contracts;
}

std::vector<Verdict> verdicts(const ReserveReply& reply) {
  std::vector<Verdict> out;
  for (const auto& reservation : reply.reservations) out.push_back(reservation.verdict);
  return out;
}

class InventorySuite : public testing::TestWithParam<InventoryContract> {
 protected:
  std::unique_ptr<InventoryWorld> world_ = GetParam().make();
  LaneDriver lane_{*world_};
};

TEST_P(InventorySuite, KnowsNothingOfALaneThatWasNeverRebuilt) {
  const auto attempt = lane_.attempt("ann");
  EXPECT_EQ(lane_.try_reserve({attempt}).error(), Errc::not_ready);
  EXPECT_EQ(lane_.try_find({attempt.user}).error(), Errc::not_ready);
  EXPECT_EQ(lane_.try_winners().error(), Errc::not_ready);
  EXPECT_EQ(lane_.set_window(open_window()).error(), Errc::not_ready);
  EXPECT_EQ(error_of(lane_.try_settle({settlement_of(attempt, SettleAction::give_back)})), "ok");
  EXPECT_TRUE(lane_.overdue().empty());
  const auto view = lane_.view();
  EXPECT_FALSE(view.ready);
  EXPECT_EQ(view.epoch, 0U);
  EXPECT_EQ(view.version, 0U);
  EXPECT_EQ(view.stock, 0);
  EXPECT_EQ(view.pending, 0U);
  EXPECT_EQ(view.window, LaneWindow{});
}

TEST_P(InventorySuite, ShowsTheImageThatItWasRebuiltFrom) {
  auto image = lane_.image(17);
  image.window.state = SaleState::paused;
  ASSERT_EQ(error_of(lane_.rebuild(image)), "ok");
  const auto view = lane_.view();
  EXPECT_TRUE(view.ready);
  EXPECT_EQ(view.epoch, 1U);
  EXPECT_EQ(view.stock, 17);
  EXPECT_EQ(view.pending, 0U);
  EXPECT_EQ(view.window, image.window);
}

TEST_P(InventorySuite, GrantsAsLongAsUnitsAreLeft) {
  lane_.open(2);
  const std::vector<Attempt> attempts = {lane_.attempt("a"), lane_.attempt("b"),
                                         lane_.attempt("c")};
  const auto reply = lane_.reserve(attempts);
  EXPECT_EQ(verdicts(reply), (std::vector{Verdict::granted, Verdict::granted, Verdict::sold_out}));
  const OrderView first{attempts[0].id, OrderStatus::queued, 1};
  EXPECT_EQ(reply.reservations[0].existing, first);
  EXPECT_EQ(reply.version, lane_.view().version);
  EXPECT_TRUE(reply.may_return);
  EXPECT_EQ(lane_.view().stock, 0);
  EXPECT_EQ(lane_.view().pending, 2U);
}

TEST_P(InventorySuite, TellsSoldOutForGoodOnceNothingIsUndecided) {
  lane_.open(1);
  const auto winner = lane_.attempt("a");
  lane_.reserve_one(winner);
  lane_.settle(winner, SettleAction::keep);
  const auto reply = lane_.reserve({lane_.attempt("b")});
  EXPECT_EQ(reply.reservations[0].verdict, Verdict::sold_out);
  EXPECT_FALSE(reply.may_return);
}

TEST_P(InventorySuite, SellsNothingOfAnEmptyLane) {
  lane_.open(0);
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("a")).verdict, Verdict::sold_out);
}

TEST_P(InventorySuite, TellsInsufficientFromSoldOut) {
  lane_.open(5);
  const auto reply = lane_.reserve(
      {lane_.attempt("a", 3), lane_.attempt("b", 3), lane_.attempt("c", 2), lane_.attempt("d", 1)});
  EXPECT_EQ(verdicts(reply), (std::vector{Verdict::granted, Verdict::insufficient, Verdict::granted,
                                          Verdict::sold_out}));
  EXPECT_EQ(lane_.view().stock, 0);
}

TEST_P(InventorySuite, CountsLargeQuantitiesExactly) {
  lane_.open(1'000'000'000);
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("a", 999'999'999)).verdict, Verdict::granted);
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("b", 4'294'967'295)).verdict, Verdict::insufficient);
  EXPECT_EQ(lane_.view().stock, 1);
  EXPECT_EQ(lane_.find(*UserId::parse("a"))->quantity, 999'999'999U);
}

TEST_P(InventorySuite, GivesAUserOneOrder) {
  lane_.open(10);
  const auto first = lane_.attempt("ann", 2);
  lane_.reserve_one(first);
  const auto again = lane_.reserve_one(lane_.attempt("ann", 3));
  EXPECT_EQ(again.verdict, Verdict::already);
  const OrderView expected{first.id, OrderStatus::queued, 2};
  EXPECT_EQ(again.existing, expected);
  EXPECT_EQ(lane_.view().stock, 8);
}

TEST_P(InventorySuite, GivesAUserOneOrderWithinABatch) {
  lane_.open(10);
  const auto first = lane_.attempt("ann");
  const auto reply = lane_.reserve({first, lane_.attempt("ann"), first, lane_.attempt("bob")});
  EXPECT_EQ(verdicts(reply),
            (std::vector{Verdict::granted, Verdict::already, Verdict::granted, Verdict::granted}));
  EXPECT_EQ(reply.reservations[1].existing.id, first.id);
  EXPECT_EQ(reply.reservations[2].existing.id, first.id);
  EXPECT_EQ(lane_.view().stock, 8);
  EXPECT_EQ(lane_.view().pending, 2U);
}

TEST_P(InventorySuite, LetsARepeatedAttemptFindItself) {
  lane_.open(1);
  const auto attempt = lane_.attempt("ann");
  EXPECT_EQ(lane_.reserve_one(attempt).verdict, Verdict::granted);
  EXPECT_EQ(lane_.reserve_one(attempt).verdict, Verdict::granted);
  EXPECT_EQ(lane_.view().stock, 0);
  EXPECT_EQ(lane_.view().pending, 1U);
}

TEST_P(InventorySuite, AnswersARepeatedAttemptThatWasDecidedWithItsOrder) {
  lane_.open(1);
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  lane_.settle(attempt, SettleAction::keep);
  const auto again = lane_.reserve_one(attempt);
  EXPECT_EQ(again.verdict, Verdict::already);
  const OrderView expected{attempt.id, OrderStatus::confirmed, 1};
  EXPECT_EQ(again.existing, expected);
}

TEST_P(InventorySuite, RefusesEverythingButWinnersOutsideTheWindow) {
  lane_.open(10);
  const auto winner = lane_.attempt("winner");
  lane_.reserve_one(winner);
  const auto open = open_window();
  const std::vector<LaneWindow> shut = {
      {SaleState::open, open.starts_at + hours(2), open.ends_at + hours(2)},
      {SaleState::open, open.starts_at - hours(2), open.ends_at - hours(2)},
      {SaleState::draft, open.starts_at, open.ends_at},
      {SaleState::paused, open.starts_at, open.ends_at},
      {SaleState::closed, open.starts_at, open.ends_at},
  };
  for (const auto& window : shut) {
    SCOPED_TRACE(name(window.state));
    ASSERT_EQ(error_of(lane_.set_window(window)), "ok");
    EXPECT_EQ(lane_.view().window, window);
    const auto reply = lane_.reserve({lane_.attempt("new"), lane_.attempt("winner"), winner});
    EXPECT_EQ(verdicts(reply),
              (std::vector{Verdict::not_open, Verdict::already, Verdict::granted}));
    EXPECT_EQ(reply.reservations[1].existing.id, winner.id);
    EXPECT_EQ(lane_.find(winner.user)->id, winner.id);
  }
  ASSERT_EQ(error_of(lane_.set_window(open)), "ok");
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("new")).verdict, Verdict::granted);
  EXPECT_EQ(lane_.view().stock, 8);
}

TEST_P(InventorySuite, NeverGoesBackToAnOlderWindow) {
  lane_.open(10);
  auto paused = open_window();
  paused.state = SaleState::paused;
  paused.revision = 5;
  ASSERT_EQ(error_of(lane_.set_window(paused)), "ok");
  auto older = open_window();
  older.revision = 4;
  EXPECT_EQ(error_of(lane_.set_window(older)), "ok");
  EXPECT_EQ(lane_.view().window, paused);
  auto newer = open_window();
  newer.revision = 6;
  ASSERT_EQ(error_of(lane_.set_window(newer)), "ok");
  EXPECT_EQ(lane_.view().window, newer);
}

TEST_P(InventorySuite, ServesExactlyItsEpoch) {
  lane_.epoch = 7;
  lane_.open(3);
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  for (const Epoch other : {Epoch{6}, Epoch{8}, Epoch{0}, Epoch{70}}) {
    lane_.epoch = other;
    EXPECT_EQ(lane_.try_reserve({lane_.attempt("bob")}).error(), Errc::not_ready);
    EXPECT_EQ(lane_.try_find({attempt.user}).error(), Errc::not_ready);
    EXPECT_EQ(lane_.try_winners().error(), Errc::not_ready);
    EXPECT_EQ(lane_.set_window({}).error(), Errc::not_ready);
    lane_.settle(attempt, SettleAction::give_back);
    EXPECT_EQ(lane_.view().epoch, 7U);
    EXPECT_EQ(lane_.overdue().size(), 1U);
  }
  lane_.epoch = 7;
  EXPECT_EQ(lane_.find(attempt.user)->id, attempt.id);
  EXPECT_EQ(lane_.view().stock, 2);
  EXPECT_EQ(lane_.view().window.state, SaleState::open);
}

TEST_P(InventorySuite, RefusesAttemptsThatBreakItsTerms) {
  lane_.open(10);
  const auto no_quantity = lane_.attempt("ann", 0);
  EXPECT_EQ(lane_.try_reserve({lane_.attempt("bob"), no_quantity}).error(), Errc::invalid);

  auto of_other_epoch = lane_.attempt("ann");
  lane_.epoch = 2;
  of_other_epoch.id = lane_.attempt("ann").id;
  lane_.epoch = 1;
  EXPECT_EQ(lane_.try_reserve({of_other_epoch}).error(), Errc::invalid);

  auto of_other_lane = lane_.attempt("ann");
  of_other_lane.id = message_of({lane_.lane.sale, 9}, of_other_lane.user).id;
  EXPECT_EQ(lane_.try_reserve({of_other_lane}).error(), Errc::invalid);

  auto of_nobody = lane_.attempt("ann");
  of_nobody.user = UserId{};
  EXPECT_EQ(lane_.try_reserve({of_nobody}).error(), Errc::invalid);
  EXPECT_EQ(lane_.view().stock, 10);
  EXPECT_EQ(lane_.view().pending, 0U);
}

TEST_P(InventorySuite, DecidesUpTo1024AttemptsInOneCall) {
  lane_.open(1000);
  std::vector<Attempt> attempts;
  for (int i = 0; i < 1024; ++i) attempts.push_back(lane_.attempt("user-" + std::to_string(i)));
  const auto reply = lane_.reserve(attempts);
  ASSERT_EQ(reply.reservations.size(), 1024U);
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    EXPECT_EQ(reply.reservations[i].verdict, i < 1000 ? Verdict::granted : Verdict::sold_out);
  }
  EXPECT_EQ(lane_.view().pending, 1000U);
  EXPECT_EQ(lane_.winners().size(), 1000U);

  attempts.push_back(lane_.attempt("one-more"));
  EXPECT_EQ(lane_.try_reserve(attempts).error(), Errc::invalid);
}

TEST_P(InventorySuite, AnswersNoAttemptsWithTheVersion) {
  lane_.open(1);
  const auto reply = lane_.reserve({});
  EXPECT_TRUE(reply.reservations.empty());
  EXPECT_EQ(reply.version, lane_.view().version);
  EXPECT_FALSE(reply.may_return);
}

TEST_P(InventorySuite, TakesEveryValidUserName) {
  lane_.open(100);
  const std::vector<std::string> names = {"0",
                                          "-",
                                          "-1",
                                          ".",
                                          "..",
                                          "_",
                                          "1e5",
                                          "nan",
                                          "epoch",
                                          "q",
                                          "__proto__",
                                          std::string(64, 'x'),
                                          std::string(64, '.'),
                                          "A",
                                          "a",
                                          "00",
                                          "0x10",
                                          "true",
                                          "user.name-1_2"};
  std::vector<Attempt> attempts;
  for (const auto& name : names) attempts.push_back(lane_.attempt(name));
  for (const auto& one : lane_.reserve(attempts).reservations) {
    EXPECT_EQ(one.verdict, Verdict::granted);
  }
  auto sorted = names;
  std::ranges::sort(sorted);
  EXPECT_EQ(lane_.winners(), sorted);
  std::vector<std::string> overdue;
  for (const auto& message : lane_.overdue()) overdue.push_back(message.user.text());
  std::ranges::sort(overdue);
  EXPECT_EQ(overdue, sorted);
  for (const auto& attempt : attempts) EXPECT_EQ(lane_.find(attempt.user)->id, attempt.id);
}

TEST_P(InventorySuite, KeepConfirmsOnce) {
  lane_.open(2);
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  const auto version = lane_.view().version;
  for (int i = 0; i < 2; ++i) {
    lane_.settle(attempt, SettleAction::keep);
    EXPECT_EQ(lane_.find(attempt.user)->status, OrderStatus::confirmed);
    EXPECT_EQ(lane_.view().stock, 1);
    EXPECT_EQ(lane_.view().pending, 0U);
    EXPECT_EQ(lane_.view().version, version);
  }
}

TEST_P(InventorySuite, KeepDoesNotUnpayAnOrder) {
  auto image = lane_.image(1);
  const auto paid = lane_.attempt("ann");
  image.winners.emplace_back(paid.user, OrderView{paid.id, OrderStatus::paid, 1});
  ASSERT_EQ(error_of(lane_.rebuild(image)), "ok");
  lane_.settle(paid, SettleAction::keep);
  EXPECT_EQ(lane_.find(paid.user)->status, OrderStatus::paid);
}

TEST_P(InventorySuite, GiveBackReturnsTheUnitsOnceAndBumpsTheVersion) {
  lane_.open(5);
  const auto attempt = lane_.attempt("ann", 3);
  lane_.reserve_one(attempt);
  const auto before = lane_.view().version;
  lane_.settle(attempt, SettleAction::give_back);
  const auto after = lane_.view();
  EXPECT_EQ(after.stock, 5);
  EXPECT_EQ(after.pending, 0U);
  EXPECT_GT(after.version, before);
  EXPECT_FALSE(lane_.find(attempt.user));

  lane_.settle(attempt, SettleAction::give_back);
  EXPECT_EQ(lane_.view().stock, 5);
  EXPECT_EQ(lane_.view().version, after.version);
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("ann")).verdict, Verdict::granted);
}

TEST_P(InventorySuite, GiveBackReturnsAConfirmedUnit) {
  lane_.open(1);
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  lane_.settle(attempt, SettleAction::keep);
  lane_.settle(attempt, SettleAction::give_back);
  EXPECT_EQ(lane_.view().stock, 1);
  EXPECT_FALSE(lane_.find(attempt.user));
}

TEST_P(InventorySuite, DropForgetsWithoutReturn) {
  lane_.open(1);
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  const auto version = lane_.view().version;
  for (int i = 0; i < 2; ++i) {
    lane_.settle(attempt, SettleAction::drop);
    EXPECT_EQ(lane_.view().stock, 0);
    EXPECT_EQ(lane_.view().pending, 0U);
    EXPECT_EQ(lane_.view().version, version);
    EXPECT_FALSE(lane_.find(attempt.user));
  }
}

TEST_P(InventorySuite, SettlesNothingOfAnotherOrder) {
  lane_.open(5);
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  const auto before = lane_.view();
  for (const auto action : {SettleAction::keep, SettleAction::give_back, SettleAction::drop}) {
    lane_.settle(lane_.attempt("ann"), action);
    lane_.settle(lane_.attempt("nobody"), action);
  }
  EXPECT_EQ(lane_.find(attempt.user)->status, OrderStatus::queued);
  EXPECT_EQ(lane_.view().stock, before.stock);
  EXPECT_EQ(lane_.view().pending, 1U);
  EXPECT_EQ(lane_.view().version, before.version);
}

TEST_P(InventorySuite, SettlesABatchInOrder) {
  lane_.open(10);
  const auto kept = lane_.attempt("kept", 2);
  const auto returned = lane_.attempt("returned", 3);
  const auto dropped = lane_.attempt("dropped", 1);
  const auto both = lane_.attempt("both", 2);
  lane_.reserve({kept, returned, dropped, both});
  const auto result = lane_.try_settle(
      {settlement_of(kept, SettleAction::keep), settlement_of(returned, SettleAction::give_back),
       settlement_of(dropped, SettleAction::drop), settlement_of(both, SettleAction::keep),
       settlement_of(both, SettleAction::give_back), settlement_of(both, SettleAction::give_back),
       settlement_of(kept, SettleAction::keep)});
  ASSERT_EQ(error_of(result), "ok");
  EXPECT_EQ(lane_.winners(), (std::vector<std::string>{"kept"}));
  EXPECT_EQ(lane_.find(kept.user)->status, OrderStatus::confirmed);
  EXPECT_EQ(lane_.view().stock, 10 - 2 - 1);
  EXPECT_EQ(lane_.view().pending, 0U);
}

TEST_P(InventorySuite, SettlesMoreThanAReserveTakes) {
  lane_.open(3000);
  std::vector<Settlement> settlements;
  std::vector<UserId> users;
  for (int batch = 0; batch < 3; ++batch) {
    std::vector<Attempt> attempts;
    for (int i = 0; i < 1000; ++i) {
      attempts.push_back(lane_.attempt("u" + std::to_string(batch * 1000 + i)));
      users.push_back(attempts.back().user);
      const auto action = i % 2 ? SettleAction::keep : SettleAction::give_back;
      settlements.push_back(settlement_of(attempts.back(), action));
    }
    lane_.reserve(attempts);
  }
  ASSERT_EQ(error_of(lane_.try_settle(settlements)), "ok");
  EXPECT_EQ(lane_.view().stock, 1500);
  EXPECT_EQ(lane_.view().pending, 0U);
  const auto found = lane_.try_find(users).value();
  ASSERT_EQ(found.size(), 3000U);
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].has_value(), i % 2 == 1);
}

TEST_P(InventorySuite, FindsNobodyAmongNobody) {
  lane_.open(1);
  EXPECT_TRUE(lane_.try_find({}).value().empty());
  lane_.epoch = 2;
  EXPECT_EQ(lane_.try_find({}).error(), Errc::not_ready);
}

TEST_P(InventorySuite, OverdueGivesWholeMessagesOldestFirst) {
  const auto before = std::chrono::floor<Millis>(std::chrono::system_clock::now());
  LaneDriver lane(*world_, 3);
  lane.open(10);
  std::vector<Attempt> attempts;
  for (int i = 0; i < 5; ++i) {
    attempts.push_back(
        lane.attempt("u" + std::to_string(i), static_cast<std::uint32_t>(i % 3 + 1)));
    lane.reserve_one(attempts.back());
  }
  lane.settle(attempts[2], SettleAction::keep);
  attempts.erase(attempts.begin() + 2);

  const auto overdue = lane.overdue();
  ASSERT_EQ(overdue.size(), attempts.size());
  EXPECT_TRUE(std::ranges::is_sorted(overdue, {}, &OrderMessage::reserved_at));
  for (const auto& attempt : attempts) {
    const auto found = std::ranges::find(overdue, attempt.id, &OrderMessage::id);
    ASSERT_NE(found, overdue.end());
    EXPECT_EQ(found->lane, lane.lane);
    EXPECT_EQ(found->epoch, 1U);
    EXPECT_EQ(found->user, attempt.user);
    EXPECT_EQ(found->quantity, attempt.quantity);
    EXPECT_GE(found->reserved_at, before);
    EXPECT_LE(found->reserved_at, std::chrono::system_clock::now());
  }
  EXPECT_EQ(lane.overdue(Millis{0}, 2).size(), 2U);
  EXPECT_EQ(lane.overdue(Millis{0}, 2)[0], overdue[0]);
  EXPECT_TRUE(lane.overdue(Millis{0}, 0).empty());
  EXPECT_TRUE(lane.overdue(hours(1)).empty());
}

TEST_P(InventorySuite, OverdueGivesEveryReservationOfALargeLane) {
  lane_.open(10'000);
  std::vector<OrderId> ids;
  for (int batch = 0; batch < 6; ++batch) {
    std::vector<Attempt> attempts;
    for (int i = 0; i < 1000; ++i) {
      attempts.push_back(lane_.attempt("u" + std::to_string(batch * 1000 + i)));
      ids.push_back(attempts.back().id);
    }
    lane_.reserve(attempts);
  }
  const auto overdue = lane_.overdue(Millis{0}, 100'000);
  EXPECT_TRUE(std::ranges::is_sorted(overdue, {}, &OrderMessage::reserved_at));
  std::vector<OrderId> found;
  for (const auto& message : overdue) found.push_back(message.id);
  std::ranges::sort(found);
  std::ranges::sort(ids);
  EXPECT_EQ(found, ids);
  EXPECT_EQ(lane_.overdue(Millis{0}, 4500).size(), 4500U);
}

TEST_P(InventorySuite, WinnersAreThoseWithALiveOrder) {
  lane_.open(3);
  const auto a = lane_.attempt("a");
  const auto b = lane_.attempt("b");
  const auto c = lane_.attempt("c");
  lane_.reserve({a, b, c});
  lane_.settle(a, SettleAction::keep);
  EXPECT_EQ(lane_.winners(), (std::vector<std::string>{"a", "b", "c"}));
  const auto version = lane_.try_winners().value().version;
  EXPECT_EQ(version, lane_.view().version);
  lane_.settle(b, SettleAction::drop);
  EXPECT_EQ(lane_.try_winners().value().version, version);
  lane_.settle(c, SettleAction::give_back);
  EXPECT_GT(lane_.try_winners().value().version, version);
  EXPECT_EQ(lane_.winners(), (std::vector<std::string>{"a"}));
}

TEST_P(InventorySuite, RebuildsALargeImage) {
  auto image = lane_.image(42);
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < 12'345; ++i) {
    const auto user = user_of(i);
    const auto status = i % 2 ? OrderStatus::confirmed : OrderStatus::paid;
    image.winners.emplace_back(user, OrderView{message_of(lane_.lane, user).id, status, 2});
    names.push_back(user.text());
  }
  ASSERT_EQ(error_of(lane_.rebuild(image)), "ok");
  std::ranges::sort(names);
  EXPECT_EQ(lane_.winners(), names);
  EXPECT_EQ(lane_.view().pending, 0U);
  for (const std::size_t i : {0U, 1U, 999U, 1000U, 12'344U}) {
    EXPECT_EQ(lane_.find(image.winners[i].first), image.winners[i].second);
  }
  const auto again = lane_.reserve_one(lane_.attempt("u7"));
  EXPECT_EQ(again.verdict, Verdict::already);
  EXPECT_EQ(again.existing, image.winners[7].second);
}

TEST_P(InventorySuite, ReplacesALaneOnlyByAHigherEpoch) {
  lane_.epoch = 5;
  lane_.open(10);
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  EXPECT_EQ(lane_.rebuild(lane_.image(99, 4)).error(), Errc::stale);
  EXPECT_EQ(lane_.rebuild(lane_.image(99, 5)).error(), Errc::stale);
  EXPECT_EQ(lane_.view().stock, 9);
  EXPECT_EQ(lane_.find(attempt.user)->id, attempt.id);

  ASSERT_EQ(error_of(lane_.rebuild(lane_.image(20, 6))), "ok");
  EXPECT_EQ(lane_.try_find({attempt.user}).error(), Errc::not_ready);
  lane_.epoch = 6;
  EXPECT_FALSE(lane_.find(attempt.user));
  EXPECT_TRUE(lane_.overdue().empty());
  EXPECT_EQ(lane_.view().stock, 20);
}

TEST_P(InventorySuite, SettlesAnOrderOfAnOlderEpochThatTheImageNames) {
  lane_.open(1);
  const auto old = lane_.attempt("ann", 2);
  auto image = lane_.image(3, 2);
  image.winners.emplace_back(old.user, OrderView{old.id, OrderStatus::confirmed, 2});
  ASSERT_EQ(error_of(lane_.rebuild(image)), "ok");
  lane_.settle(old, SettleAction::give_back);
  EXPECT_EQ(lane_.view().stock, 3);
  lane_.epoch = 2;
  lane_.settle(old, SettleAction::give_back);
  EXPECT_EQ(lane_.view().stock, 5);
  EXPECT_FALSE(lane_.find(old.user));
}

TEST_P(InventorySuite, RefusesAnImageThatCannotBe) {
  const auto good = lane_.image(1);
  auto image = good;
  image.epoch = 0;
  EXPECT_EQ(lane_.rebuild(image).error(), Errc::invalid);
  image.epoch = kEpochMax + 1;
  EXPECT_EQ(lane_.rebuild(image).error(), Errc::invalid);
  image = good;
  image.stock = -1;
  EXPECT_EQ(lane_.rebuild(image).error(), Errc::invalid);
  image = good;
  image.lane.index = 1;
  EXPECT_EQ(lane_.rebuild(image).error(), Errc::invalid);
  image = good;
  const auto user = user_of(1);
  const OrderView order{message_of(lane_.lane, user).id, OrderStatus::confirmed, 1};
  image.winners = {{user, order}, {user, order}};
  EXPECT_EQ(lane_.rebuild(image).error(), Errc::invalid);
  image.winners = {{user, OrderView{order.id, OrderStatus::cancelled, 1}}};
  EXPECT_EQ(lane_.rebuild(image).error(), Errc::invalid);
  EXPECT_FALSE(lane_.view().ready);
}

TEST_P(InventorySuite, TakesTheHighestEpoch) {
  ASSERT_EQ(error_of(lane_.rebuild(lane_.image(1, kEpochMax))), "ok");
  lane_.epoch = kEpochMax;
  const auto attempt = lane_.attempt("ann");
  EXPECT_EQ(lane_.reserve_one(attempt).verdict, Verdict::granted);
  ASSERT_EQ(lane_.overdue().size(), 1U);
  EXPECT_EQ(lane_.overdue()[0].epoch, kEpochMax);
}

TEST_P(InventorySuite, IsNotReadyAfterALossUntilRebuilt) {
  lane_.open(5);
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  world_->lose(lane_.lane);
  EXPECT_EQ(lane_.try_reserve({lane_.attempt("bob")}).error(), Errc::not_ready);
  EXPECT_FALSE(lane_.view().ready);
  EXPECT_EQ(lane_.view().stock, 0);
  ASSERT_EQ(error_of(lane_.rebuild(lane_.image(4, 2))), "ok");
  lane_.epoch = 2;
  EXPECT_EQ(lane_.view().stock, 4);
}

TEST_P(InventorySuite, KeepsLanesApart) {
  LaneDriver other(*world_, 1);
  other.lane.sale = lane_.lane.sale;
  lane_.open(1);
  other.open(2);
  lane_.reserve_one(lane_.attempt("ann"));
  EXPECT_FALSE(other.find(*UserId::parse("ann")));
  EXPECT_EQ(other.view().stock, 2);
  world_->lose(other.lane);
  EXPECT_TRUE(lane_.view().ready);
}

TEST_P(InventorySuite, AnswersARandomHistoryAsAPlainModelDoes) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) compare_with_model(*world_, seed, 1000);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(InventorySuite);
INSTANTIATE_TEST_SUITE_P(Contract, InventorySuite, testing::ValuesIn(registry()),
                         [](const auto& contract) { return contract.param.name; });

}  // namespace

bool register_inventory_contract(InventoryContract contract) {
  registry().push_back(std::move(contract));
  return true;
}

}  // namespace sluice::test
