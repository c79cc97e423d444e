#include "sluice/operations/shop.hpp"

#include <gtest/gtest.h>

#include "recovery/control_fixture.hpp"

namespace sluice {
namespace {

constexpr Millis kCallEvery{5};

class ShopTest : public test::ControlFixture {
 protected:
  template <class T>
  static std::string said(const Operated<T>& result) {
    return result ? "ok" : std::string(problem(result.error().code).name);
  }

  Operated<Order> move(SaleId sale, OrderId order, std::uint64_t user, Move move) {
    auto moved = loop_.finish(shop_->move(sale, order, test::user_of(user), move));
    // The next one is not kept waiting.
    clock_.advance(kCallEvery);
    loop_.turn();
    return moved;
  }

  std::unique_ptr<Shop> shop_ =
      create_shop(loop_.executor(), settings_.call_timeout,
                  {book_, sales_, moves_, [this] { control_->hurry(); }, clock_});
};

TEST_F(ShopTest, TheShopPaysAndCancelsOrders) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  round();
  const auto paid = confirm({sale.id, 0}, 1);
  const auto cancelled = confirm({sale.id, 0}, 2);
  for (int again = 0; again < 2; ++again) {
    const auto pay = move(sale.id, paid, 1, Move::pay);
    ASSERT_EQ(said(pay), "ok");
    EXPECT_EQ(pay->status, OrderStatus::paid);
    const auto cancel = move(sale.id, cancelled, 2, Move::cancel);
    ASSERT_EQ(said(cancel), "ok");
    EXPECT_EQ(cancel->status, OrderStatus::cancelled);
  }
  EXPECT_EQ(orders_.lanes.at({sale.id, 0}).stock, 99);
  EXPECT_EQ(inventory_.lane({sale.id, 0}).stock, 98);
  round();
  EXPECT_EQ(inventory_.lane({sale.id, 0}).stock, 99) << "relayed";
}

TEST_F(ShopTest, AMoveThatIsNotAllowedIsRefusedWithTheReason) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  round();
  const auto order = confirm({sale.id, 0}, 1);
  EXPECT_EQ(said(move(99, order, 1, Move::pay)), "unknown_sale");
  EXPECT_EQ(said(move(sale.id, order, 2, Move::pay)), "unknown_order");
  EXPECT_EQ(said(move(sale.id, order, 1, Move::expire)), "order_final");
  ASSERT_EQ(said(move(sale.id, order, 1, Move::pay)), "ok");
  const auto late = move(sale.id, order, 1, Move::cancel);
  EXPECT_EQ(said(late), "order_final");
  EXPECT_NE(late.error().detail.find("paid"), std::string::npos);
  EXPECT_EQ(status_of(order), OrderStatus::paid);
}

TEST_F(ShopTest, OrdersOfASaleThatNeedsNoPaymentAreFinal) {
  const auto sale = add_sale(SaleState::open);
  round();
  const auto order = confirm({sale.id, 0}, 1);
  EXPECT_EQ(said(move(sale.id, order, 1, Move::cancel)), "order_final");
  EXPECT_EQ(moves_.on_move.calls(), 0U);
}

TEST_F(ShopTest, AMoveWithoutAnAnswerMayHaveBeenDone) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  round();
  const auto order = confirm({sale.id, 0}, 1);
  moves_.on_move.fail(Errc::unknown, true);
  EXPECT_EQ(said(move(sale.id, order, 1, Move::pay)), "outcome_unknown");
  EXPECT_EQ(said(move(sale.id, order, 1, Move::pay)), "ok") << "it finds itself done";
  moves_.on_move.fail(Errc::unavailable);
  EXPECT_EQ(said(move(sale.id, order, 1, Move::pay)), "busy");
}

TEST_F(ShopTest, ACancelledOrdersUnitIsRelayedSoon) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  const auto running = loop_.start(control_->run());
  loop_.turn();
  const auto order = confirm({sale.id, 0}, 1);
  ASSERT_EQ(said(move(sale.id, order, 1, Move::cancel)), "ok");
  clock_.advance(settings_.busy_tick);
  loop_.turn();
  EXPECT_EQ(inventory_.lane({sale.id, 0}).stock, 100) << "long before the next tick";
  control_->stop();
  clock_.advance(settings_.tick);
  loop_.turn();
  EXPECT_TRUE(running.done());
}

TEST_F(ShopTest, WhatIsAskedAtOnceIsOneCallEach) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  round();
  std::vector<test::Running<Operated<Order>>> running;
  for (std::uint64_t user = 1; user <= 20; ++user) {
    const auto order = confirm({sale.id, 0}, user);
    const auto payer = test::user_of(user == 20 ? 1 : user);
    running.push_back(loop_.start(shop_->move(sale.id, order, payer, Move::pay)));
  }
  loop_.turn();
  EXPECT_EQ(moves_.on_move.calls(), 1U);
  for (std::size_t i = 0; i < 19; ++i) EXPECT_EQ(said(running[i].value()), "ok");
  EXPECT_EQ(said(running[19].value()), "unknown_order") << "not that user's";
}

TEST_F(ShopTest, WhoComesSoonAfterACallSharesTheNext) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  round();
  std::vector<test::Running<Operated<Order>>> running;
  for (std::uint64_t user = 1; user <= 20; ++user) {
    const auto order = confirm({sale.id, 0}, user);
    running.push_back(loop_.start(shop_->move(sale.id, order, test::user_of(user), Move::pay)));
    loop_.turn();
  }
  EXPECT_EQ(moves_.on_move.calls(), 1U);
  EXPECT_TRUE(running[0].done()) << "nobody else has to come";
  EXPECT_FALSE(running[1].done());
  clock_.advance(kCallEvery);
  loop_.turn();
  EXPECT_EQ(moves_.on_move.calls(), 2U);
  for (const auto& one : running) EXPECT_EQ(said(one.value()), "ok");
}

TEST_F(ShopTest, ASaleOfTheBookIsNotReadFromTheStore) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  round();
  const auto order = confirm({sale.id, 0}, 1);
  sales_.on_get.fail_always(Errc::unavailable);
  EXPECT_EQ(said(move(sale.id, order, 1, Move::pay)), "ok");
  EXPECT_EQ(said(move(99, order, 1, Move::pay)), "busy");
  sales_.on_get.fail(Errc::unknown);
  EXPECT_EQ(said(move(99, order, 1, Move::pay)), "busy") << "nothing was asked for yet";
}

TEST_F(ShopTest, WithThousandsWaitingTheNextIsRefused) {
  pay_within_ = Millis{10'000};
  const auto sale = add_sale(SaleState::open);
  round();
  const auto order = confirm({sale.id, 0}, 1);
  moves_.on_move.hold();
  std::vector<test::Running<Operated<Order>>> running;
  for (int i = 0; i < 256 + 4'096 + 1; ++i) {
    running.push_back(loop_.start(shop_->move(sale.id, order, test::user_of(1), Move::pay)));
    if (i == 255) loop_.turn();
  }
  loop_.turn();
  EXPECT_EQ(said(running.back().value()), "busy");
  moves_.on_move.let_go();
  loop_.turn();
  for (int call = 1; call <= 16; ++call) {
    clock_.advance(kCallEvery);
    loop_.turn();
  }
  for (std::size_t i = 0; i + 1 < running.size(); ++i) EXPECT_EQ(said(running[i].value()), "ok");
}

}  // namespace
}  // namespace sluice
