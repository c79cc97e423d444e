#include "support/inventory_contract.hpp"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <utility>

#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using std::chrono::hours;

// What an inventory promises about orders. Of lanes speaks inventory_lane_contract.cpp.

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
  EXPECT_EQ(lane_.view().held, 2);
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
  EXPECT_EQ(lane_.view().held, 5);
}

TEST_P(InventorySuite, CountsLargeQuantitiesExactly) {
  lane_.open(1'000'000'000);
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("a", 999'999'999)).verdict, Verdict::granted);
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("b", 4'294'967'295)).verdict, Verdict::insufficient);
  EXPECT_EQ(lane_.view().stock, 1);
  EXPECT_EQ(lane_.view().held, 999'999'999);
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
  std::vector<std::string> names = {"0",   "-",   "-1",    ".",    "..",           "_",
                                    "1e5", "nan", "epoch", "q",    "__proto__",    "A",
                                    "a",   "00",  "0x10",  "true", "user.name-1_2"};
  names.insert(names.end(), {std::string(64, 'x'), std::string(64, '.')});
  std::vector<Attempt> attempts;
  for (const auto& name : names) attempts.push_back(lane_.attempt(name));
  for (const auto& one : lane_.reserve(attempts).reservations) {
    EXPECT_EQ(one.verdict, Verdict::granted);
  }
  auto sorted = names;
  std::ranges::sort(sorted);
  EXPECT_EQ(lane_.winners(), hashes_of(names));
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
  for (const auto& gone : {returned, dropped, both}) EXPECT_FALSE(lane_.find(gone.user));
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

TEST_P(InventorySuite, HoldsTheUnitsOfEachOrderUntilItIsSettledOnce) {
  lane_.open(20);
  const auto kept = lane_.attempt("kept", 2);
  const auto returned = lane_.attempt("returned", 3);
  const auto dropped = lane_.attempt("dropped", 4);
  lane_.reserve({kept, returned, dropped, kept, lane_.attempt("kept", 5)});
  EXPECT_EQ(lane_.view().held, 9);
  lane_.settle(lane_.attempt("kept", 2), SettleAction::keep);
  EXPECT_EQ(lane_.view().held, 9) << "another order of the same user";
  const std::vector<std::pair<Settlement, std::int64_t>> steps = {
      {settlement_of(kept, SettleAction::keep), 7},
      {settlement_of(returned, SettleAction::give_back), 4},
      {settlement_of(dropped, SettleAction::drop), 0},
  };
  for (const auto& [settlement, held] : steps) {
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(error_of(lane_.try_settle({settlement})), "ok");
      EXPECT_EQ(lane_.view().held, held);
    }
  }
  lane_.settle(kept, SettleAction::give_back);
  EXPECT_EQ(lane_.view().held, 0) << "what is confirmed is not held";
}

TEST_P(InventorySuite, FindsNobodyAmongNobody) {
  lane_.open(1);
  EXPECT_TRUE(lane_.try_find({}).value().empty());
  lane_.epoch = 2;
  EXPECT_EQ(lane_.try_find({}).error(), Errc::not_ready);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(InventorySuite);
INSTANTIATE_TEST_SUITE_P(Contract, InventorySuite, testing::ValuesIn(registry()),
                         [](const auto& contract) { return contract.param.name; });

}  // namespace

bool register_inventory_contract(InventoryContract contract) {
  registry().push_back(contract);
  return register_inventory_lane_contract(std::move(contract));
}

}  // namespace sluice::test
