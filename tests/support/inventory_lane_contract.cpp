#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <utility>

#include "support/inventory_contract.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using std::chrono::hours;

// What an inventory promises about whole lanes: when they are ready, and what becomes of them.

std::vector<InventoryContract>& registry() {
  static std::vector<InventoryContract> contracts;
  return contracts;
}

class InventoryLaneSuite : public testing::TestWithParam<InventoryContract> {
 protected:
  /// Every call under the driver's epoch fails or shows nothing, and a settlement does nothing.
  void expect_not_ready(const Attempt& attempt) {
    EXPECT_EQ(lane_.try_reserve({lane_.attempt("new")}).error(), Errc::not_ready);
    EXPECT_EQ(lane_.try_find({attempt.user}).error(), Errc::not_ready);
    EXPECT_EQ(lane_.try_winners().error(), Errc::not_ready);
    EXPECT_EQ(lane_.set_window(open_window()).error(), Errc::not_ready);
    EXPECT_EQ(error_of(lane_.try_settle({settlement_of(attempt, SettleAction::give_back)})), "ok");
    const auto view = lane_.view();
    EXPECT_FALSE(view.ready);
    EXPECT_EQ(view.epoch, 0U);
    EXPECT_EQ(view.version, 0U);
    EXPECT_EQ(view.stock, 0);
    EXPECT_EQ(view.pending, 0U);
    EXPECT_EQ(view.held, 0);
    EXPECT_EQ(view.window, LaneWindow{});
  }

  void close_up_to(Epoch epoch) {
    const auto before = std::exchange(lane_.epoch, epoch);
    ASSERT_EQ(error_of(lane_.close()), "ok");
    lane_.epoch = before;
  }

  /// Every epoch up to `floor` was ended, and the next one opens the lane.
  void expect_floor(Epoch floor) {
    EXPECT_FALSE(lane_.view().ready);
    for (Epoch ended = 1; ended <= floor; ++ended) {
      EXPECT_EQ(lane_.rebuild(lane_.image(99, ended)).error(), Errc::stale) << ended;
    }
    EXPECT_FALSE(lane_.view().ready);
    ASSERT_EQ(error_of(lane_.rebuild(lane_.image(20, floor + 1))), "ok");
    lane_.epoch = floor + 1;
    EXPECT_EQ(lane_.view().stock, 20);
    EXPECT_EQ(lane_.reserve_one(lane_.attempt("first")).verdict, Verdict::granted);
  }

  std::unique_ptr<InventoryWorld> world_ = GetParam().make();
  LaneDriver lane_{*world_};
};

TEST_P(InventoryLaneSuite, KnowsNothingOfALaneThatWasNeverRebuilt) {
  expect_not_ready(lane_.attempt("ann"));
  EXPECT_TRUE(lane_.overdue().empty());
}

TEST_P(InventoryLaneSuite, ShowsTheImageThatItWasRebuiltFrom) {
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

TEST_P(InventoryLaneSuite, NeverGoesBackToAnOlderWindow) {
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

TEST_P(InventoryLaneSuite, ServesExactlyItsEpoch) {
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

TEST_P(InventoryLaneSuite, OverdueGivesWholeMessagesOldestFirst) {
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

TEST_P(InventoryLaneSuite, OverdueGivesEveryReservationOfALargeLane) {
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

TEST_P(InventoryLaneSuite, ListsEachGrantAndForgetsNone) {
  lane_.open(3);
  const auto a = lane_.attempt("a");
  const auto b = lane_.attempt("b");
  const auto c = lane_.attempt("c");
  lane_.reserve({c, a, b, lane_.attempt("d")});
  lane_.reserve({a, lane_.attempt("d")});
  const auto listed = hashes_of({"c", "a", "b"});
  EXPECT_EQ(lane_.winners(), listed) << "in the order of the grants, and nobody twice";
  auto page = lane_.try_winners().value();
  EXPECT_TRUE(page.last);
  EXPECT_EQ(page.stock, 0);
  EXPECT_TRUE(page.may_return);
  EXPECT_EQ(page.version, lane_.view().version);

  lane_.settle(a, SettleAction::keep);
  lane_.settle(b, SettleAction::drop);
  lane_.settle(c, SettleAction::give_back);
  EXPECT_EQ(lane_.winners(), listed) << "who reads on from a place never misses anybody";
  page = lane_.try_winners(page.next).value();
  EXPECT_TRUE(page.hashes.empty());
  EXPECT_TRUE(page.last);
  EXPECT_EQ(page.stock, 1);
  EXPECT_FALSE(page.may_return);
  EXPECT_EQ(page.version, lane_.view().version);

  lane_.reserve({a, lane_.attempt("c")});
  page = lane_.try_winners(page.next).value();
  EXPECT_EQ(page.hashes, hashes_of({"c"})) << "granted again after a return";
  EXPECT_EQ(page.stock, 0);
  EXPECT_EQ(lane_.winners(), hashes_of({"c", "a", "b", "c"}));
}

TEST_P(InventoryLaneSuite, ListsWinnersInPages) {
  lane_.open(7);
  std::vector<Attempt> attempts;
  const std::vector<std::string> names = {"a", "b", "c", "d", "e", "f", "g"};
  for (const auto& name : names) attempts.push_back(lane_.attempt(name));
  lane_.reserve(attempts);
  const auto whole = lane_.winners();
  for (const std::size_t size : {1U, 2U, 3U, 6U, 7U, 8U}) EXPECT_EQ(lane_.winners(size), whole);
  const auto first = lane_.try_winners("", 3).value();
  EXPECT_EQ(first.hashes, hashes_of({"a", "b", "c"}));
  EXPECT_FALSE(first.last);
  const auto second = lane_.try_winners(first.next, 4).value();
  EXPECT_EQ(second.hashes, hashes_of({"d", "e", "f", "g"}));
  EXPECT_TRUE(second.last) << "exactly to the end";
  EXPECT_EQ(lane_.try_winners(first.next, 4).value().hashes, second.hashes) << "any cursor, again";
  for (const auto* const cursor : {"8", "x", "-1", "1x", "99999999999999999999"}) {
    EXPECT_EQ(lane_.try_winners(cursor).error(), Errc::invalid) << cursor;
  }
  EXPECT_EQ(lane_.try_winners("", kWinnersPageMax + 1).error(), Errc::invalid);
  EXPECT_EQ(lane_.try_winners("", 0).error(), Errc::invalid);
}

TEST_P(InventoryLaneSuite, EachEpochHasAListOfItsOwn) {
  lane_.open(5);
  lane_.reserve({lane_.attempt("a"), lane_.attempt("b"), lane_.attempt("c")});
  const auto old = lane_.try_winners().value();
  auto image = lane_.image(5, 2);
  const auto kept = lane_.attempt("b");
  image.winners = {{kept.user, OrderView{kept.id, OrderStatus::confirmed, 1}}};
  ASSERT_EQ(error_of(lane_.rebuild(image)), "ok");
  EXPECT_EQ(lane_.try_winners(old.next).error(), Errc::not_ready);
  lane_.epoch = 2;
  EXPECT_EQ(lane_.winners(), hashes_of({"b"})) << "those of the image";
  EXPECT_EQ(lane_.try_winners(old.next).error(), Errc::invalid);
  lane_.reserve_one(lane_.attempt("d"));
  EXPECT_EQ(lane_.winners(), hashes_of({"b", "d"}));
  ASSERT_EQ(error_of(lane_.close()), "ok");
  EXPECT_EQ(lane_.try_winners().error(), Errc::not_ready);
}

TEST_P(InventoryLaneSuite, GrantsLateOrdersWhateverTheWindow) {
  lane_.epoch = 2;
  ASSERT_EQ(error_of(lane_.rebuild(lane_.image(5, 3))), "ok");
  const auto late = lane_.attempt("late", 2);
  const auto other = lane_.attempt("other");
  lane_.epoch = 3;
  auto over = open_window();
  over.state = SaleState::closed;
  over.revision = 1;
  ASSERT_EQ(error_of(lane_.set_window(over)), "ok");
  const auto mine = lane_.attempt("mine");
  EXPECT_EQ(lane_.reserve_one(mine).verdict, Verdict::not_open);
  EXPECT_EQ(lane_.reserve_one(late).verdict, Verdict::granted);
  EXPECT_EQ(lane_.reserve_one(late).verdict, Verdict::granted) << "it finds itself";
  EXPECT_EQ(lane_.try_reserve({other, mine}).error(), Errc::invalid) << "not together";
  EXPECT_EQ(lane_.view().stock, 3);

  const auto overdue = lane_.overdue();
  ASSERT_EQ(overdue.size(), 1U);
  EXPECT_EQ(overdue[0].id, late.id);
  EXPECT_EQ(overdue[0].epoch, 3U) << "the epoch that granted it, not the one of its id";
  lane_.settle(late, SettleAction::keep);
  EXPECT_EQ(lane_.find(late.user)->status, OrderStatus::confirmed);
  EXPECT_EQ(lane_.winners(), hashes_of({"late"}));

  lane_.reserve_one(other);
  lane_.epoch = 4;
  ASSERT_EQ(error_of(lane_.close()), "ok");
  ASSERT_EQ(lane_.overdue().size(), 1U);
  EXPECT_EQ(lane_.overdue()[0].epoch, 3U) << "also when the lane was closed under a later one";
}

TEST_P(InventoryLaneSuite, RebuildsALargeImage) {
  auto image = lane_.image(42);
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < 12'345; ++i) {
    const auto user = user_of(i);
    const auto status = i % 2 ? OrderStatus::confirmed : OrderStatus::paid;
    image.winners.emplace_back(user, OrderView{message_of(lane_.lane, user).id, status, 2});
    names.push_back(user.text());
  }
  ASSERT_EQ(error_of(lane_.rebuild(image)), "ok");
  EXPECT_EQ(lane_.winners(), hashes_of(names));
  EXPECT_EQ(lane_.view().pending, 0U);
  for (const std::size_t i : {0U, 1U, 999U, 1000U, 12'344U}) {
    EXPECT_EQ(lane_.find(image.winners[i].first), image.winners[i].second);
  }
  const auto again = lane_.reserve_one(lane_.attempt("u7"));
  EXPECT_EQ(again.verdict, Verdict::already);
  EXPECT_EQ(again.existing, image.winners[7].second);
}

TEST_P(InventoryLaneSuite, ReplacesALaneOnlyByAHigherEpoch) {
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

TEST_P(InventoryLaneSuite, SettlesAnOrderOfAnOlderEpochThatTheImageNames) {
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

TEST_P(InventoryLaneSuite, RefusesAnImageThatCannotBe) {
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

/// Confirmed orders of users [begin, end).
std::vector<LiveOrder> live_orders(LaneId lane, std::uint64_t begin, std::uint64_t end) {
  std::vector<LiveOrder> orders;
  for (auto i = begin; i < end; ++i) {
    const auto user = user_of(i);
    orders.emplace_back(user, OrderView{message_of(lane, user).id, OrderStatus::confirmed, 1});
  }
  return orders;
}

TEST_P(InventoryLaneSuite, StagesPagesBesideTheLane) {
  lane_.open(10);
  const auto image = lane_.image(5, 2);
  ASSERT_EQ(error_of(lane_.stage(2, 0, live_orders(lane_.lane, 0, 10))), "ok");
  ASSERT_EQ(error_of(lane_.stage(2, 10, live_orders(lane_.lane, 10, 13))), "ok");
  EXPECT_EQ(lane_.view().stock, 10) << "the old lane sells on";
  EXPECT_EQ(lane_.winners().size(), 0U);
  EXPECT_EQ(lane_.open_staged(image, 14).error(), Errc::unavailable) << "a page is missing";
  ASSERT_EQ(error_of(lane_.open_staged(image, 13)), "ok");
  lane_.epoch = 2;
  EXPECT_EQ(lane_.winners().size(), 13U);
  EXPECT_EQ(lane_.open_staged(lane_.image(5, 3), 13).error(), Errc::unavailable) << "only once";
}

TEST_P(InventoryLaneSuite, TakesAPageOnlyBehindThoseBeforeIt) {
  const auto page = live_orders(lane_.lane, 0, 10);
  EXPECT_EQ(lane_.stage(1, 10, page).error(), Errc::unavailable) << "the first never came";
  ASSERT_EQ(error_of(lane_.stage(1, 0, page)), "ok");
  EXPECT_EQ(lane_.stage(1, 9, page).error(), Errc::unavailable);
  EXPECT_EQ(lane_.stage(1, 10, page).error(), Errc::invalid) << "each user once";
  ASSERT_EQ(error_of(lane_.stage(1, 0, live_orders(lane_.lane, 20, 21))), "ok") << "anew";
  ASSERT_EQ(error_of(lane_.open_staged(lane_.image(5), 1)), "ok");
  EXPECT_EQ(lane_.winners(), hashes_of({"u20"}));
}

TEST_P(InventoryLaneSuite, NeverMixesThePagesOfTwoEpochs) {
  ASSERT_EQ(error_of(lane_.stage(2, 0, live_orders(lane_.lane, 0, 10))), "ok");
  ASSERT_EQ(error_of(lane_.stage(3, 0, live_orders(lane_.lane, 50, 60))), "ok");
  EXPECT_EQ(lane_.stage(2, 10, live_orders(lane_.lane, 10, 20)).error(), Errc::stale);
  EXPECT_EQ(lane_.stage(2, 0, live_orders(lane_.lane, 0, 10)).error(), Errc::stale);
  EXPECT_EQ(lane_.stage(4, 10, live_orders(lane_.lane, 10, 20)).error(), Errc::unavailable);
  EXPECT_EQ(lane_.open_staged(lane_.image(5, 2), 10).error(), Errc::unavailable);
  ASSERT_EQ(error_of(lane_.open_staged(lane_.image(5, 3), 10)), "ok");
  lane_.epoch = 3;
  EXPECT_EQ(lane_.winners().front(), hashes_of({"u50"}).front());
}

TEST_P(InventoryLaneSuite, ForgetsWhatWasStagedUpToAnEpoch) {
  ASSERT_EQ(error_of(lane_.unstage(7)), "ok") << "there is nothing";
  ASSERT_EQ(error_of(lane_.stage(2, 0, live_orders(lane_.lane, 0, 10))), "ok");
  ASSERT_EQ(error_of(lane_.unstage(1)), "ok");
  ASSERT_EQ(error_of(lane_.stage(2, 10, live_orders(lane_.lane, 10, 11))), "ok") << "it is later";
  ASSERT_EQ(error_of(lane_.unstage(2)), "ok");
  EXPECT_EQ(lane_.stage(2, 11, live_orders(lane_.lane, 11, 12)).error(), Errc::unavailable);
  EXPECT_EQ(lane_.open_staged(lane_.image(5, 2), 11).error(), Errc::unavailable);
  EXPECT_FALSE(lane_.view().ready);
}

TEST_P(InventoryLaneSuite, TakesTheHighestEpoch) {
  ASSERT_EQ(error_of(lane_.rebuild(lane_.image(1, kEpochMax))), "ok");
  lane_.epoch = kEpochMax;
  const auto attempt = lane_.attempt("ann");
  EXPECT_EQ(lane_.reserve_one(attempt).verdict, Verdict::granted);
  ASSERT_EQ(lane_.overdue().size(), 1U);
  EXPECT_EQ(lane_.overdue()[0].epoch, kEpochMax);
}

TEST_P(InventoryLaneSuite, IsNotReadyAfterALossUntilRebuilt) {
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

TEST_P(InventoryLaneSuite, KeepsLanesApart) {
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

TEST_P(InventoryLaneSuite, AClosedLaneGrantsNothingMoreAndKeepsWhatIsUndecided) {
  lane_.epoch = 5;
  lane_.open(10);
  const auto pending = lane_.attempt("ann", 2);
  const auto kept = lane_.attempt("bob", 3);
  lane_.reserve({pending, kept});
  lane_.settle(kept, SettleAction::keep);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(error_of(lane_.close()), "ok");
    expect_not_ready(pending);
    const auto overdue = lane_.overdue();
    ASSERT_EQ(overdue.size(), 1U);
    EXPECT_EQ(overdue[0].id, pending.id);
    EXPECT_EQ(overdue[0].user, pending.user);
    EXPECT_EQ(overdue[0].quantity, 2U);
  }
}

TEST_P(InventoryLaneSuite, AClosedLaneIsOpenedByAHigherEpochAlone) {
  lane_.epoch = 5;
  lane_.open(10);
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  ASSERT_EQ(error_of(lane_.close()), "ok");
  EXPECT_EQ(lane_.rebuild(lane_.image(99, 4)).error(), Errc::stale);
  EXPECT_EQ(lane_.rebuild(lane_.image(99, 5)).error(), Errc::stale);
  expect_not_ready(attempt);
  ASSERT_EQ(error_of(lane_.rebuild(lane_.image(20, 6))), "ok");
  EXPECT_TRUE(lane_.overdue().empty());
  lane_.epoch = 6;
  EXPECT_EQ(lane_.view().stock, 20);
  EXPECT_EQ(lane_.view().held, 0);
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("ann")).verdict, Verdict::granted);
}

TEST_P(InventoryLaneSuite, ClosesNoLaneOfANewerEpoch) {
  lane_.epoch = 5;
  lane_.open(10);
  for (const Epoch older : {0U, 1U, 4U}) {
    close_up_to(older);
    EXPECT_TRUE(lane_.view().ready);
  }
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("ann")).verdict, Verdict::granted);
}

TEST_P(InventoryLaneSuite, ClosesAlsoALaneOfAnOlderEpochAndKeepsWhatIsUndecided) {
  lane_.epoch = 5;
  lane_.open(10);
  const auto pending = lane_.attempt("ann", 2);
  lane_.reserve_one(pending);
  close_up_to(8);
  expect_not_ready(pending);
  const auto overdue = lane_.overdue();
  ASSERT_EQ(overdue.size(), 1U);
  EXPECT_EQ(overdue[0].id, pending.id);
  EXPECT_EQ(overdue[0].epoch, 5U);
  EXPECT_EQ(overdue[0].quantity, 2U);
  lane_.epoch = 8;
  expect_not_ready(pending);
  expect_floor(8);
  EXPECT_EQ(lane_.overdue().size(), 1U) << "those of the new lane alone";
  EXPECT_NE(lane_.overdue()[0].id, pending.id);
}

TEST_P(InventoryLaneSuite, ALaneThatNeverWasCanBeClosedBeforeItsLateRebuild) {
  close_up_to(4);
  expect_not_ready(lane_.attempt("ann"));
  EXPECT_TRUE(lane_.overdue().empty());
  expect_floor(4);
}

TEST_P(InventoryLaneSuite, ALaneThatNeverWasIsOpenedByTheFirstEpochAfterAClosingOfNone) {
  close_up_to(0);
  expect_floor(0);
}

TEST_P(InventoryLaneSuite, ALostLaneCanBeClosed) {
  lane_.epoch = 3;
  lane_.open(5);
  lane_.reserve_one(lane_.attempt("ann"));
  world_->lose(lane_.lane);
  close_up_to(3);
  expect_not_ready(lane_.attempt("ann"));
  EXPECT_TRUE(lane_.overdue().empty());
  expect_floor(3);
}

TEST_P(InventoryLaneSuite, WhatWasClosedStaysClosedWhateverIsClosedLater) {
  close_up_to(4);
  close_up_to(2);
  close_up_to(6);
  close_up_to(5);
  expect_floor(6);
  close_up_to(6);
  EXPECT_TRUE(lane_.view().ready) << "it is newer";
}

TEST_P(InventoryLaneSuite, ClosesOneLaneAlone) {
  LaneDriver other(*world_, 1);
  other.lane.sale = lane_.lane.sale;
  lane_.open(1);
  other.open(2);
  ASSERT_EQ(error_of(lane_.close()), "ok");
  EXPECT_FALSE(lane_.view().ready);
  EXPECT_EQ(other.view().stock, 2);
}

TEST_P(InventoryLaneSuite, AnswersARandomHistoryAsAPlainModelDoes) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) compare_with_model(*world_, seed, 1000);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(InventoryLaneSuite);
INSTANTIATE_TEST_SUITE_P(Contract, InventoryLaneSuite, testing::ValuesIn(registry()),
                         [](const auto& contract) { return contract.param.name; });

}  // namespace

bool register_inventory_lane_contract(InventoryContract contract) {
  registry().push_back(std::move(contract));
  return true;
}

}  // namespace sluice::test
