#include "sluice/orders/order_service.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_queue.hpp"
#include "support/fake_router.hpp"
#include "support/fake_store.hpp"
#include "support/fake_transitions.hpp"
#include "support/store_values.hpp"

namespace sluice {
namespace {

const LaneId kLane{7, 0};

class OrderServiceTest : public testing::Test {
 protected:
  OrderServiceTest() {
    sale_.id = kLane.sale;
    sale_.terms = test::draft_of(100);
    sale_.state = SaleState::open;
    store_.lanes[kLane].stock = 100;
    inventory_.open_lane(kLane, 100);
    OrderService::Ports ports{router_, store_, moves_, late_, clock_, seal_, watch_};
    desk_.emplace(loop_.executor(), settings_, ports);
  }

  OrderMessage message(std::uint64_t user, Epoch epoch = 1) {
    OrderMessage message;
    message.user = test::user_of(user);
    message.lane = kLane;
    message.epoch = epoch;
    message.quantity = 2;
    message.reserved_at = clock_.now();
    message.id = seal_.issue(kLane, epoch, message.user, clock_.now(), random_());
    return message;
  }

  void project(const OrderMessage& message, OrderStatus status) {
    auto& record = inventory_.lane(kLane).records[message.user];
    record.order = {message.id, status, message.quantity};
    record.reserved_at = message.reserved_at;
  }

  /// "confirmed 2", "rejected/stock 2", or the name of the refusal's code.
  static std::string said(const LookUp& found) {
    if (!found) return std::string(problem(found.error().code).name);
    auto text = std::string(name(found->order.status));
    if (found->reason != RejectReason::none) text += "/" + std::string(name(found->reason));
    return text + " " + std::to_string(found->order.quantity);
  }

  std::string find(const OrderMessage& message) {
    return said(loop_.finish(desk_->find(sale_, message.id, message.user)));
  }

  std::string mine(std::uint64_t user) {
    return said(loop_.finish(desk_->mine(sale_, test::user_of(user))));
  }

  std::string move(const OrderMessage& message, Move move) {
    return said(loop_.finish(desk_->move(sale_, message.id, message.user, move)));
  }

  /// A confirmed order in a sale whose orders must be paid, which the projection knows.
  OrderMessage unpaid(std::uint64_t user) {
    sale_.terms.pay_within = Millis{60'000};
    auto order = message(user);
    store_.decide(order);
    store_.orders[order.id].pay_by = clock_.now() + sale_.terms.pay_within;
    inventory_.lane(kLane).stock -= order.quantity;
    project(order, OrderStatus::confirmed);
    return order;
  }

  test::Running<LookUp> start_wait(const OrderMessage& message, Patience patience) {
    auto running = loop_.start(desk_->wait(sale_, message.id, message.user, patience));
    loop_.turn();
    return running;
  }

  void advance(Millis by) {
    clock_.advance(by);
    watch_.sweep(clock_.ticks());
    loop_.turn();
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeInventory inventory_{clock_};
  test::FakeQueue queue_;
  test::FakeRouter router_{inventory_, queue_};
  test::FakeOrderStore store_;
  test::FakeOrderTransitions moves_{store_, clock_};
  test::FakeLateOrders late_{store_};
  OrderIdSeal seal_{"a secret for tests"};
  OrderWatch watch_{2};
  std::mt19937_64 random_{3};
  LookupSettings settings_;
  Sale sale_;
  std::optional<OrderService> desk_;
};

TEST_F(OrderServiceTest, AnOrderIsItsOwnersAlone) {
  const auto order = message(1);
  project(order, OrderStatus::confirmed);
  EXPECT_EQ(find(order), "confirmed 2");

  auto stranger = order;
  stranger.user = test::user_of(2);
  EXPECT_EQ(find(stranger), "unknown_order");
  auto made_up = order;
  auto bytes = order.id.bytes();
  bytes[15] ^= 1;
  made_up.id = OrderId(bytes);
  EXPECT_EQ(find(made_up), "unknown_order");
  Sale other = sale_;
  other.id = 8;
  const auto elsewhere = loop_.finish(desk_->find(other, order.id, order.user));
  EXPECT_EQ(said(elsewhere), "unknown_order");
  EXPECT_TRUE(store_.find_calls.empty()) << "strangers cost nothing";
}

TEST_F(OrderServiceTest, WhatTheProjectionHasDecidedNeedsNoStore) {
  const auto order = message(1);
  project(order, OrderStatus::paid);
  EXPECT_EQ(find(order), "paid 2");
  EXPECT_EQ(store_.on_find.calls(), 0U);
}

TEST_F(OrderServiceTest, LookUpsOfOneLaneShareACall) {
  std::vector<OrderMessage> orders;
  std::vector<test::Running<LookUp>> running;
  for (std::uint64_t user = 0; user < settings_.batch_max; ++user) {
    orders.push_back(message(user));
    if (user % 2 == 0) project(orders.back(), OrderStatus::paid);
  }
  store_.decide(orders[1]);
  for (const auto& order : orders) {
    running.push_back(loop_.start(desk_->find(sale_, order.id, order.user)));
  }
  loop_.turn();
  EXPECT_EQ(inventory_.on_find.calls(), 1U);
  EXPECT_EQ(inventory_.on_view.calls(), 1U);
  EXPECT_EQ(said(running[0].value()), "paid 2");
  EXPECT_EQ(said(running[1].value()), "confirmed 2");
  EXPECT_EQ(said(running[3].value()), "queued 0");
}

TEST_F(OrderServiceTest, ABatchLearnsTheEpochOfARebuiltLaneOnce) {
  const auto first = message(1);
  project(first, OrderStatus::paid);
  EXPECT_EQ(find(first), "paid 2");
  inventory_.lane(kLane).epoch = 2;
  const auto second = message(2);
  project(second, OrderStatus::paid);
  auto one = loop_.start(desk_->find(sale_, first.id, first.user));
  auto other = loop_.start(desk_->find(sale_, second.id, second.user));
  loop_.turn();
  EXPECT_EQ(said(one.value()), "paid 2");
  EXPECT_EQ(said(other.value()), "paid 2");
  EXPECT_EQ(inventory_.on_view.calls(), 2U);
  EXPECT_EQ(inventory_.on_find.calls(), 3U) << "one before, one in vain, one under the new epoch";
}

TEST_F(OrderServiceTest, AnOrderQueuedInTheProjectionIsLookedUpInTheStore) {
  const auto order = message(1);
  project(order, OrderStatus::queued);
  EXPECT_EQ(find(order), "queued 2") << "not decided yet; its size is known";
  EXPECT_EQ(store_.on_find.calls(), 1U);
  store_.decide(order);
  EXPECT_EQ(find(order), "confirmed 2") << "decided, and the projection does not know";
  store_.on_find.fail(Errc::unavailable);
  EXPECT_EQ(find(order), "busy") << "whoever saw it confirmed must not see it queued";
}

TEST_F(OrderServiceTest, AProjectionBehindTheFenceIsNotBelieved) {
  const auto order = message(1, 2);
  store_.lanes[kLane].fence = 2;
  store_.decide(order);
  EXPECT_EQ(mine(1), "confirmed 2") << "that epoch 1 has none says nothing under epoch 2";
  EXPECT_EQ(mine(2), "busy") << "nobody can tell now";
  project(message(3), OrderStatus::confirmed);
  EXPECT_EQ(mine(3), "confirmed 2") << "this node has not heard of epoch 2";
  router_.mode.fences[kLane] = 2;
  router_.publish();
  EXPECT_EQ(mine(1), "confirmed 2");
  EXPECT_EQ(mine(2), "busy");
  EXPECT_EQ(mine(3), "busy") << "a phantom";
  inventory_.open_lane(kLane, 10, 2);
  EXPECT_EQ(mine(2), "unknown_order");
}

TEST_F(OrderServiceTest, ARejectedOrderIsFoundInTheStoreWithItsReason) {
  const auto live = message(1);
  const auto duplicate = message(1);
  store_.decide(live);
  store_.decide(duplicate);
  project(live, OrderStatus::confirmed);
  EXPECT_EQ(find(duplicate), "rejected/duplicate 2");
  EXPECT_EQ(find(live), "confirmed 2");
}

TEST_F(OrderServiceTest, AnAuthenticIdThatNoStoreKnowsIsQueued) {
  EXPECT_EQ(find(message(1)), "queued 0");
}

TEST_F(OrderServiceTest, AnAuthenticIdBehindTheFenceIsNotedAndQueued) {
  const auto order = message(1, 3);
  store_.lanes[kLane].fence = 3;
  EXPECT_EQ(find(order), "queued 0") << "the fence admits its own epoch";
  EXPECT_EQ(late_.notes, 0U);
  store_.lanes[kLane].fence = 4;
  EXPECT_EQ(find(order), "queued 0");
  ASSERT_TRUE(store_.late.contains(order.id));
  EXPECT_EQ(find(order), "queued 0");
  EXPECT_EQ(late_.notes, 1U) << "once";
  store_.late[order.id].reason = RejectReason::fenced;
  EXPECT_EQ(find(order), "rejected/fenced 0");
}

TEST_F(OrderServiceTest, WhatIsNotNotedIsNotPromised) {
  const auto order = message(1, 3);
  store_.lanes[kLane].fence = 4;
  late_.on_note.fail(Errc::unavailable);
  EXPECT_EQ(find(order), "busy");
}

TEST_F(OrderServiceTest, AParkedOrderIsQueuedAndMine) {
  const auto order = message(1, 3);
  store_.lanes[kLane].fence = 4;
  inventory_.open_lane(kLane, 10, 4);
  EXPECT_EQ(mine(1), "unknown_order");
  store_.decide(order);
  EXPECT_EQ(find(order), "queued 2");
  EXPECT_EQ(mine(1), "queued 2") << "though the lane does not know it";
}

TEST_F(OrderServiceTest, NoAnswerIsBusyAndNeverUnknownOrder) {
  const auto order = message(1);
  store_.on_find.fail(Errc::unavailable);
  EXPECT_EQ(find(order), "busy");
  store_.on_head.fail(Errc::unknown);
  EXPECT_EQ(find(order), "busy");
  store_.lanes[kLane].fence = 2;
  store_.on_find.before([&] { store_.on_find.fail(Errc::unavailable); });
  EXPECT_EQ(find(order), "busy") << "the second look";
}

TEST_F(OrderServiceTest, WithoutAProjectionTheStoreAnswers) {
  const auto order = message(1);
  store_.decide(order);
  inventory_.lane(kLane).ready = false;
  EXPECT_EQ(find(order), "confirmed 2");
  inventory_.lane(kLane).ready = true;
  inventory_.on_find.fail(Errc::unavailable);
  EXPECT_EQ(find(order), "confirmed 2");
  inventory_.on_view.fail(Errc::unknown);
  EXPECT_EQ(find(order), "confirmed 2");
}

TEST_F(OrderServiceTest, TheEpochIsLearnedOnceAndAgainAfterARebuild) {
  const auto order = message(1);
  project(order, OrderStatus::confirmed);
  EXPECT_EQ(find(order), "confirmed 2");
  EXPECT_EQ(find(order), "confirmed 2");
  EXPECT_EQ(inventory_.on_view.calls(), 1U);
  inventory_.open_lane(kLane, 10, 2);
  project(order, OrderStatus::paid);
  EXPECT_EQ(find(order), "paid 2");
  EXPECT_EQ(inventory_.on_view.calls(), 2U);
  EXPECT_EQ(store_.on_find.calls(), 0U);
}

TEST_F(OrderServiceTest, LookUpsInTheStoreTravelTogether) {
  std::vector<OrderMessage> orders;
  std::vector<test::Running<LookUp>> running;
  for (std::uint64_t i = 0; i < 20; ++i) {
    orders.push_back(message(i));
    store_.decide(orders.back());
    running.push_back(loop_.start(desk_->find(sale_, orders.back().id, orders.back().user)));
  }
  loop_.turn();
  for (const auto& one : running) EXPECT_EQ(said(one.value()), "confirmed 2");
  EXPECT_LE(store_.find_calls.size(), 2U);
}

TEST_F(OrderServiceTest, MineIsTheLiveOrderOfTheProjection) {
  const auto order = message(1);
  project(order, OrderStatus::queued);
  EXPECT_EQ(mine(1), "queued 2");
  EXPECT_EQ(mine(2), "unknown_order");
  EXPECT_EQ(store_.on_find_live.calls(), 0U) << "a crowd without orders costs the store nothing";
}

TEST_F(OrderServiceTest, MineAsksTheStoreAboutAQueuedOrder) {
  const auto order = message(1);
  project(order, OrderStatus::queued);
  store_.decide(order);
  EXPECT_EQ(mine(1), "confirmed 2");
}

TEST_F(OrderServiceTest, MineAsksTheStoreWithoutAProjection) {
  store_.decide(message(1));
  inventory_.lane(kLane).ready = false;
  EXPECT_EQ(mine(1), "confirmed 2");
  EXPECT_EQ(mine(2), "busy") << "there may be one that only the projection knew";
  store_.on_find_live.fail(Errc::unavailable);
  EXPECT_EQ(mine(1), "busy");
}

TEST_F(OrderServiceTest, MineAsksTheStoreWhenTheProjectionFails) {
  store_.decide(message(1));
  EXPECT_EQ(mine(1), "unknown_order") << "it answers, and knows no such order";
  inventory_.on_find.fail(Errc::unavailable);
  EXPECT_EQ(mine(1), "confirmed 2");
}

TEST_F(OrderServiceTest, WaitingEndsWithTheNews) {
  const auto order = message(1);
  project(order, OrderStatus::queued);
  const auto running = start_wait(order, Millis{5000});
  EXPECT_FALSE(running.done());
  project(order, OrderStatus::confirmed);
  watch_.news({test::confirmed(order)});
  loop_.turn();
  EXPECT_EQ(said(running.value()), "confirmed 2");
}

TEST_F(OrderServiceTest, WaitingFindsWhatNewsWasLostOf) {
  const auto order = message(1);
  project(order, OrderStatus::queued);
  const auto running = start_wait(order, Millis{5000});
  project(order, OrderStatus::confirmed);
  advance(settings_.look_again - Millis{1});
  EXPECT_FALSE(running.done());
  advance(Millis{1});
  ASSERT_TRUE(running.done());
  EXPECT_EQ(said(running.value()), "confirmed 2");
}

TEST_F(OrderServiceTest, WaitingEndsWithPatience) {
  const auto order = message(1);
  project(order, OrderStatus::queued);
  const auto running = start_wait(order, Millis{1500});
  advance(Millis{1000});
  EXPECT_FALSE(running.done());
  advance(Millis{499});
  EXPECT_FALSE(running.done());
  advance(Millis{1});
  ASSERT_TRUE(running.done());
  EXPECT_EQ(said(running.value()), "queued 2");
  EXPECT_EQ(watch_.waiting(), 0U);
}

TEST_F(OrderServiceTest, WhatIsDecidedOrRefusedIsNotWaitedFor) {
  const auto order = message(1);
  project(order, OrderStatus::confirmed);
  EXPECT_EQ(said(start_wait(order, Millis{5000}).value()), "confirmed 2");
  auto stranger = order;
  stranger.user = test::user_of(2);
  EXPECT_EQ(said(start_wait(stranger, Millis{5000}).value()), "unknown_order");
  const auto queued = message(3);
  project(queued, OrderStatus::queued);
  EXPECT_EQ(said(start_wait(queued, Millis{0}).value()), "queued 2");
}

TEST_F(OrderServiceTest, NobodyWaitsForAClientThatIsGone) {
  const auto order = message(1);
  project(order, OrderStatus::queued);
  bool gone = false;
  const auto running = start_wait(order, {Millis{5000}, &gone});
  advance(Millis{0});
  EXPECT_FALSE(running.done());
  gone = true;
  advance(Millis{0});
  ASSERT_TRUE(running.done());
  EXPECT_EQ(said(running.value()), "queued 2") << "as it was when it was last looked up";
  EXPECT_EQ(inventory_.on_find.calls(), 1U) << "thousands may leave at once";
  EXPECT_EQ(watch_.waiting(), 0U);

  const auto late = start_wait(order, {Millis{5000}, &gone});
  ASSERT_TRUE(late.done()) << "it left before the wait";
  EXPECT_EQ(said(late.value()), "queued 2");
}

TEST_F(OrderServiceTest, WithTooManyWaitersNobodyElseWaits) {
  std::vector<test::Running<LookUp>> running;
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto order = message(i);
    project(order, OrderStatus::queued);
    running.push_back(start_wait(order, Millis{500}));
  }
  EXPECT_FALSE(running[0].done());
  EXPECT_FALSE(running[1].done());
  ASSERT_TRUE(running[2].done());
  EXPECT_EQ(said(running[2].value()), "queued 2");
  advance(Millis{500});
  EXPECT_TRUE(running[1].done());
}

TEST_F(OrderServiceTest, AnUnpaidOrderIsLookedUpInTheStoreHoweverItIsProjected) {
  const auto order = unpaid(1);
  EXPECT_EQ(find(order), "confirmed 2");
  EXPECT_EQ(mine(1), "confirmed 2");
  store_.orders[order.id].status = OrderStatus::paid;
  EXPECT_EQ(find(order), "paid 2");
  EXPECT_EQ(mine(1), "paid 2");
  store_.orders[order.id].status = OrderStatus::expired;
  EXPECT_EQ(find(order), "expired 2");
  store_.on_find.fail(Errc::unavailable);
  EXPECT_EQ(find(order), "busy") << "whoever saw it expired must not see it confirmed";
}

TEST_F(OrderServiceTest, UntilWhenToPayIsToldWhileItIsConfirmed) {
  const auto order = unpaid(1);
  const auto pay_by = store_.orders[order.id].pay_by;
  EXPECT_EQ(loop_.finish(desk_->find(sale_, order.id, order.user))->pay_by, pay_by);
  store_.orders[order.id].status = OrderStatus::paid;
  EXPECT_FALSE(loop_.finish(desk_->find(sale_, order.id, order.user))->pay_by);
}

TEST_F(OrderServiceTest, AnOrderThatIsOverIsNobodysLiveOne) {
  const auto order = unpaid(1);
  for (const auto status : {OrderStatus::cancelled, OrderStatus::expired}) {
    store_.orders[order.id].status = status;
    EXPECT_EQ(mine(1), "unknown_order") << "the projection has no other of this user";
  }
  store_.on_find_live.fail(Errc::unavailable);
  EXPECT_EQ(mine(1), "busy");
  store_.lanes[kLane].fence = 2;
  EXPECT_EQ(mine(1), "busy") << "under the new epoch there may be one";
  store_.decide(message(1, 2));
  EXPECT_EQ(mine(1), "confirmed 2");
}

TEST_F(OrderServiceTest, APaymentIsTakenOnceAndFoundAgain) {
  const auto order = unpaid(1);
  EXPECT_EQ(move(order, Move::pay), "paid 2");
  EXPECT_EQ(move(order, Move::pay), "paid 2");
  EXPECT_EQ(move(order, Move::cancel), "order_final");
  EXPECT_EQ(find(order), "paid 2");
  EXPECT_TRUE(inventory_.settled.empty()) << "its unit stays sold";
  EXPECT_TRUE(moves_.rows.empty());
}

TEST_F(OrderServiceTest, ACancelledOrderFreesItsUserAtOnce) {
  const auto order = unpaid(1);
  EXPECT_EQ(move(order, Move::cancel), "cancelled 2");
  EXPECT_FALSE(inventory_.lane(kLane).records.contains(order.user));
  EXPECT_EQ(inventory_.lane(kLane).stock, 100);
  ASSERT_EQ(moves_.rows.size(), 1U) << "the guarantee stays, whatever was settled";
  EXPECT_EQ(move(order, Move::cancel), "cancelled 2");
  EXPECT_EQ(inventory_.lane(kLane).stock, 100) << "given back once";
  EXPECT_EQ(move(order, Move::pay), "order_final");
  EXPECT_EQ(find(order), "cancelled 2");
  EXPECT_EQ(mine(1), "unknown_order");
}

TEST_F(OrderServiceTest, ACancellationIsSettledUnderTheEpochThatIsProjectedNow) {
  const auto order = unpaid(1);
  EXPECT_EQ(find(order), "confirmed 2");
  inventory_.open_lane(kLane, 98, 2);
  project(order, OrderStatus::confirmed);
  EXPECT_EQ(move(order, Move::cancel), "cancelled 2");
  EXPECT_EQ(inventory_.lane(kLane).stock, 100);
  ASSERT_EQ(inventory_.settled.size(), 1U);
  EXPECT_EQ(inventory_.settled[0].call.epoch, 2U);
}

TEST_F(OrderServiceTest, ACancellationNeedsNoInventory) {
  const auto first = unpaid(1);
  inventory_.on_settle.fail(Errc::unavailable);
  EXPECT_EQ(move(first, Move::cancel), "cancelled 2");
  const auto second = unpaid(2);
  inventory_.lane(kLane).ready = false;
  EXPECT_EQ(move(second, Move::cancel), "cancelled 2");
  EXPECT_EQ(moves_.rows.size(), 2U);
}

TEST_F(OrderServiceTest, ACancellationLeavesALaterOrderOfTheUserAlone) {
  const auto first = unpaid(1);
  store_.orders[first.id].status = OrderStatus::cancelled;
  const auto second = message(1);
  project(second, OrderStatus::queued);
  EXPECT_EQ(move(first, Move::cancel), "cancelled 2");
  EXPECT_EQ(inventory_.lane(kLane).records.at(second.user).order.id, second.id);
}

TEST_F(OrderServiceTest, OnlyTheOwnerMovesAnOrderAndOnlyInItsSale) {
  const auto order = unpaid(1);
  auto stranger = order;
  stranger.user = test::user_of(2);
  EXPECT_EQ(move(stranger, Move::cancel), "unknown_order");
  Sale other = sale_;
  other.id = 8;
  const auto elsewhere = loop_.finish(desk_->move(other, order.id, order.user, Move::pay));
  EXPECT_EQ(said(elsewhere), "unknown_order");
  EXPECT_EQ(moves_.on_move.calls(), 0U) << "strangers cost nothing";
}

TEST_F(OrderServiceTest, WhatNeedNotBePaidIsFinalAndNobodyCallsAnOrderExpired) {
  const auto order = unpaid(1);
  EXPECT_EQ(move(order, Move::expire), "order_final");
  sale_.terms.pay_within = Millis{0};
  EXPECT_EQ(move(order, Move::pay), "order_final");
  EXPECT_EQ(move(order, Move::cancel), "order_final");
  EXPECT_EQ(moves_.on_move.calls(), 0U);
}

TEST_F(OrderServiceTest, AnUndecidedOrderIsMovedLater) {
  sale_.terms.pay_within = Millis{60'000};
  const auto order = message(1);
  project(order, OrderStatus::queued);
  const auto early = loop_.finish(desk_->move(sale_, order.id, order.user, Move::cancel));
  EXPECT_EQ(said(early), "order_undecided");
  EXPECT_GT(early.error().retry_after, Millis{0});
  store_.on_find.before([&] { store_.decide(order); });
  EXPECT_EQ(move(order, Move::cancel), "order_undecided") << "decided between the two looks";
  EXPECT_EQ(move(order, Move::cancel), "cancelled 2");
}

TEST_F(OrderServiceTest, ARejectedOrderIsFinal) {
  sale_.terms.pay_within = Millis{60'000};
  const auto fenced = message(1);
  store_.lanes[kLane].fence = 2;
  EXPECT_EQ(move(fenced, Move::cancel), "order_undecided");
  store_.late[fenced.id].reason = RejectReason::fenced;
  EXPECT_EQ(move(fenced, Move::cancel), "order_final");
  const auto phantom = message(2, 2);
  store_.lanes[kLane].stock = 0;
  store_.decide(phantom);
  EXPECT_EQ(move(phantom, Move::pay), "order_final");
}

TEST_F(OrderServiceTest, AMoveWithoutAnAnswerMayHaveBeenDone) {
  const auto order = unpaid(1);
  moves_.on_move.fail(Errc::unknown, true);
  const auto open = loop_.finish(desk_->move(sale_, order.id, order.user, Move::cancel));
  EXPECT_EQ(said(open), "outcome_unknown");
  EXPECT_GT(open.error().retry_after, Millis{0});
  EXPECT_EQ(move(order, Move::cancel), "cancelled 2") << "asked again it finds itself done";
  EXPECT_EQ(moves_.rows.size(), 1U);

  const auto other = unpaid(2);
  moves_.on_move.fail(Errc::unavailable);
  EXPECT_EQ(move(other, Move::pay), "busy") << "nothing was done";
  EXPECT_EQ(find(other), "confirmed 2");
}

TEST_F(OrderServiceTest, WithoutAStoreItIsNotKnownWhyAnOrderDoesNotMove) {
  sale_.terms.pay_within = Millis{60'000};
  const auto order = message(1);
  store_.on_find.fail(Errc::unavailable);
  EXPECT_EQ(move(order, Move::pay), "busy");
}

TEST_F(OrderServiceTest, MovesTravelTogetherAndOneOfAPayAndACancelHappens) {
  std::vector<test::Running<LookUp>> running;
  for (std::uint64_t i = 0; i < 10; ++i) {
    const auto order = unpaid(i);
    running.push_back(loop_.start(desk_->move(sale_, order.id, order.user, Move::pay)));
    running.push_back(loop_.start(desk_->move(sale_, order.id, order.user, Move::cancel)));
  }
  loop_.turn();
  for (std::size_t i = 0; i < running.size(); i += 2) {
    EXPECT_EQ(said(running[i].value()), "paid 2");
    EXPECT_EQ(said(running[i + 1].value()), "order_final");
  }
  EXPECT_LE(moves_.move_calls.size(), 2U);
}

}  // namespace
}  // namespace sluice
