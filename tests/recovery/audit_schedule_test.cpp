#include "sluice/recovery/audit_schedule.hpp"

#include <gtest/gtest.h>
#include <map>

namespace sluice {
namespace {

constexpr Millis kEvery{10'000};

class AuditScheduleTest : public testing::Test {
 protected:
  /// Audits whatever is due, each second for that long; how often each sale's turn came.
  std::map<SaleId, int> pass(Millis time, Millis cost) {
    std::map<SaleId, int> audits;
    for (const auto end = now_ + time; now_ < end; now_ += Millis{1000}) {
      const auto sale = schedule_.next(now_);
      if (!sale) continue;
      ++audits[*sale];
      schedule_.audited(*sale, now_, cost, false);
    }
    return audits;
  }

  AuditSchedule schedule_{kEvery};
  Ticks now_{std::chrono::seconds(100)};
};

TEST_F(AuditScheduleTest, ASaleIsFirstDueAfterTheIntervalAndThenAgain) {
  schedule_.add(7, now_);
  EXPECT_FALSE(schedule_.next(now_ + kEvery - Millis{1}));
  EXPECT_EQ(schedule_.next(now_ + kEvery), 7);
  schedule_.audited(7, now_ + kEvery, Millis{0}, false);
  EXPECT_FALSE(schedule_.next(now_ + kEvery + Millis{1}));
  EXPECT_EQ(schedule_.next(now_ + 2 * kEvery), 7);
}

TEST_F(AuditScheduleTest, EverySaleHasItsTurnHoweverManyThereAre) {
  for (SaleId sale = 1; sale <= 30; ++sale) schedule_.add(sale, now_);
  const auto audits = pass(Millis{70'000}, Millis{0});
  EXPECT_EQ(audits.size(), 30U);
  for (const auto& [sale, count] : audits) EXPECT_EQ(count, 2) << sale;
}

TEST_F(AuditScheduleTest, AnExpensiveAuditIsFollowedByALongQuiet) {
  schedule_.add(1, now_);
  schedule_.add(2, now_);
  const auto audits = pass(Millis{605'000}, Millis{1000});
  EXPECT_EQ(audits, (std::map<SaleId, int>{{1, 1}, {2, 1}})) << "a second of every 300";
}

TEST_F(AuditScheduleTest, WhatIsForgottenIsNotAuditedNorComesBackByItsAudit) {
  schedule_.add(1, now_);
  schedule_.add(2, now_);
  schedule_.forget(1);
  schedule_.audited(1, now_, Millis{5000}, true);
  EXPECT_EQ(schedule_.next(now_ + kEvery), 2);
  schedule_.forget_if([](SaleId sale) { return sale == 2; });
  EXPECT_FALSE(schedule_.next(now_ + kEvery));
}

TEST_F(AuditScheduleTest, NoAuditIsSoExpensiveThatTheOthersNeverCome) {
  schedule_.add(1, now_);
  schedule_.audited(1, now_, Millis{3'600'000}, false);
  EXPECT_FALSE(schedule_.next(now_ + AuditSchedule::kQuietMax * kEvery - Millis{1}));
  EXPECT_EQ(schedule_.next(now_ + AuditSchedule::kQuietMax * kEvery), 1);
}

TEST_F(AuditScheduleTest, ASaleThatNeedsAnotherLookIsTheNextAtOnce) {
  schedule_.add(1, now_);
  schedule_.add(2, now_);
  schedule_.audited(2, now_ + kEvery, Millis{1000}, true);
  EXPECT_EQ(schedule_.next(now_ + kEvery), 2);
}

TEST_F(AuditScheduleTest, AddingAgainPutsNothingOff) {
  schedule_.add(1, now_);
  schedule_.add(1, now_ + Millis{5000});
  EXPECT_EQ(schedule_.next(now_ + kEvery), 1);
}

}  // namespace
}  // namespace sluice
