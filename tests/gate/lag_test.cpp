#include "sluice/gate/lag.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <vector>

namespace sluice {
namespace {

constexpr Millis kSecond{1000};

LagSettings settings() {
  LagSettings settings;
  settings.slow_wait = Millis{5000};
  settings.stalled_after = Millis{3000};
  settings.admit_share = 0.5;
  settings.trickle_per_s = 10;
  settings.messages_max = 100'000;
  settings.drain_start_per_s = 1000;
  settings.memory = Millis{10'000};
  settings.wait_max = Millis{600'000};
  return settings;
}

class BacklogTest : public testing::Test {
 protected:
  /// One round, a second after the last.
  void round(std::optional<std::int64_t> log_end, std::optional<std::int64_t> applied) {
    now_ += kSecond;
    lag_.feed(now_, log_end, applied);
  }

  /// Seconds in which so many arrive and are applied, as far as there are any.
  void seconds(int count, std::int64_t arrive, std::int64_t capacity) {
    for (int i = 0; i < count; ++i) {
      applied_ = std::min(log_end_, applied_ + capacity);
      log_end_ += arrive;
      round(log_end_, applied_);
    }
  }

  double wait_s() const { return static_cast<double>(lag_.wait().count()) / 1000; }

  /// The speed that the estimate goes by, after a round with progress and with work left.
  double drain_per_s() const { return static_cast<double>(lag_.messages()) / wait_s(); }

  Lag lag_{settings()};
  Ticks now_{std::chrono::hours(1)};
  std::int64_t log_end_ = 0;
  std::int64_t applied_ = 0;
};

TEST_F(BacklogTest, AnEmptyLogMeansNoWait) {
  round(0, 0);
  round(0, 0);
  EXPECT_EQ(lag_.wait(), Millis{0});
  EXPECT_FALSE(lag_.backlogged());
  EXPECT_EQ(lag_.admit_per_s(), std::nullopt);
}

TEST_F(BacklogTest, NothingKnownMeansNothingSaid) {
  round(std::nullopt, std::nullopt);
  round(1'000'000, std::nullopt);
  now_ += std::chrono::hours(1);
  round(1'000'000, std::nullopt);
  EXPECT_EQ(lag_.messages(), 0) << "the reader may be anywhere";
  EXPECT_FALSE(lag_.backlogged());
}

TEST_F(BacklogTest, IdleTimeDoesNotMakeTheEstimateWorse) {
  seconds(600, 2, 5000);
  EXPECT_LT(wait_s(), 0.1);
  seconds(1, 2000, 5000);
  EXPECT_EQ(lag_.messages(), 2000);
  EXPECT_LE(wait_s(), 2.0);
  EXPECT_FALSE(lag_.backlogged());
}

TEST_F(BacklogTest, TheEstimateIsWhatItThenTakes) {
  seconds(5, 3000, 500);
  seconds(30, 500, 500);
  const auto behind = lag_.messages();
  EXPECT_NEAR(wait_s(), static_cast<double>(behind) / 500, 0.2);
  const double said = wait_s();
  int took = 0;
  for (const auto end = log_end_; applied_ < end; ++took) seconds(1, 500, 500);
  EXPECT_NEAR(said, took, 1.1);
}

TEST_F(BacklogTest, TheDrainFollowsTheReader) {
  seconds(1, 250'000, 0);
  seconds(60, 0, 500);
  EXPECT_NEAR(drain_per_s(), 500, 5);
  seconds(60, 0, 2000);
  EXPECT_NEAR(drain_per_s(), 2000, 20);
  seconds(60, 0, 1000);
  EXPECT_NEAR(drain_per_s(), 1000, 20);
}

TEST_F(BacklogTest, AReaderWithNothingLeftShowsAtLeastItsSpeed) {
  seconds(1, 8000, 10'000);
  seconds(2, 0, 10'000);
  seconds(1, 4000, 10'000);
  EXPECT_EQ(lag_.wait(), kSecond + Millis{500}) << "nothing was done in the last second";
}

TEST_F(BacklogTest, WithoutProgressTheWaitGrowsWithTime) {
  seconds(10, 100, 1000);
  const auto before = lag_.wait();
  seconds(1, 100, 0);
  const auto first = lag_.wait();
  EXPECT_GT(first, before);
  seconds(1, 0, 0);
  EXPECT_EQ(lag_.wait(), first + kSecond);
  seconds(1, 0, 0);
  EXPECT_EQ(lag_.wait(), first + 2 * kSecond);
  seconds(1, 0, 1000);
  EXPECT_EQ(lag_.wait(), Millis{0});
}

TEST_F(BacklogTest, AStallDoesNotSlowTheDrainRate) {
  seconds(1, 100'000, 0);
  seconds(20, 0, 1500);
  const auto wait = lag_.wait();
  seconds(60, 0, 0);
  EXPECT_EQ(lag_.wait(), wait + 60 * kSecond);
  seconds(2, 0, 1500);
  EXPECT_NEAR(drain_per_s(), 1500, 20);
}

TEST_F(BacklogTest, IsBackloggedAboveTheSlowWaitUntilHalfOfIt) {
  seconds(1, 1, 1000);
  seconds(1, 4900, 1000);
  EXPECT_FALSE(lag_.backlogged()) << wait_s();
  seconds(1, 1200, 1000);
  EXPECT_TRUE(lag_.backlogged()) << wait_s();
  while (wait_s() >= 2.6) {
    seconds(1, 0, 1000);
    EXPECT_EQ(lag_.backlogged(), wait_s() >= 2.5) << wait_s();
  }
  seconds(2, 0, 1000);
  EXPECT_LT(wait_s(), 2.5);
  EXPECT_FALSE(lag_.backlogged());
}

TEST_F(BacklogTest, BackloggedItAdmitsAShareOfTheDrain) {
  seconds(1, 20'000, 0);
  seconds(5, 0, 800);
  ASSERT_TRUE(lag_.backlogged());
  EXPECT_NEAR(lag_.admit_per_s().value(), 400, 10);
}

TEST_F(BacklogTest, AdmittingWhatItSaysEmptiesTheQueue) {
  seconds(1, 20'000, 0);
  int took = 0;
  while (lag_.messages() > 1000 && took < 200) {
    const auto admit = lag_.admit_per_s().value_or(300);
    seconds(1, static_cast<std::int64_t>(admit), 800);
    ++took;
  }
  EXPECT_LT(took, 200);
}

TEST_F(BacklogTest, WithNoDrainATrickleAndThenNothing) {
  seconds(2, 1000, 1000);
  seconds(2, 6000, 0);
  EXPECT_GT(lag_.admit_per_s().value(), 10) << "it may only be slow";
  seconds(8, 6000, 0);
  EXPECT_EQ(lag_.admit_per_s(), 10);
  seconds(1, 100'000, 0);
  EXPECT_EQ(lag_.admit_per_s(), 0);
}

TEST_F(BacklogTest, TheMostMessagesHoldHoweverFastTheyAreDrained) {
  seconds(1, 1, 0);
  seconds(3, 1'000'000, 2'000'000);
  ASSERT_LT(wait_s(), 5);
  EXPECT_TRUE(lag_.backlogged());
  EXPECT_EQ(lag_.admit_per_s(), 0);
}

TEST_F(BacklogTest, TheEstimateIsBounded) {
  round(0, 0);
  round(std::numeric_limits<std::int64_t>::max(), 0);
  EXPECT_EQ(lag_.wait(), Millis{600'000});
  now_ += std::chrono::hours(1000);
  round(std::numeric_limits<std::int64_t>::max(), 0);
  EXPECT_EQ(lag_.wait(), Millis{600'000});
}

TEST_F(BacklogTest, WhileNothingIsKnownNothingChanges) {
  seconds(3, 3000, 1000);
  const auto wait = lag_.wait();
  const auto messages = lag_.messages();
  for (int i = 0; i < 100; ++i) round(std::nullopt, std::nullopt);
  EXPECT_EQ(lag_.wait(), wait);
  EXPECT_EQ(lag_.messages(), messages);
  round(log_end_, applied_);
  EXPECT_EQ(lag_.wait(), wait + 101 * kSecond) << "the speed is as it was";
}

TEST_F(BacklogTest, AStoreThatDoesNotAnswerIsNoProgress) {
  seconds(5, 1000, 500);
  for (int i = 0; i < 10; ++i) round(log_end_ += 100, std::nullopt);
  EXPECT_GE(lag_.wait(), 10 * kSecond);
  EXPECT_EQ(lag_.admit_per_s(), 10) << "as while nothing is drained";
  EXPECT_EQ(lag_.messages(), log_end_ - applied_);
  seconds(1, 100, 300);
  EXPECT_GT(lag_.admit_per_s().value(), 10);
  EXPECT_NEAR(drain_per_s(), 500, 1) << "a gap in the news says nothing about the speed";
}

TEST_F(BacklogTest, ALogThatDoesNotAnswerStillDrains) {
  seconds(1, 5000, 0);
  for (int i = 0; i < 4; ++i) round(std::nullopt, applied_ += 1000);
  EXPECT_EQ(lag_.messages(), 1000);
  round(std::nullopt, applied_ += 1000);
  EXPECT_EQ(lag_.messages(), 0);
  for (int i = 0; i < 60; ++i) round(std::nullopt, applied_);
  EXPECT_EQ(lag_.wait(), Millis{0});
}

TEST_F(BacklogTest, NumbersThatGoBackAreAnotherLog) {
  seconds(5, 5000, 1000);
  ASSERT_TRUE(lag_.backlogged());
  EXPECT_NEAR(drain_per_s(), 1000, 1);
  round(1502, 2);
  EXPECT_EQ(lag_.messages(), 1500);
  EXPECT_NEAR(drain_per_s(), 1000, 1);
  EXPECT_FALSE(lag_.backlogged());
  round(1, 4);
  EXPECT_EQ(lag_.messages(), 0) << "the end was read before the position";
  round(-5, -7);
  EXPECT_EQ(lag_.messages(), 0);
}

TEST_F(BacklogTest, RoundsThatComeTooFastMeasureNothing) {
  seconds(1, 10'000, 0);
  for (int i = 1; i <= 4; ++i) {
    now_ += Millis{10};
    lag_.feed(now_, 10'000, 500 * i);
  }
  EXPECT_EQ(drain_per_s(), 1000) << "2,000 in 40 ms are one transaction, no rate";
  lag_.feed(now_, 10'000, 2000);
  EXPECT_EQ(lag_.messages(), 8000);
}

TEST_F(BacklogTest, SeveralNodesComeToAShareThatTheReaderCanBear) {
  // Four nodes see the same log, and each lets in what its own share is.
  std::vector<Lag> nodes(4, Lag(settings()));
  log_end_ = 40'000;
  std::int64_t worst = 0;
  for (int second = 0; second < 120; ++second) {
    double admitted = 0;
    now_ += kSecond;
    applied_ = std::min(log_end_, applied_ + 1000);
    for (auto& node : nodes) {
      node.feed(now_, log_end_, applied_);
      admitted += node.admit_per_s().value_or(0);
    }
    log_end_ += static_cast<std::int64_t>(admitted);
    worst = std::max(worst, log_end_ - applied_);
  }
  EXPECT_LT(worst, 55'000);
  EXPECT_LT(log_end_ - applied_, 20'000) << "it is worked off";
}

}  // namespace
}  // namespace sluice
