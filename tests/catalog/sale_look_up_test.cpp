#include "sluice/catalog/sale_look_up.hpp"

#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_store.hpp"

namespace sluice {
namespace {

class SaleLookUpTest : public testing::Test {
 protected:
  SaleLookUpTest() {
    add(1, SaleState::open);
    add(2, SaleState::draft);
    add(3, SaleState::closed);
    store_.sales[3].finished = true;
    settings_.waiting_max = 4;
    settings_.kept_max = 8;
    look_up_.emplace(loop_.executor(), settings_, store_, clock_);
  }

  void add(SaleId id, SaleState state) {
    Sale sale;
    sale.id = id;
    sale.state = state;
    store_.sales[id] = sale;
  }

  /// "none", or the state, or the error.
  std::string found(SaleId id) {
    const auto sale = loop_.finish(look_up_->find(id));
    if (!sale) return sale.error().message();
    return *sale ? std::string(name((*sale)->state)) : "none";
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeSaleStore store_;
  SaleLookUpSettings settings_;
  std::optional<SaleLookUp> look_up_;
};

TEST_F(SaleLookUpTest, FindsWhatBuyersMaySee) {
  EXPECT_EQ(found(1), "open");
  EXPECT_EQ(found(2), "none") << "a draft";
  EXPECT_EQ(found(3), "closed");
  EXPECT_EQ(found(4), "none");
}

TEST_F(SaleLookUpTest, ThoseWhoWaitShareACall) {
  std::vector<test::Running<Result<SaleLookUp::Found>>> running;
  for (const SaleId id : {1, 1, 4, 3}) running.push_back(loop_.start(look_up_->find(id)));
  loop_.turn();
  for (auto& one : running) EXPECT_TRUE(one.done());
  EXPECT_EQ(store_.on_find.calls(), 1U);
}

TEST_F(SaleLookUpTest, RemembersForAWhileAlsoThatThereIsNone) {
  EXPECT_FALSE(look_up_->kept(4));
  for (const SaleId id : {1, 3, 4}) found(id);
  ASSERT_TRUE(look_up_->kept(4));
  EXPECT_EQ(*look_up_->kept(4), nullptr);
  EXPECT_NE(*look_up_->kept(1), nullptr);
  clock_.advance(settings_.kept_for);
  EXPECT_FALSE(look_up_->kept(1));
  EXPECT_FALSE(look_up_->kept(4));
  EXPECT_TRUE(look_up_->kept(3)) << "a finished sale never changes";
  clock_.advance(settings_.finished_for);
  EXPECT_FALSE(look_up_->kept(3));
}

TEST_F(SaleLookUpTest, WhatIsRememberedAndWhoWaitsIsBounded) {
  for (SaleId id = 100; id < 200; ++id) found(id);
  int kept = 0;
  for (SaleId id = 100; id < 200; ++id) kept += look_up_->kept(id) ? 1 : 0;
  EXPECT_LE(kept, 8);
  EXPECT_GE(kept, 1);

  store_.on_find.hold();
  std::vector<test::Running<Result<SaleLookUp::Found>>> running;
  running.push_back(loop_.start(look_up_->find(1)));
  loop_.turn();
  for (int i = 0; i < 4; ++i) running.push_back(loop_.start(look_up_->find(1)));
  loop_.turn();
  EXPECT_EQ(found(1), make_error_code(Errc::overloaded).message());
  store_.on_find.let_go();
  loop_.turn();
  for (auto& one : running) EXPECT_TRUE(one.done());
}

TEST_F(SaleLookUpTest, AnErrorIsNotRemembered) {
  store_.on_find.fail(Errc::unavailable);
  EXPECT_EQ(found(1), make_error_code(Errc::unavailable).message());
  EXPECT_FALSE(look_up_->kept(1));
  EXPECT_EQ(found(1), "open");
}

}  // namespace
}  // namespace sluice
