#include "sluice/gate/throttle.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <limits>
#include <thread>
#include <vector>

namespace sluice {
namespace {

constexpr Ticks kStart{std::chrono::hours(1)};

int admitted(Throttle& throttle, Ticks now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += throttle.take(now) == Millis{0} ? 1 : 0;
  return count;
}

/// How many pass from `begin` until `end` when somebody asks each millisecond, as often as it goes.
int admitted_between(Throttle& throttle, Ticks begin, Ticks end) {
  int count = 0;
  for (auto now = begin; now < end; now += Millis{1}) count += admitted(throttle, now, 10'000);
  return count;
}

TEST(Throttle, UnlimitedAdmitsAll) {
  Throttle throttle;
  EXPECT_EQ(admitted(throttle, kStart, 100'000), 100'000);
  EXPECT_EQ(throttle.rate(), std::nullopt);
}

TEST(Throttle, ZeroAdmitsNobodyAndSaysAWait) {
  Throttle throttle(0);
  EXPECT_EQ(throttle.take(kStart), Throttle::kWaitMax);
  EXPECT_EQ(admitted(throttle, kStart + std::chrono::hours(24), 100), 0);
  EXPECT_EQ(throttle.rate(), 0);
}

TEST(Throttle, RatesThatAreNoNumbersAdmitNobody) {
  for (const double rate :
       {-1.0, std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    Throttle throttle(rate);
    EXPECT_EQ(admitted(throttle, kStart, 100), 0) << rate;
  }
}

TEST(Throttle, AdmitsATenthOfASecondAtOnceAndThenTheRate) {
  Throttle throttle(1000);
  EXPECT_EQ(admitted(throttle, kStart, 10'000), 100);
  EXPECT_EQ(admitted(throttle, kStart + Millis{1}, 10'000), 1);
  EXPECT_EQ(admitted_between(throttle, kStart + Millis{2}, kStart + Millis{1001}), 999);
}

TEST(Throttle, APauseFillsTheBurstAndNoMore) {
  Throttle throttle(1000);
  EXPECT_EQ(admitted(throttle, kStart, 10'000), 100);
  EXPECT_EQ(admitted(throttle, kStart + std::chrono::hours(5), 10'000), 100);
}

TEST(Throttle, ASlowRateAdmitsOneAtATime) {
  Throttle throttle(2);
  EXPECT_EQ(admitted(throttle, kStart, 100), 1);
  EXPECT_EQ(throttle.take(kStart + Millis{100}), Millis{400});
  EXPECT_EQ(admitted(throttle, kStart + Millis{499}, 100), 0);
  EXPECT_EQ(admitted(throttle, kStart + Millis{500}, 100), 1);
}

TEST(Throttle, TheWaitIsBoundedAndNeverZeroForTheRefused) {
  Throttle throttle(0.001);
  EXPECT_EQ(throttle.take(kStart), Millis{0});
  EXPECT_EQ(throttle.take(kStart + Millis{1}), Throttle::kWaitMax);
  EXPECT_EQ(throttle.take(kStart + Millis{999'999}), Millis{1});
  EXPECT_EQ(throttle.take(kStart + Millis{1'000'000}), Millis{0});
}

TEST(Throttle, ARisingRateLetsNoBurstThrough) {
  Throttle throttle(10);
  EXPECT_EQ(admitted(throttle, kStart, 100), 1);
  // Nine tenths of a token are there.
  throttle.set_rate(1000, kStart + Millis{90});
  EXPECT_EQ(admitted(throttle, kStart + Millis{90}, 1000), 0);
  EXPECT_EQ(admitted(throttle, kStart + Millis{91}, 1000), 1);
  EXPECT_EQ(admitted_between(throttle, kStart + Millis{92}, kStart + Millis{192}), 100);
}

TEST(Throttle, ARisingRateAfterAPauseBeginsWithWhatTheOldOneHad) {
  Throttle throttle(10);
  ASSERT_EQ(admitted(throttle, kStart, 100), 1);
  throttle.set_rate(1000, kStart + std::chrono::hours(1));
  EXPECT_EQ(admitted(throttle, kStart + std::chrono::hours(1), 1000), 1);
}

TEST(Throttle, ARisingRateDoesNotWaitForTheOldOne) {
  Throttle throttle(0.001);
  ASSERT_EQ(throttle.take(kStart), Millis{0});
  throttle.set_rate(100, kStart + Millis{5});
  EXPECT_LE(throttle.take(kStart + Millis{5}), Millis{10});
  EXPECT_EQ(admitted(throttle, kStart + Millis{15}, 100), 1);
}

TEST(Throttle, AFallingRateHoldsAtOnce) {
  Throttle throttle(1000);
  throttle.set_rate(10, kStart);
  EXPECT_EQ(admitted(throttle, kStart, 1000), 1) << "the bucket of the new rate holds one";
  EXPECT_EQ(admitted_between(throttle, kStart + Millis{1}, kStart + Millis{1001}), 10);
}

TEST(Throttle, ALimitAfterNoneBeginsEmptyAndDoesNotStall) {
  Throttle throttle;
  EXPECT_EQ(admitted(throttle, kStart, 1000), 1000);
  throttle.set_rate(100, kStart);
  EXPECT_EQ(throttle.take(kStart), Millis{10});
  EXPECT_EQ(admitted(throttle, kStart + Millis{10}, 1000), 1);
}

TEST(Throttle, NothingAndThenARateBeginsEmptyAndDoesNotStall) {
  Throttle throttle(100);
  ASSERT_GT(admitted(throttle, kStart, 1000), 0);
  throttle.set_rate(0, kStart + Millis{50});
  ASSERT_EQ(admitted(throttle, kStart + Millis{1000}, 1000), 0);
  throttle.set_rate(100, kStart + Millis{2000});
  EXPECT_EQ(throttle.take(kStart + Millis{2000}), Millis{10});
  EXPECT_EQ(admitted(throttle, kStart + Millis{2010}, 1000), 1);
}

TEST(Throttle, ARateThatWobblesIsItsMean) {
  Throttle throttle(50);
  ASSERT_GT(admitted(throttle, kStart, 1000), 0);
  int count = 0;
  auto now = kStart;
  for (int i = 0; i < 1000; ++i) {
    throttle.set_rate(i % 2 == 0 ? 40 : 60, now);
    count += admitted_between(throttle, now, now + Millis{10});
    now += Millis{10};
  }
  EXPECT_GE(count, 495);
  EXPECT_LE(count, 505) << "ten seconds at 50 per second";
}

TEST(Throttle, AnEnormousRateIsNoOverflow) {
  Throttle throttle(1e30);
  EXPECT_GT(admitted(throttle, kStart, 1000), 999);
  throttle.set_rate(1e-30, kStart);
  EXPECT_EQ(admitted(throttle, kStart + std::chrono::hours(1), 1000), 1)
      << "the token that was there";
  throttle.set_rate(std::numeric_limits<double>::infinity(), kStart);
  EXPECT_GT(admitted(throttle, kStart + Millis{1}, 1000), 999);
}

TEST(Throttle, ThreadsShareTheRateWhileItChanges) {
  Throttle throttle(1000);
  std::atomic<int> count{0};
  std::atomic<std::int64_t> millis{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (auto at = millis.load(); at < 2000; at = millis.load()) {
        count += throttle.take(kStart + Millis{at}) == Millis{0} ? 1 : 0;
      }
    });
  }
  for (int at = 1; at <= 2000; ++at) {
    throttle.set_rate(at % 2 == 0 ? 1000 : 500, kStart + Millis{at});
    millis = at;
    std::this_thread::yield();
  }
  for (auto& thread : threads) thread.join();
  // Never more than the faster of the two rates and its burst.
  EXPECT_LE(count.load(), 2000 + 100 + 1);
  EXPECT_GT(count.load(), 0);
}

}  // namespace
}  // namespace sluice
