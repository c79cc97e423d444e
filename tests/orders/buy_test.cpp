#include <gtest/gtest.h>
#include <string>

#include "orders/purchase_fixture.hpp"

namespace sluice {
namespace {

using Kind = PurchaseAnswer::Kind;

class BuyTest : public test::PurchaseFixture {
 protected:
  BuyTest() { inventory_.open_lane(kLane, 100); }

  /// "existing confirmed 2", or the code of a refusal.
  static std::string said(const PurchaseAnswer& answer) {
    constexpr std::string_view kKinds[] = {"queued", "confirmed", "existing"};
    if (answer.kind == Kind::refused) return std::string(problem(answer.refusal.code).name);
    const auto kind = static_cast<std::size_t>(answer.kind);
    return std::string(kKinds[kind]) + ' ' + std::string(name(answer.order.status)) + ' ' +
           std::to_string(answer.order.quantity);
  }

  /// The last order that went to the queue.
  const OrderMessage& sent() const { return queue_.published.back().back(); }

  /// Nothing but the inventory and the store, and no word of what the store did.
  void bypass_in_doubt() {
    queue_.decides_at_once = true;
    queue_.receipt = [](const OrderMessage&) { return test::unacknowledged(); };
  }

  std::size_t look_ups() const { return store_.on_find.calls() + store_.on_head.calls(); }
};

TEST_F(BuyTest, ANewOrderAndARefusalCostNoLookUp) {
  EXPECT_EQ(said(buy(1, 2)), "queued queued 2");
  inventory_.lane(kLane).stock = 0;
  EXPECT_EQ(said(buy(2)), "sold_out_for_now");
  queue_.decides_at_once = true;
  queue_.receipt = [](const OrderMessage& message) {
    return test::decided(message, OrderStatus::confirmed);
  };
  inventory_.lane(kLane).stock = 1;
  EXPECT_EQ(said(buy(3)), "confirmed confirmed 1");
  EXPECT_EQ(look_ups(), 0U);
}

TEST_F(BuyTest, AnEarlierOrderThatIsDecidedCostsNoLookUp) {
  buy(1, 2);
  inventory_.lane(kLane).records.at(test::user_of(1)).order.status = OrderStatus::paid;
  EXPECT_EQ(said(buy(1)), "existing paid 2");
  EXPECT_EQ(look_ups(), 0U);
}

TEST_F(BuyTest, AnEarlierOrderIsAnsweredAsTheStoreDecidedIt) {
  const auto first = buy(1, 2);
  EXPECT_EQ(said(buy(1)), "existing queued 2") << "not decided yet";
  store_.decide(sent());
  const auto again = buy(1);
  EXPECT_EQ(said(again), "existing confirmed 2") << "decided, and the projection does not know";
  EXPECT_EQ(again.order.id, first.order.id);
  EXPECT_EQ(queue_.published.size(), 1U);
}

TEST_F(BuyTest, WhileTheStoreIsSilentNobodyIsToldLessThanBefore) {
  buy(1);
  store_.decide(sent());
  store_.on_find.fail(Errc::unavailable);
  const auto silent = buy(1);
  EXPECT_EQ(said(silent), "busy") << "somebody may have seen it confirmed";
  EXPECT_GT(silent.refusal.retry_after, Millis{0});
  EXPECT_EQ(said(buy(1)), "existing confirmed 1");

  buy(2);
  store_.on_head.fail(Errc::unknown);
  EXPECT_EQ(said(buy(2)), "busy") << "without the fence nobody knows whether it still counts";
  EXPECT_EQ(said(buy(2)), "existing queued 1");
}

TEST_F(BuyTest, WhatNoLogHoldsIsPromisedOnlyOnceTheStoreHasIt) {
  bypass_in_doubt();
  EXPECT_EQ(said(buy(1, 2)), "outcome_unknown");
  const auto again = buy(1);
  EXPECT_EQ(said(again), "outcome_unknown");
  EXPECT_GT(again.refusal.retry_after, Millis{0});
  EXPECT_EQ(store_.on_find.calls(), 1U) << "it was looked for";
  store_.decide(sent());
  EXPECT_EQ(said(buy(1)), "existing confirmed 2");
}

TEST_F(BuyTest, ARejectedOrderThatIsNotSettledYetMayBeTriedAgain) {
  const auto first = buy(1);
  store_.lanes[kLane].stock = 0;
  store_.decide(sent());
  const auto unsettled = buy(1);
  EXPECT_EQ(said(unsettled), "busy");
  EXPECT_GT(unsettled.refusal.retry_after, Millis{0});
  inventory_.lane(kLane).records.clear();
  const auto second = buy(1);
  EXPECT_EQ(said(second), "queued queued 1");
  EXPECT_NE(second.order.id, first.order.id);
}

TEST_F(BuyTest, AnOrderBehindTheFenceIsPromisedUntilTheLeaderRefusesIt) {
  buy(1);
  store_.lanes[kLane].fence = 2;
  EXPECT_EQ(said(buy(1)), "existing queued 1");
  store_.late.at(sent().id).reason = RejectReason::fenced;
  EXPECT_EQ(said(buy(1)), "busy");
}

TEST_F(BuyTest, AnUnpaidOrderIsAnsweredAsTheStoreHasIt) {
  sale_.terms.pay_within = Millis{60'000};
  buy(1, 2);
  store_.decide(sent());
  auto& projected = inventory_.lane(kLane).records.at(test::user_of(1)).order.status;
  projected = OrderStatus::confirmed;
  EXPECT_EQ(said(buy(1)), "existing confirmed 2");
  store_.orders.at(sent().id).status = OrderStatus::paid;
  EXPECT_EQ(said(buy(1)), "existing paid 2");
}

TEST_F(BuyTest, WhoseOrderIsOverBuysAgainOnceItIsBack) {
  sale_.terms.pay_within = Millis{60'000};
  const auto first = buy(1);
  store_.decide(sent());
  inventory_.lane(kLane).records.at(test::user_of(1)).order.status = OrderStatus::confirmed;
  for (const auto status : {OrderStatus::cancelled, OrderStatus::expired}) {
    store_.orders.at(sent().id).status = status;
    const auto under_way = buy(1);
    EXPECT_EQ(said(under_way), "busy") << "its return is under way";
    EXPECT_GT(under_way.refusal.retry_after, Millis{0});
  }
  inventory_.lane(kLane).records.clear();
  const auto second = buy(1);
  EXPECT_EQ(said(second), "queued queued 1");
  EXPECT_NE(second.order.id, first.order.id);
}

TEST_F(BuyTest, AFinishedSaleIsAnsweredFromItsRows) {
  const auto first = buy(1, 2);
  store_.decide(sent());
  sale_.state = SaleState::closed;
  sale_.finished = true;
  inventory_.lane(kLane).ready = false;
  const auto again = buy(1);
  EXPECT_EQ(said(again), "existing confirmed 2");
  EXPECT_EQ(again.order.id, first.order.id);
  EXPECT_EQ(said(buy(2)), "sale_closed") << "all of its orders are decided";
  store_.on_find_live.fail(Errc::unavailable);
  EXPECT_EQ(said(buy(1)), "busy");
}

TEST_F(BuyTest, WhoCancelsBuysAgainAtOnce) {
  sale_.terms.pay_within = Millis{60'000};
  const auto first = buy(1);
  store_.decide(sent());
  inventory_.lane(kLane).records.at(test::user_of(1)).order.status = OrderStatus::confirmed;
  const auto cancelled =
      loop_.finish(orders_->move(sale_, first.order.id, test::user_of(1), Move::cancel));
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->order.status, OrderStatus::cancelled);
  const auto second = buy(1);
  EXPECT_EQ(said(second), "queued queued 1");
  EXPECT_NE(second.order.id, first.order.id);
}

}  // namespace
}  // namespace sluice
