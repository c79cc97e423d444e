#include "sluice/gate/rate_limiter.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <latch>
#include <limits>
#include <thread>
#include <vector>

namespace sluice {
namespace {

constexpr Ticks kStart{std::chrono::hours(1)};

int admitted(RateLimiter& rate_limiter, Ticks now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += rate_limiter.take(now) == Millis{0} ? 1 : 0;
  return count;
}

/// How many pass from `begin` until `end` when somebody asks each millisecond, as often as it goes.
int admitted_between(RateLimiter& rate_limiter, Ticks begin, Ticks end) {
  int count = 0;
  for (auto now = begin; now < end; now += Millis{1}) count += admitted(rate_limiter, now, 10'000);
  return count;
}

TEST(RateLimiter, UnlimitedAdmitsAll) {
  RateLimiter rate_limiter;
  EXPECT_EQ(admitted(rate_limiter, kStart, 100'000), 100'000);
  EXPECT_EQ(rate_limiter.rate(), std::nullopt);
}

TEST(RateLimiter, ZeroAdmitsNobodyAndSaysAWait) {
  RateLimiter rate_limiter(0);
  EXPECT_EQ(rate_limiter.take(kStart), RateLimiter::kWaitMax);
  EXPECT_EQ(admitted(rate_limiter, kStart + std::chrono::hours(24), 100), 0);
  EXPECT_EQ(rate_limiter.rate(), 0);
}

TEST(RateLimiter, RatesThatAreNoNumbersAdmitNobody) {
  for (const double rate :
       {-1.0, std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    RateLimiter rate_limiter(rate);
    EXPECT_EQ(admitted(rate_limiter, kStart, 100), 0) << rate;
  }
}

TEST(RateLimiter, AdmitsATenthOfASecondAtOnceAndThenTheRate) {
  RateLimiter rate_limiter(1000);
  EXPECT_EQ(admitted(rate_limiter, kStart, 10'000), 100);
  EXPECT_EQ(admitted(rate_limiter, kStart + Millis{1}, 10'000), 1);
  EXPECT_EQ(admitted_between(rate_limiter, kStart + Millis{2}, kStart + Millis{1001}), 999);
}

TEST(RateLimiter, APauseFillsTheBurstAndNoMore) {
  RateLimiter rate_limiter(1000);
  EXPECT_EQ(admitted(rate_limiter, kStart, 10'000), 100);
  EXPECT_EQ(admitted(rate_limiter, kStart + std::chrono::hours(5), 10'000), 100);
}

TEST(RateLimiter, ASlowRateAdmitsOneAtATime) {
  RateLimiter rate_limiter(2);
  EXPECT_EQ(admitted(rate_limiter, kStart, 100), 1);
  EXPECT_EQ(rate_limiter.take(kStart + Millis{100}), Millis{400});
  EXPECT_EQ(admitted(rate_limiter, kStart + Millis{499}, 100), 0);
  EXPECT_EQ(admitted(rate_limiter, kStart + Millis{500}, 100), 1);
}

TEST(RateLimiter, TheWaitIsBoundedAndNeverZeroForTheRefused) {
  RateLimiter rate_limiter(0.001);
  EXPECT_EQ(rate_limiter.take(kStart), Millis{0});
  EXPECT_EQ(rate_limiter.take(kStart + Millis{1}), RateLimiter::kWaitMax);
  EXPECT_EQ(rate_limiter.take(kStart + Millis{999'999}), Millis{1});
  EXPECT_EQ(rate_limiter.take(kStart + Millis{1'000'000}), Millis{0});
}

TEST(RateLimiter, ARisingRateLetsNoBurstThrough) {
  RateLimiter rate_limiter(10);
  EXPECT_EQ(admitted(rate_limiter, kStart, 100), 1);
  // Nine tenths of a token are there.
  rate_limiter.set_rate(1000, kStart + Millis{90});
  EXPECT_EQ(admitted(rate_limiter, kStart + Millis{90}, 1000), 0);
  EXPECT_EQ(admitted(rate_limiter, kStart + Millis{91}, 1000), 1);
  EXPECT_EQ(admitted_between(rate_limiter, kStart + Millis{92}, kStart + Millis{192}), 100);
}

TEST(RateLimiter, ARisingRateAfterAPauseBeginsWithWhatTheOldOneHad) {
  RateLimiter rate_limiter(10);
  ASSERT_EQ(admitted(rate_limiter, kStart, 100), 1);
  rate_limiter.set_rate(1000, kStart + std::chrono::hours(1));
  EXPECT_EQ(admitted(rate_limiter, kStart + std::chrono::hours(1), 1000), 1);
}

TEST(RateLimiter, ARisingRateDoesNotWaitForTheOldOne) {
  RateLimiter rate_limiter(0.001);
  ASSERT_EQ(rate_limiter.take(kStart), Millis{0});
  rate_limiter.set_rate(100, kStart + Millis{5});
  EXPECT_LE(rate_limiter.take(kStart + Millis{5}), Millis{10});
  EXPECT_EQ(admitted(rate_limiter, kStart + Millis{15}, 100), 1);
}

TEST(RateLimiter, AFallingRateHoldsAtOnce) {
  RateLimiter rate_limiter(1000);
  rate_limiter.set_rate(10, kStart);
  EXPECT_EQ(admitted(rate_limiter, kStart, 1000), 1) << "the bucket of the new rate holds one";
  EXPECT_EQ(admitted_between(rate_limiter, kStart + Millis{1}, kStart + Millis{1001}), 10);
}

TEST(RateLimiter, ALimitAfterNoneBeginsEmptyAndDoesNotStall) {
  RateLimiter rate_limiter;
  EXPECT_EQ(admitted(rate_limiter, kStart, 1000), 1000);
  rate_limiter.set_rate(100, kStart);
  EXPECT_EQ(rate_limiter.take(kStart), Millis{10});
  EXPECT_EQ(admitted(rate_limiter, kStart + Millis{10}, 1000), 1);
}

TEST(RateLimiter, NothingAndThenARateBeginsEmptyAndDoesNotStall) {
  RateLimiter rate_limiter(100);
  ASSERT_GT(admitted(rate_limiter, kStart, 1000), 0);
  rate_limiter.set_rate(0, kStart + Millis{50});
  ASSERT_EQ(admitted(rate_limiter, kStart + Millis{1000}, 1000), 0);
  rate_limiter.set_rate(100, kStart + Millis{2000});
  EXPECT_EQ(rate_limiter.take(kStart + Millis{2000}), Millis{10});
  EXPECT_EQ(admitted(rate_limiter, kStart + Millis{2010}, 1000), 1);
}

TEST(RateLimiter, ARateThatWobblesIsItsMean) {
  RateLimiter rate_limiter(50);
  ASSERT_GT(admitted(rate_limiter, kStart, 1000), 0);
  int count = 0;
  auto now = kStart;
  for (int i = 0; i < 1000; ++i) {
    rate_limiter.set_rate(i % 2 == 0 ? 40 : 60, now);
    count += admitted_between(rate_limiter, now, now + Millis{10});
    now += Millis{10};
  }
  EXPECT_GE(count, 495);
  EXPECT_LE(count, 505) << "ten seconds at 50 per second";
}

TEST(RateLimiter, AnEnormousRateIsNoOverflow) {
  RateLimiter rate_limiter(1e30);
  EXPECT_GT(admitted(rate_limiter, kStart, 1000), 999);
  rate_limiter.set_rate(1e-30, kStart);
  EXPECT_EQ(admitted(rate_limiter, kStart + std::chrono::hours(1), 1000), 1)
      << "the token that was there";
  rate_limiter.set_rate(std::numeric_limits<double>::infinity(), kStart);
  EXPECT_GT(admitted(rate_limiter, kStart + Millis{1}, 1000), 999);
}

TEST(RateLimiter, ThreadsShareTheRateWhileItChanges) {
  RateLimiter rate_limiter(1000);
  std::atomic<int> count{0};
  std::atomic<std::int64_t> millis{0};
  std::latch all_run(4);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      all_run.arrive_and_wait();
      for (auto at = millis.load(); at < 2000; at = millis.load()) {
        count += rate_limiter.take(kStart + Millis{at}) == Millis{0} ? 1 : 0;
      }
    });
  }
  all_run.arrive_and_wait();
  for (int at = 5; at < 2000; at += 5) {
    rate_limiter.set_rate(at % 2 == 0 ? 1000 : 500, kStart + Millis{at});
    millis = at;
    std::this_thread::yield();
  }
  // On a loaded machine no other thread may have run yet.
  while (count == 0) std::this_thread::yield();
  millis = 2000;
  for (auto& thread : threads) thread.join();
  // Never more than the faster of the two rates and its burst.
  EXPECT_LE(count.load(), 2000 + 100 + 1);
  EXPECT_GT(count.load(), 0);
}

}  // namespace
}  // namespace sluice
