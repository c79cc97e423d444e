#include "sluice/recovery/audit_schedule.hpp"

#include <gtest/gtest.h>
#include <map>

namespace sluice {
namespace {

constexpr Millis kEvery{10'000};

using Ended = AuditSchedule::Ended;

class AuditScheduleTest : public testing::Test {
 protected:
  /// Audits whatever is due, each second for that long; how often each sale's turn came.
  std::map<SaleId, int> pass(Millis time, Millis cost) {
    std::map<SaleId, int> audits;
    for (const auto end = now_ + time; now_ < end; now_ += Millis{1000}) {
      const auto sale = schedule_.next(now_);
      if (!sale) continue;
      ++audits[*sale];
      schedule_.audited(*sale, now_, cost, Ended::good);
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
  schedule_.audited(7, now_ + kEvery, Millis{0}, Ended::good);
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
  const auto audits = pass(Millis{605'000}, Millis{1020});
  EXPECT_EQ(audits, (std::map<SaleId, int>{{1, 2}, {2, 1}}))
      << "a second of every 300, once it is known what each of them takes";
}

TEST_F(AuditScheduleTest, WhatIsForgottenIsNotAuditedNorComesBackByItsAudit) {
  schedule_.add(1, now_);
  schedule_.add(2, now_);
  schedule_.forget_if([](SaleId sale) { return sale == 1; });
  schedule_.audited(1, now_, Millis{0}, Ended::look_again);
  EXPECT_EQ(schedule_.next(now_ + kEvery), 2);
  schedule_.forget_if([](SaleId sale) { return sale == 2; });
  EXPECT_FALSE(schedule_.next(now_ + kEvery));
}

TEST_F(AuditScheduleTest, NoAuditIsSoExpensiveThatTheOthersNeverCome) {
  schedule_.add(1, now_);
  schedule_.audited(1, now_, Millis{3'600'000}, Ended::good);
  EXPECT_FALSE(schedule_.next(now_ + AuditSchedule::kQuietMax * kEvery - Millis{1}));
  EXPECT_EQ(schedule_.next(now_ + AuditSchedule::kQuietMax * kEvery), 1);
}

TEST_F(AuditScheduleTest, ASaleThatNeedsAnotherLookGetsItSoonAndHidesNoOther) {
  for (SaleId sale = 1; sale <= 30; ++sale) schedule_.add(sale, now_);
  now_ += kEvery;
  std::map<SaleId, int> audits;
  for (int i = 0; i < 60; ++i, now_ += Millis{100}) {
    const auto sale = schedule_.next(now_);
    if (!sale) continue;
    ++audits[*sale];
    const bool again = audits[*sale] == 1;
    schedule_.audited(*sale, now_, Millis{1}, again ? Ended::look_again : Ended::good);
  }
  EXPECT_EQ(audits.size(), 30U) << "though each of them wanted a second look";
  for (const auto& [sale, count] : audits) EXPECT_EQ(count, 2) << sale;
}

TEST_F(AuditScheduleTest, ASaleWhoseAuditsFailWaitsLongerAndLonger) {
  schedule_.add(1, now_);
  now_ += kEvery;
  for (const int intervals : {1, 2, 4, 8, 16, 32, 60, 60}) {  // At most ten minutes.
    schedule_.audited(1, now_, Millis{0}, Ended::failed);
    EXPECT_FALSE(schedule_.next(now_ + intervals * kEvery - Millis{1})) << intervals;
    now_ += intervals * kEvery;
    EXPECT_EQ(schedule_.next(now_), 1) << intervals;
  }
  schedule_.audited(1, now_, Millis{0}, Ended::good);
  schedule_.audited(1, now_, Millis{0}, Ended::failed);
  EXPECT_EQ(schedule_.next(now_ + kEvery), 1) << "from the beginning";
}

TEST_F(AuditScheduleTest, TheAgeIsThatOfTheOldestSuccess) {
  EXPECT_EQ(schedule_.age(now_), Millis{0}) << "of nothing";
  schedule_.add(1, now_);
  schedule_.add(2, now_ + Millis{3000});
  now_ += kEvery;
  EXPECT_EQ(schedule_.age(now_), kEvery) << "since it is known";
  schedule_.audited(1, now_, Millis{0}, Ended::failed);
  EXPECT_EQ(schedule_.age(now_), kEvery) << "a failure is none";
  schedule_.audited(1, now_, Millis{0}, Ended::look_again);
  EXPECT_EQ(schedule_.age(now_), kEvery - Millis{3000});
}

TEST_F(AuditScheduleTest, AHeavySaleHoldsUpNoLightOne) {
  for (SaleId sale = 1; sale <= 3; ++sale) schedule_.add(sale, now_);
  now_ += kEvery;
  schedule_.audited(1, now_, Millis{5000}, Ended::good);
  EXPECT_EQ(schedule_.next(now_), 2);
  schedule_.audited(2, now_, Millis{1}, Ended::good);
  schedule_.audited(3, now_, Millis{1}, Ended::good);
  EXPECT_EQ(schedule_.next(now_ + kEvery), 2) << "the heavy one waits on";
}

TEST_F(AuditScheduleTest, WhoFollowedStartsWithWhatIsDueAndWithoutAnAge) {
  schedule_.add(1, now_);
  now_ += 10 * kEvery;
  schedule_.audited_elsewhere(now_);
  EXPECT_EQ(schedule_.age(now_), Millis{0});
  EXPECT_EQ(schedule_.next(now_), 1);
}

TEST_F(AuditScheduleTest, CheapAuditsFollowEachOther) {
  for (SaleId sale = 1; sale <= 3; ++sale) schedule_.add(sale, now_);
  now_ += kEvery;
  for (SaleId sale = 1; sale <= 3; ++sale) {
    EXPECT_EQ(schedule_.next(now_), sale);
    schedule_.audited(sale, now_, AuditSchedule::kCheap, Ended::good);
  }
}

TEST_F(AuditScheduleTest, AddingAgainPutsNothingOff) {
  schedule_.add(1, now_);
  schedule_.add(1, now_ + Millis{5000});
  EXPECT_EQ(schedule_.next(now_ + kEvery), 1);
}

}  // namespace
}  // namespace sluice
