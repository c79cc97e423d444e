#include "sluice/adapters/direct/store_inventory.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sluice/inventory/winner_set.hpp"

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_store.hpp"
#include "support/store_values.hpp"

namespace sluice {
namespace {

using test::error_of;
using test::user_of;

const LaneId kLane{7, 0};

std::string text(Errc code) { return make_error_code(code).message(); }

class StoreInventoryTest : public testing::Test {
 protected:
  StoreInventoryTest() {
    LaneWindow window;
    window.state = SaleState::open;
    window.starts_at = test::FakeClock::kStart - std::chrono::hours(1);
    window.ends_at = test::FakeClock::kStart + std::chrono::hours(1);
    store_.lanes[kLane].window = window;
    store_.lanes[kLane].stock = 10;
    store_sells();
  }

  /// Allots an epoch and raises the fence to it.
  void sells_from_now_on(Authority authority) {
    const auto epoch =
        loop_.finish(store_.next_epoch(test::soon(), kLane, authority, std::nullopt));
    ASSERT_TRUE(epoch);
    ASSERT_TRUE(loop_.finish(
        store_.raise_fence(test::soon(), Fence{kLane, *epoch}, std::nullopt, std::nullopt)));
    call_ = Call{kLane, *epoch, test::soon()};
  }
  void store_sells() { sells_from_now_on(Authority::store); }

  OrderMessage wish(std::uint64_t user, std::uint32_t quantity = 1) const {
    return test::message_of(kLane, user_of(user), quantity, call_.epoch);
  }

  static std::vector<Attempt> attempts_of(const std::vector<OrderMessage>& requests) {
    std::vector<Attempt> attempts;
    for (const auto& wish : requests) attempts.push_back({wish.id, wish.user, wish.quantity});
    return attempts;
  }

  Result<ReserveReply> reserve(const std::vector<OrderMessage>& requests) {
    const auto attempts = attempts_of(requests);
    return loop_.finish(inventory_->reserve(call_, attempts));
  }

  /// The verdicts of one call that must succeed.
  std::vector<Verdict> verdicts(const std::vector<OrderMessage>& requests) {
    std::vector<Verdict> all;
    for (const auto& reservation : reserve(requests).value().reservations) {
      all.push_back(reservation.verdict);
    }
    return all;
  }

  std::vector<Outcome> apply(const std::vector<OrderMessage>& messages) {
    return loop_.finish(store_.apply(test::soon(), messages, std::nullopt)).value();
  }

  LaneView view() { return loop_.finish(inventory_->view(call_)).value(); }

  WinnersPage winners(const std::string& cursor, std::size_t max = 10) {
    return loop_.finish(inventory_->winners(call_, cursor, max)).value();
  }

  static std::vector<std::uint64_t> hashes_of(const std::vector<std::uint64_t>& users) {
    std::vector<std::uint64_t> hashes;
    for (const auto user : users) hashes.push_back(winner_hash(user_of(user)));
    return hashes;
  }

  test::EventLoop loop_;
  test::FakeOrderStore store_;
  std::unique_ptr<Inventory> inventory_ = create_store_inventory(store_);
  Call call_;
};

TEST_F(StoreInventoryTest, IsReadyWhileTheStoreSells) {
  const auto lane = view();
  EXPECT_TRUE(lane.ready);
  EXPECT_EQ(lane.epoch, call_.epoch);
  EXPECT_EQ(lane.stock, 10);
  EXPECT_EQ(lane.version, 1U);
  EXPECT_EQ(lane.window, store_.lanes[kLane].window);
  EXPECT_EQ(lane.pending, 0U);
  EXPECT_EQ(lane.held, 0);
}

TEST_F(StoreInventoryTest, IsNotReadyWhileTheInventorySells) {
  sells_from_now_on(Authority::inventory);
  const auto lane = view();
  EXPECT_FALSE(lane.ready);
  EXPECT_EQ(lane.epoch, 0U);
  EXPECT_EQ(lane.stock, 0);
  const std::vector<UserId> users{user_of(1)};
  EXPECT_EQ(error_of(reserve({wish(1)})), text(Errc::not_ready));
  EXPECT_EQ(error_of(loop_.finish(inventory_->find(call_, users))), text(Errc::not_ready));
  EXPECT_EQ(error_of(loop_.finish(inventory_->winners(call_, "", 10))), text(Errc::not_ready));
}

TEST_F(StoreInventoryTest, IsNotReadyWhileTheStoresFenceIsOnItsWay) {
  sells_from_now_on(Authority::inventory);
  ASSERT_TRUE(loop_.finish(store_.next_epoch(test::soon(), kLane, Authority::store, std::nullopt)));
  EXPECT_FALSE(view().ready);
  ++call_.epoch;
  EXPECT_EQ(error_of(reserve({wish(1)})), text(Errc::not_ready));
}

TEST_F(StoreInventoryTest, IsNotReadyUnderAnotherEpochOfTheStores) {
  const auto old_call = call_;
  store_sells();
  EXPECT_TRUE(view().ready);
  EXPECT_EQ(verdicts({wish(1)}), std::vector{Verdict::granted});
  call_ = old_call;
  EXPECT_EQ(error_of(reserve({wish(2)})), text(Errc::not_ready));
  EXPECT_EQ(error_of(loop_.finish(inventory_->winners(call_, "", 10))), text(Errc::not_ready));
}

TEST_F(StoreInventoryTest, AMissingLaneIsNotReady) {
  call_.lane = LaneId{99, 0};
  EXPECT_FALSE(view().ready);
  const std::vector<UserId> users{user_of(1)};
  EXPECT_EQ(error_of(loop_.finish(inventory_->find(call_, users))), text(Errc::not_ready));
  EXPECT_EQ(error_of(loop_.finish(inventory_->winners(call_, "", 10))), text(Errc::not_ready));
  LaneImage image;
  image.lane = call_.lane;
  EXPECT_EQ(error_of(loop_.finish(inventory_->rebuild(call_, image, 0))), text(Errc::not_ready));
}

TEST_F(StoreInventoryTest, GrantsWhatFitsIntoTheStockInOrder) {
  EXPECT_EQ(verdicts({wish(1, 4), wish(2, 7), wish(3, 6), wish(4)}),
            (std::vector{Verdict::granted, Verdict::insufficient, Verdict::granted,
                         Verdict::insufficient}));
}

TEST_F(StoreInventoryTest, AGrantCarriesTheOrder) {
  const auto wanted = wish(1, 3);
  const auto reply = reserve({wanted}).value();
  EXPECT_EQ(reply.version, 1U);
  EXPECT_FALSE(reply.may_return);
  EXPECT_EQ(reply.reservations.at(0).existing, (OrderView{wanted.id, OrderStatus::queued, 3}));
}

TEST_F(StoreInventoryTest, OnlyTheStoresZeroIsSoldOut) {
  const auto all = wish(1, 10);
  EXPECT_EQ(verdicts({all, wish(2)}), (std::vector{Verdict::granted, Verdict::insufficient}))
      << "the first may still be refused";
  apply({all});
  EXPECT_EQ(verdicts({wish(2), wish(3, 10)}), (std::vector{Verdict::sold_out, Verdict::sold_out}));
}

TEST_F(StoreInventoryTest, AUserWithAnOrderHasIt) {
  const auto first = wish(1, 2);
  apply({first});
  const auto reply = reserve({wish(1)}).value();
  EXPECT_EQ(reply.reservations.at(0).verdict, Verdict::already);
  EXPECT_EQ(reply.reservations.at(0).existing, (OrderView{first.id, OrderStatus::confirmed, 2}));
}

TEST_F(StoreInventoryTest, ARepeatedAttemptFindsItsConfirmedOrder) {
  const auto first = wish(1);
  ASSERT_EQ(verdicts({first}), std::vector{Verdict::granted});
  apply({first});
  const auto reply = reserve({first}).value();
  EXPECT_EQ(reply.reservations.at(0).verdict, Verdict::already);
  EXPECT_EQ(reply.reservations.at(0).existing.status, OrderStatus::confirmed);
}

TEST_F(StoreInventoryTest, AUserTwiceInACallHasTheFirstOrder) {
  const auto first = wish(1);
  const auto reply = reserve({first, wish(1, 2), wish(2)}).value();
  EXPECT_EQ(reply.reservations.at(0).verdict, Verdict::granted);
  EXPECT_EQ(reply.reservations.at(1).verdict, Verdict::already);
  EXPECT_EQ(reply.reservations.at(1).existing, (OrderView{first.id, OrderStatus::queued, 1}));
  EXPECT_EQ(reply.reservations.at(2).verdict, Verdict::granted);
}

TEST_F(StoreInventoryTest, ARefusedWishDoesNotStandInTheWayOfTheUsersNext) {
  EXPECT_EQ(verdicts({wish(1, 11), wish(1, 10)}),
            (std::vector{Verdict::insufficient, Verdict::granted}));
}

TEST_F(StoreInventoryTest, OutsideTheWindowOnlyOrdersAreFound) {
  const auto first = wish(1);
  apply({first});
  store_.lanes[kLane].window.state = SaleState::paused;
  const auto reply = reserve({wish(1), wish(2)}).value();
  EXPECT_EQ(reply.reservations.at(0).verdict, Verdict::already);
  EXPECT_EQ(reply.reservations.at(1).verdict, Verdict::not_open);
}

TEST_F(StoreInventoryTest, TakesAsManyAttemptsAsThePortAllows) {
  store_.lanes[kLane].stock = 1024;
  std::vector<OrderMessage> requests;
  for (std::uint64_t user = 0; user < 1024; ++user) requests.push_back(wish(user));
  EXPECT_EQ(verdicts(requests), std::vector(1024, Verdict::granted));
  requests.push_back(wish(5000));
  EXPECT_EQ(error_of(reserve(requests)), text(Errc::invalid));
  EXPECT_TRUE(verdicts({}).empty());
}

TEST_F(StoreInventoryTest, RefusesAttemptsThatAreNotOfTheCall) {
  ++call_.epoch;
  const auto later = wish(1);
  --call_.epoch;
  EXPECT_EQ(error_of(reserve({later})), text(Errc::invalid));
  const auto late = test::message_of(kLane, user_of(1), 1, call_.epoch - 1);
  EXPECT_EQ(error_of(reserve({late})), "ok");
  EXPECT_EQ(error_of(reserve({late, wish(2)})), text(Errc::invalid)) << "not together";
  EXPECT_EQ(error_of(reserve({wish(1, 0)})), text(Errc::invalid));
  const auto other_lane = test::message_of(LaneId{kLane.sale, 1}, user_of(1), 1, call_.epoch);
  EXPECT_EQ(error_of(reserve({other_lane})), text(Errc::invalid));
}

TEST_F(StoreInventoryTest, TwoAtOnceOvershootAndTheStoreRefusesTheExcess) {
  const auto other = create_store_inventory(store_);
  std::vector<OrderMessage> here;
  std::vector<OrderMessage> there;
  for (std::uint64_t user = 0; user < 8; ++user) {
    here.push_back(wish(user));
    there.push_back(wish(100 + user));
  }
  there.push_back(wish(0));
  const auto there_attempts = attempts_of(there);
  const auto granted_here = verdicts(here);
  const auto granted_there = loop_.finish(other->reserve(call_, there_attempts)).value();
  EXPECT_EQ(granted_here, std::vector(8, Verdict::granted));
  for (const auto& reservation : granted_there.reservations) {
    EXPECT_EQ(reservation.verdict, Verdict::granted);
  }

  int sold = 0;
  for (const auto& outcome : apply(here)) sold += is_live(outcome.status) ? 1 : 0;
  const auto excess = apply(there);
  for (const auto& outcome : excess) sold += is_live(outcome.status) ? 1 : 0;
  EXPECT_EQ(sold, 10);
  EXPECT_EQ(store_.lanes[kLane].stock, 0);
  EXPECT_EQ(excess.at(2).reason, RejectReason::stock);
  EXPECT_EQ(excess.back().reason, RejectReason::duplicate);
  EXPECT_EQ(verdicts({wish(500)}), std::vector{Verdict::sold_out});
}

TEST_F(StoreInventoryTest, AUnitThatCameBackMakesANewVersionAlsoWhenItIsSoldAgain) {
  const auto before = loop_.finish(inventory_->view(call_)).value().version;
  store_.lanes[call_.lane].returned += 2;
  const auto after = loop_.finish(inventory_->view(call_)).value().version;
  EXPECT_GT(after, before);
  EXPECT_EQ(loop_.finish(inventory_->winners(call_, "", 10)).value().version, after);
  EXPECT_EQ(reserve({wish(1)}).value().version, after);
}

TEST_F(StoreInventoryTest, FindsLiveOrdersAndNamesTheWinners) {
  const auto first = wish(1);
  apply({first, wish(2, 9), wish(3)});
  const std::vector<UserId> users{user_of(3), user_of(1), user_of(9)};
  const auto found = loop_.finish(inventory_->find(call_, users)).value();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_FALSE(found[0]) << "rejected for stock";
  EXPECT_EQ(found[1]->id, first.id);
  EXPECT_FALSE(found[2]);

  const auto page = winners("");
  EXPECT_EQ(page.hashes, hashes_of({1, 2}));
  EXPECT_TRUE(page.last);
  EXPECT_EQ(page.stock, 0);
  EXPECT_EQ(page.version, reserve({wish(4)}).value().version) << "a sold-out view may use them";
}

TEST_F(StoreInventoryTest, ListsTheWinnersOfOneVersionInPages) {
  apply({wish(1, 4), wish(2, 2), wish(3, 2), wish(4, 2)});
  const auto first = winners("", 3);
  EXPECT_EQ(first.hashes, hashes_of({1, 2, 3}));
  EXPECT_FALSE(first.last);
  const auto second = winners(first.next, 3);
  EXPECT_EQ(second.hashes, hashes_of({4}));
  EXPECT_TRUE(second.last);
  const auto end = winners(second.next, 3);
  EXPECT_TRUE(end.hashes.empty()) << "a look at the end costs no list";
  EXPECT_TRUE(end.last);
}

TEST_F(StoreInventoryTest, BeginsTheListAgainWhenAUnitCameBack) {
  apply({wish(2, 4), wish(3, 2), wish(4, 4)});
  const auto first = winners("", 2);
  EXPECT_EQ(first.hashes, hashes_of({2, 3}));
  // A unit comes back and is sold to a user before the cursor.
  store_.lanes[kLane].returned += 2;
  store_.lanes[kLane].stock += 2;
  apply({wish(1, 2)});
  const auto again = winners(first.next, 10);
  EXPECT_EQ(again.hashes, hashes_of({1, 2, 3, 4}));
  EXPECT_GT(again.version, first.version);
}

TEST_F(StoreInventoryTest, ListsNobodyWhileUnitsAreLeft) {
  apply({wish(1, 4)});
  const auto page = winners("");
  EXPECT_EQ(page.stock, 6);
  EXPECT_TRUE(page.hashes.empty()) << "others may join before any place of the list";
  EXPECT_EQ(page.next, "");
  store_.on_winners.fail(Errc::unknown);
  apply({wish(2, 6)});
  EXPECT_EQ(error_of(loop_.finish(inventory_->winners(call_, "", 10))), text(Errc::unavailable));
  EXPECT_EQ(error_of(loop_.finish(inventory_->winners(call_, "", 0))), text(Errc::invalid));
}

TEST_F(StoreInventoryTest, HasNothingToSettleCloseOrLookAfter) {
  const auto first = wish(1);
  apply({first});
  const std::vector<Settlement> settlements{{first.id, first.user, 1, SettleAction::give_back}};
  EXPECT_TRUE(loop_.finish(inventory_->settle(call_, settlements)));
  EXPECT_EQ(store_.lanes[kLane].stock, 9);
  EXPECT_TRUE(loop_.finish(inventory_->set_window(call_, LaneWindow{})));
  EXPECT_TRUE(loop_.finish(inventory_->close(call_)));
  EXPECT_TRUE(loop_.finish(inventory_->overdue(call_, Millis{0}, 100)).value().empty());
  EXPECT_TRUE(view().ready);
}

TEST_F(StoreInventoryTest, ARebuildSucceedsForTheEpochThatTheStoreSellsUnder) {
  auto image = loop_.finish(whole_image(store_, test::soon(), kLane)).value();
  EXPECT_TRUE(loop_.finish(inventory_->rebuild(call_, image, 0)));
  ++image.epoch;
  EXPECT_EQ(error_of(loop_.finish(inventory_->rebuild(call_, image, 0))), text(Errc::stale));
  sells_from_now_on(Authority::inventory);
  ASSERT_EQ(image.epoch, call_.epoch);
  EXPECT_EQ(error_of(loop_.finish(inventory_->rebuild(call_, image, 0))), text(Errc::stale));
  image.lane = LaneId{kLane.sale, 1};
  EXPECT_EQ(error_of(loop_.finish(inventory_->rebuild(call_, image, 0))), text(Errc::invalid));
}

TEST_F(StoreInventoryTest, AStoreThatDoesNotAnswerLeavesNoDoubt) {
  store_.on_standing.fail(Errc::unknown);
  EXPECT_EQ(error_of(reserve({wish(1)})), text(Errc::unavailable)) << "looking reserves nothing";
  store_.on_standing.fail(Errc::unavailable);
  EXPECT_EQ(error_of(reserve({wish(1)})), text(Errc::unavailable));
  store_.on_standing.fail(Errc::unknown);
  EXPECT_EQ(error_of(loop_.finish(inventory_->view(call_))), text(Errc::unavailable));
  EXPECT_EQ(verdicts({wish(1)}), std::vector{Verdict::granted});
}

}  // namespace
}  // namespace sluice
