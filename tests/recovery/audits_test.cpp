#include "sluice/recovery/audits.hpp"

#include <gtest/gtest.h>
#include <string>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_store.hpp"

namespace sluice {
namespace {

constexpr Millis kEvery{10'000};

class AuditsTest : public testing::Test {
 protected:
  void add_sale(SaleId id) {
    auto& lane = store_.lanes[{id, 0}];
    lane.initial = 100;
    lane.stock = 100;
    inventory_.open_lane({id, 0}, 100, 1);
    sales_.emplace(id, 1);
  }

  void audit() { loop_.finish(audits_.audit_next()); }

  double metric(const std::string& name) {
    const auto text = metrics_.text();
    const auto at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeInventory inventory_{clock_};
  test::FakeOrderStore store_;
  Metrics metrics_;
  Auditor auditor_{Millis{1000}, Millis{5000},
                   Auditor::Ports{inventory_, store_, clock_, metrics_}};
  Audits audits_{kEvery, Audits::Ports{auditor_, clock_, metrics_}};
  Audits::Lanes sales_;
};

TEST_F(AuditsTest, EachSaleIsAuditedInItsTurn) {
  for (SaleId sale = 1; sale <= 3; ++sale) add_sale(sale);
  audits_.follow(sales_, true, true);
  audit();
  EXPECT_EQ(metric("sluice_audits_total"), 0) << "not at once";
  clock_.advance(kEvery);
  for (int i = 0; i < 4; ++i) audit();
  EXPECT_EQ(metric("sluice_audits_total"), 3);
}

TEST_F(AuditsTest, AFailureIsCountedAndStopsNoOther) {
  for (SaleId sale = 1; sale <= 2; ++sale) add_sale(sale);
  audits_.follow(sales_, true, true);
  clock_.advance(kEvery);
  store_.on_audit.fail(Errc::unknown);
  for (int i = 0; i < 3; ++i) audit();
  EXPECT_EQ(metric("sluice_audit_failures_total"), 1);
  EXPECT_EQ(metric("sluice_audits_total"), 1);
  audits_.follow(sales_, true, true);
  EXPECT_EQ(metric("sluice_audit_age_seconds"), 10) << "of the one that failed";
  clock_.advance(kEvery);
  for (int i = 0; i < 3; ++i) audit();
  audits_.follow(sales_, true, true);
  EXPECT_EQ(metric("sluice_audit_age_seconds"), 0);
}

TEST_F(AuditsTest, WhoDoesNotLeadAuditsNothingAndForgetsNoTurn) {
  for (SaleId sale = 1; sale <= 2; ++sale) add_sale(sale);
  audits_.follow(sales_, true, true);
  clock_.advance(kEvery);
  audit();
  audits_.follow(sales_, false, true);
  audit();
  EXPECT_EQ(metric("sluice_audits_total"), 1);
  EXPECT_EQ(metric("sluice_audit_age_seconds"), 0);
  audits_.follow(sales_, true, true);
  store_.on_audit.before([&] { store_.lanes[{1, 0}].stock = 7; });
  audit();
  EXPECT_EQ(metric("sluice_unconserved_lanes"), 0) << "it is the turn of the second one";
  EXPECT_EQ(metric("sluice_audits_total"), 2);
}

TEST_F(AuditsTest, WhatWasFoundEndsWithTheSaleAndWithTheLead) {
  for (SaleId sale = 1; sale <= 2; ++sale) add_sale(sale);
  for (SaleId sale = 1; sale <= 2; ++sale) store_.lanes[{sale, 0}].stock = 7;
  audits_.follow(sales_, true, true);
  clock_.advance(kEvery);
  for (int i = 0; i < 2; ++i) audit();
  EXPECT_EQ(metric("sluice_unconserved_lanes"), 2);
  sales_.erase(2);
  audits_.follow(sales_, true, true);
  EXPECT_EQ(metric("sluice_unconserved_lanes"), 1);
  audits_.follow(sales_, false, true);
  EXPECT_EQ(metric("sluice_unconserved_lanes"), 0);
}

TEST_F(AuditsTest, ASaleThatGoesDuringItsAuditDoesNotComeBack) {
  add_sale(1);
  audits_.follow(sales_, true, true);
  clock_.advance(kEvery);
  store_.on_audit.before([&] { audits_.follow({}, true, true); });
  audit();
  clock_.advance(kEvery);
  audit();
  EXPECT_EQ(metric("sluice_audits_total"), 1);
}

TEST_F(AuditsTest, TheyGoOnByThemselves) {
  add_sale(1);
  audits_.follow(sales_, true, true);
  const auto running = loop_.start(audits_.run());
  for (int i = 0; i < 300; ++i) {
    clock_.advance(Millis{50});
    loop_.turn();
  }
  EXPECT_EQ(metric("sluice_audits_total"), 1);
  EXPECT_FALSE(running.done());
}

}  // namespace
}  // namespace sluice
