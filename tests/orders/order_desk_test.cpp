#include "sluice/orders/order_desk.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/random.hpp"

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_queue.hpp"
#include "support/fake_routes.hpp"
#include "support/fake_store.hpp"
#include "support/store_values.hpp"

namespace sluice {
namespace {

const LaneId kLane{7, 0};

class OrderDeskTest : public testing::Test {
 protected:
  OrderDeskTest() {
    sale_.id = kLane.sale;
    sale_.terms = test::draft_of(100);
    sale_.state = SaleState::open;
    store_.lanes[kLane].stock = 100;
    inventory_.open_lane(kLane, 100);
    OrderDesk::Ports ports{routes_, store_, clock_, seal_, watch_};
    desk_.emplace(loop_.executor(), settings_, ports);
  }

  OrderMessage message(std::uint64_t user, Epoch epoch = 1) {
    OrderMessage message;
    message.user = test::user_of(user);
    message.lane = kLane;
    message.epoch = epoch;
    message.quantity = 2;
    message.reserved_at = clock_.now();
    message.id = seal_.issue(kLane, epoch, message.user, clock_.now(), random_->next());
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

  test::Running<LookUp> start_wait(const OrderMessage& message, Millis patience) {
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
  test::FakeRoutes routes_{inventory_, queue_};
  test::FakeOrderStore store_;
  OrderIdSeal seal_{"a secret for tests"};
  OrderWatch watch_{2};
  std::unique_ptr<Random> random_ = seeded_random(3);
  LookupSettings settings_;
  Sale sale_;
  std::optional<OrderDesk> desk_;
};

TEST_F(OrderDeskTest, AnOrderIsItsOwnersAlone) {
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

TEST_F(OrderDeskTest, WhatTheProjectionHasDecidedNeedsNoStore) {
  const auto order = message(1);
  project(order, OrderStatus::paid);
  EXPECT_EQ(find(order), "paid 2");
  EXPECT_EQ(store_.on_find.calls(), 0U);
}

TEST_F(OrderDeskTest, AnOrderQueuedInTheProjectionIsLookedUpInTheStore) {
  const auto order = message(1);
  project(order, OrderStatus::queued);
  EXPECT_EQ(find(order), "queued 2") << "not decided yet; its size is known";
  EXPECT_EQ(store_.on_find.calls(), 1U);
  store_.decide(order);
  EXPECT_EQ(find(order), "confirmed 2") << "decided, and the projection does not know";
  store_.on_find.fail(Errc::unavailable);
  EXPECT_EQ(find(order), "busy") << "whoever saw it confirmed must not see it queued";
}

TEST_F(OrderDeskTest, AProjectionBehindTheFenceIsNotBelieved) {
  const auto order = message(1, 2);
  store_.lanes[kLane].fence = 2;
  store_.decide(order);
  EXPECT_EQ(mine(1), "confirmed 2") << "that epoch 1 has none says nothing under epoch 2";
  EXPECT_EQ(mine(2), "busy") << "nobody can tell now";
  project(message(3), OrderStatus::confirmed);
  EXPECT_EQ(mine(3), "confirmed 2") << "this node has not heard of epoch 2";
  routes_.now.fence = 2;
  EXPECT_EQ(mine(1), "confirmed 2");
  EXPECT_EQ(mine(2), "busy");
  EXPECT_EQ(mine(3), "busy") << "a phantom";
  inventory_.open_lane(kLane, 10, 2);
  EXPECT_EQ(mine(2), "unknown_order");
}

TEST_F(OrderDeskTest, ARejectedOrderIsFoundInTheStoreWithItsReason) {
  const auto live = message(1);
  const auto duplicate = message(1);
  store_.decide(live);
  store_.decide(duplicate);
  project(live, OrderStatus::confirmed);
  EXPECT_EQ(find(duplicate), "rejected/duplicate 2");
  EXPECT_EQ(find(live), "confirmed 2");
}

TEST_F(OrderDeskTest, AnAuthenticIdThatNoStoreKnowsIsQueued) {
  EXPECT_EQ(find(message(1)), "queued 0");
}

TEST_F(OrderDeskTest, AnAuthenticIdBehindTheFenceIsRejected) {
  const auto order = message(1, 3);
  store_.lanes[kLane].fence = 3;
  EXPECT_EQ(find(order), "queued 0") << "the fence admits its own epoch";
  store_.lanes[kLane].fence = 4;
  EXPECT_EQ(find(order), "rejected/fenced 0");
}

TEST_F(OrderDeskTest, AnOrderAppliedBetweenTheLookAndTheFenceIsNotCalledFenced) {
  const auto order = message(1, 3);
  store_.lanes[kLane].fence = 3;
  store_.on_head.before([&] {
    store_.decide(order);
    store_.lanes[kLane].fence = 4;
  });
  EXPECT_EQ(find(order), "confirmed 2");
}

TEST_F(OrderDeskTest, NoAnswerIsBusyAndNeverUnknownOrder) {
  const auto order = message(1);
  store_.on_find.fail(Errc::unavailable);
  EXPECT_EQ(find(order), "busy");
  store_.on_head.fail(Errc::unknown);
  EXPECT_EQ(find(order), "busy");
  store_.lanes[kLane].fence = 2;
  store_.on_find.before([&] { store_.on_find.fail(Errc::unavailable); });
  EXPECT_EQ(find(order), "busy") << "the second look";
}

TEST_F(OrderDeskTest, WithoutAProjectionTheStoreAnswers) {
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

TEST_F(OrderDeskTest, TheEpochIsLearnedOnceAndAgainAfterARebuild) {
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

TEST_F(OrderDeskTest, LookUpsInTheStoreTravelTogether) {
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

TEST_F(OrderDeskTest, MineIsTheLiveOrderOfTheProjection) {
  const auto order = message(1);
  project(order, OrderStatus::queued);
  EXPECT_EQ(mine(1), "queued 2");
  EXPECT_EQ(mine(2), "unknown_order");
  EXPECT_EQ(store_.on_find_live.calls(), 0U) << "a crowd without orders costs the store nothing";
}

TEST_F(OrderDeskTest, MineAsksTheStoreAboutAQueuedOrder) {
  const auto order = message(1);
  project(order, OrderStatus::queued);
  store_.decide(order);
  EXPECT_EQ(mine(1), "confirmed 2");
}

TEST_F(OrderDeskTest, MineAsksTheStoreWithoutAProjection) {
  store_.decide(message(1));
  inventory_.lane(kLane).ready = false;
  EXPECT_EQ(mine(1), "confirmed 2");
  EXPECT_EQ(mine(2), "busy") << "there may be one that only the projection knew";
  store_.on_find_live.fail(Errc::unavailable);
  EXPECT_EQ(mine(1), "busy");
}

TEST_F(OrderDeskTest, MineAsksTheStoreWhenTheProjectionFails) {
  store_.decide(message(1));
  EXPECT_EQ(mine(1), "unknown_order") << "it answers, and knows no such order";
  inventory_.on_find.fail(Errc::unavailable);
  EXPECT_EQ(mine(1), "confirmed 2");
}

TEST_F(OrderDeskTest, WaitingEndsWithTheNews) {
  const auto order = message(1);
  project(order, OrderStatus::queued);
  const auto running = start_wait(order, Millis{5000});
  EXPECT_FALSE(running.done());
  project(order, OrderStatus::confirmed);
  watch_.news({test::confirmed(order)});
  loop_.turn();
  EXPECT_EQ(said(running.value()), "confirmed 2");
}

TEST_F(OrderDeskTest, WaitingFindsWhatNewsWasLostOf) {
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

TEST_F(OrderDeskTest, WaitingEndsWithPatience) {
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

TEST_F(OrderDeskTest, WhatIsDecidedOrRefusedIsNotWaitedFor) {
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

TEST_F(OrderDeskTest, WithTooManyWaitersNobodyElseWaits) {
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

}  // namespace
}  // namespace sluice
