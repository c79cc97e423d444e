#include "sluice/dependency/breaker.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace sluice {
namespace {

using State = Breaker::State;

constexpr Millis kQuick{1};

BreakerSettings settings() {
  BreakerSettings settings;
  settings.calls_min = 10;
  settings.failure_ratio = 0.5;
  settings.slow = Millis{100};
  settings.slow_ratio = 0.8;
  settings.window = Millis{10'000};
  settings.open_for = Millis{1000};
  settings.open_max = Millis{4000};
  settings.settled_after = Millis{20'000};
  settings.trials = 3;
  settings.trial_timeout = Millis{5000};
  return settings;
}

class BreakerTest : public testing::Test {
 protected:
  /// `count` permitted calls, one after the other, each of which takes `took`.
  void calls(int count, bool ok, Millis took = kQuick) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(breaker_.permit(now_)) << i;
      now_ += took;
      breaker_.record(now_, ok, took);
    }
  }

  void open() {
    calls(10, false);
    ASSERT_EQ(breaker_.state(now_), State::open);
  }

  State state() { return breaker_.state(now_); }

  Breaker breaker_{settings()};
  Ticks now_{std::chrono::hours(1)};
};

TEST_F(BreakerTest, StaysClosedBelowTheLeastNumberOfCalls) {
  calls(9, false);
  EXPECT_EQ(state(), State::closed);
  calls(1, false);
  EXPECT_EQ(state(), State::open);
  EXPECT_FALSE(breaker_.permit(now_));
}

TEST_F(BreakerTest, AResetForgetsWhatHappened) {
  open();
  breaker_.reset(now_);
  EXPECT_EQ(state(), State::closed);
  calls(9, false);
  EXPECT_EQ(state(), State::closed) << "the earlier ones do not count";
  calls(1, false);
  EXPECT_EQ(state(), State::open);
  now_ += settings().open_for;
  EXPECT_EQ(state(), State::half_open) << "as after a first opening";
}

TEST_F(BreakerTest, OpensAtTheShareOfFailuresAndNotBelow) {
  calls(11, true);
  calls(10, false);
  EXPECT_EQ(state(), State::closed) << "10 of 21";
  calls(1, false);
  EXPECT_EQ(state(), State::open) << "11 of 22";
}

TEST_F(BreakerTest, OpensAtTheShareOfSlowCallsThatSucceed) {
  calls(2, true);
  calls(7, true, Millis{101});
  EXPECT_EQ(state(), State::closed) << "7 of 9";
  calls(1, true, Millis{101});
  EXPECT_EQ(state(), State::open) << "8 of 10";
}

TEST_F(BreakerTest, ACallOfExactlyTheLimitIsNotSlow) {
  calls(50, true, Millis{100});
  EXPECT_EQ(state(), State::closed);
}

TEST_F(BreakerTest, OldCallsDoNotCount) {
  calls(9, false);
  now_ += Millis{10'001};
  calls(9, false);
  EXPECT_EQ(state(), State::closed);
}

TEST_F(BreakerTest, TheWindowSlidesByTenths) {
  calls(5, false);
  now_ += Millis{5000};
  calls(4, false);
  now_ += Millis{3000};
  calls(1, false);
  EXPECT_EQ(state(), State::open) << "all ten lie within ten seconds";
}

TEST_F(BreakerTest, SuccessesOfLongAgoDoNotHideFailures) {
  calls(1000, true);
  now_ += Millis{11'000};
  calls(10, false);
  EXPECT_EQ(state(), State::open);
}

TEST_F(BreakerTest, IsHalfOpenAfterItsTimeAndLetsOnlyTheTrialsThrough) {
  open();
  now_ += Millis{999};
  EXPECT_EQ(state(), State::open);
  EXPECT_FALSE(breaker_.permit(now_));
  now_ += Millis{1};
  EXPECT_EQ(state(), State::half_open);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(breaker_.permit(now_));
  EXPECT_FALSE(breaker_.permit(now_));
}

TEST_F(BreakerTest, ClosesOnlyAfterAllTrialsSucceeded) {
  open();
  now_ += Millis{1000};
  calls(2, true);
  EXPECT_EQ(state(), State::half_open);
  calls(1, true);
  EXPECT_EQ(state(), State::closed);
  calls(9, false);
  EXPECT_EQ(state(), State::closed) << "what was before it opened is forgotten";
}

TEST_F(BreakerTest, ConcurrentTrialsCloseItToo) {
  open();
  now_ += Millis{1000};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(breaker_.permit(now_));
  now_ += kQuick;
  for (int i = 0; i < 3; ++i) breaker_.record(now_, true, kQuick);
  EXPECT_EQ(state(), State::closed);
}

TEST_F(BreakerTest, AFailedOrSlowTrialOpensItAgain) {
  open();
  now_ += Millis{1000};
  calls(2, true);
  calls(1, false);
  EXPECT_EQ(state(), State::open);
  now_ += Millis{2000};
  calls(1, true, Millis{101});
  EXPECT_EQ(state(), State::open);
}

TEST_F(BreakerTest, StaysOpenTwiceAsLongEachTimeUpToTheMost) {
  open();
  for (const Millis expected : {Millis{1000}, Millis{2000}, Millis{4000}, Millis{4000}}) {
    now_ += expected - Millis{1};
    EXPECT_EQ(state(), State::open) << expected.count();
    now_ += Millis{1};
    EXPECT_EQ(state(), State::half_open) << expected.count();
    calls(1, false);
  }
}

TEST_F(BreakerTest, OpeningSoonAfterClosingCountsAsFailingOn) {
  open();
  now_ += Millis{1000};
  calls(3, true);
  calls(10, false);
  ASSERT_EQ(state(), State::open);
  now_ += Millis{1000};
  EXPECT_EQ(state(), State::open);
  now_ += Millis{1000};
  EXPECT_EQ(state(), State::half_open);
}

TEST_F(BreakerTest, AfterALongPeaceItBeginsWithTheFirstTimeAgain) {
  open();
  now_ += Millis{1000};
  calls(1, false);
  now_ += Millis{2000};
  calls(3, true);
  now_ += Millis{20'000};
  open();
  now_ += Millis{1000};
  EXPECT_EQ(state(), State::half_open);
}

TEST_F(BreakerTest, TrialsThatAreNeverReportedGiveTheirPlaceBack) {
  open();
  now_ += Millis{1000};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(breaker_.permit(now_));
  now_ += Millis{4999};
  EXPECT_FALSE(breaker_.permit(now_));
  now_ += Millis{1};
  calls(3, true);
  EXPECT_EQ(state(), State::closed);
}

TEST_F(BreakerTest, NewsOfCallsThatBeganBeforeItOpenedChangesNothing) {
  const auto before = now_;
  open();
  now_ += Millis{1500};
  ASSERT_EQ(state(), State::half_open);
  const auto took = std::chrono::floor<Millis>(now_ - before);
  for (int i = 0; i < 5; ++i) breaker_.record(now_, true, took);
  EXPECT_EQ(state(), State::half_open) << "late successes are no trials";
  breaker_.record(now_, false, took);
  EXPECT_EQ(state(), State::half_open) << "nor are late failures";
}

TEST_F(BreakerTest, NewsOfCallsFromBeforeItClosedDoesNotCountAgainstIt) {
  const auto before = now_;
  open();
  now_ += Millis{1000};
  calls(3, true);
  ASSERT_EQ(state(), State::closed);
  now_ += kQuick;
  const auto took = std::chrono::floor<Millis>(now_ - before);
  for (int i = 0; i < 20; ++i) breaker_.record(now_, false, took);
  calls(1, false);
  EXPECT_EQ(state(), State::closed);
}

TEST_F(BreakerTest, NewsOfTrialsIsIgnoredWhileOpen) {
  open();
  now_ += Millis{1000};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(breaker_.permit(now_));
  now_ += kQuick;
  for (int i = 0; i < 3; ++i) breaker_.record(now_, false, kQuick);
  now_ += Millis{1999};
  EXPECT_EQ(state(), State::open) << "three failures of one time double only once";
  now_ += Millis{1};
  EXPECT_EQ(state(), State::half_open);
}

TEST_F(BreakerTest, AnOperatorHoldsItOpen) {
  breaker_.hold(State::open);
  EXPECT_EQ(state(), State::open);
  EXPECT_FALSE(breaker_.permit(now_));
  now_ += std::chrono::hours(1);
  EXPECT_FALSE(breaker_.permit(now_));
  breaker_.hold(std::nullopt);
  EXPECT_EQ(state(), State::closed);
  EXPECT_TRUE(breaker_.permit(now_));
}

TEST_F(BreakerTest, AnOperatorHoldsItClosedAndItGoesOnUnderneath) {
  breaker_.hold(State::closed);
  calls(20, false);
  EXPECT_EQ(state(), State::closed);
  breaker_.hold(std::nullopt);
  EXPECT_EQ(state(), State::open);
}

TEST_F(BreakerTest, HeldHalfOpenItDecidesByItself) {
  breaker_.hold(State::half_open);
  EXPECT_EQ(state(), State::closed);
  open();
}

TEST_F(BreakerTest, CountsItsTransitions) {
  open();
  now_ += Millis{1000};
  calls(1, false);
  now_ += Millis{2000};
  calls(3, true);
  const auto transitions = breaker_.transitions();
  EXPECT_EQ(transitions.opened, 2U);
  EXPECT_EQ(transitions.half_opened, 2U);
  EXPECT_EQ(transitions.closed, 1U);
}

TEST_F(BreakerTest, AReadingOfTheClockFromJustBeforeTheTrialsIsNotPermitted) {
  open();
  const auto early = now_ + Millis{999};
  now_ += Millis{1000};
  ASSERT_TRUE(breaker_.permit(now_));
  EXPECT_FALSE(breaker_.permit(early));
}

TEST_F(BreakerTest, ManyThreadsOpenItOnceAndTakeNoMoreThanTheTrials) {
  const auto start = now_;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < 10'000; ++call) {
        if (breaker_.permit(start)) breaker_.record(start, call % 2 == 0, kQuick - kQuick);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  threads.clear();
  EXPECT_EQ(breaker_.transitions().opened, 1U);

  now_ += Millis{1000};
  std::atomic<int> permitted{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < 1000; ++call) permitted += breaker_.permit(now_) ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(permitted.load(), 3);
}

}  // namespace
}  // namespace sluice
