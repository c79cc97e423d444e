#include "sluice/gate/token_buckets.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace sluice {
namespace {

constexpr Ticks kStart{std::chrono::hours(1)};

BucketSettings settings(double rate, double burst, std::size_t slots = 1024) {
  BucketSettings settings;
  settings.rate_per_s = rate;
  settings.burst = burst;
  settings.slots = slots;
  return settings;
}

int admitted(TokenBuckets& buckets, std::string_view key, Ticks now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += buckets.take(key, now).count() == 0 ? 1 : 0;
  return count;
}

TEST(TokenBuckets, AdmitTheBurstAndThenTheRate) {
  TokenBuckets buckets(settings(10, 5));
  EXPECT_EQ(admitted(buckets, "a", kStart, 100), 5);
  EXPECT_EQ(admitted(buckets, "a", kStart + Millis{99}, 100), 0);
  EXPECT_EQ(admitted(buckets, "a", kStart + Millis{100}, 100), 1);
  EXPECT_EQ(admitted(buckets, "a", kStart + Millis{350}, 100), 2);
}

TEST(TokenBuckets, RefillToTheBurstAndNoFurther) {
  TokenBuckets buckets(settings(10, 5));
  EXPECT_EQ(admitted(buckets, "a", kStart, 100), 5);
  EXPECT_EQ(admitted(buckets, "a", kStart + std::chrono::hours(5), 100), 5);
}

TEST(TokenBuckets, SayHowLongToWait) {
  TokenBuckets buckets(settings(10, 1));
  EXPECT_EQ(buckets.take("a", kStart), Millis{0});
  EXPECT_EQ(buckets.take("a", kStart), Millis{100});
  EXPECT_EQ(buckets.take("a", kStart + Millis{60}), Millis{40});
  const Ticks just_before = kStart + Millis{100} - std::chrono::nanoseconds(1);
  EXPECT_EQ(buckets.take("a", just_before), Millis{1}) << "rounded up, never zero";
  EXPECT_EQ(buckets.take("a", kStart + Millis{100}), Millis{0}) << "refusals cost nothing";
}

TEST(TokenBuckets, TheWaitIsEnough) {
  TokenBuckets buckets(settings(3, 4));
  auto now = kStart;
  for (int i = 0; i < 50; ++i) {
    const auto wait = buckets.take("a", now);
    if (wait.count() == 0) continue;
    now += wait;
    EXPECT_EQ(buckets.take("a", now), Millis{0});
  }
}

TEST(TokenBuckets, KeysDoNotShareABucket) {
  TokenBuckets buckets(settings(1, 2));
  EXPECT_EQ(admitted(buckets, "a", kStart, 10), 2);
  EXPECT_EQ(admitted(buckets, "b", kStart, 10), 2);
  EXPECT_EQ(admitted(buckets, "", kStart, 10), 2);
}

TEST(TokenBuckets, ARateOfZeroTurnsTheLimitOff) {
  TokenBuckets buckets(settings(0, 1));
  EXPECT_EQ(admitted(buckets, "a", kStart, 1000), 1000);
}

TEST(TokenBuckets, ExtremeSettingsStayWithinTheirLimit) {
  TokenBuckets never(settings(1e-300, 1));
  EXPECT_EQ(admitted(never, "a", kStart, 10), 1);
  EXPECT_GT(never.take("a", kStart + std::chrono::hours(24)).count(), 0);
  TokenBuckets always(settings(1e300, 1e300));
  EXPECT_EQ(admitted(always, "a", kStart, 1000), 1000);
  TokenBuckets wide(settings(1e-300, 1e300));
  EXPECT_GT(admitted(wide, "a", kStart, 1000), 0);
  TokenBuckets small_burst(settings(10, 0));
  EXPECT_EQ(admitted(small_burst, "a", kStart, 10), 1) << "a burst below 1 counts as 1";
  TokenBuckets no_number(settings(std::numeric_limits<double>::quiet_NaN(), 1));
  EXPECT_EQ(admitted(no_number, "a", kStart, 10), 10);
}

// A key that goes on asking stays limited however many others pass through its slots, because the
// slot given up is the one nearest to being free.
TEST(TokenBuckets, AGreedyKeyStaysAtItsRateAmongManyKeysInFewSlots) {
  constexpr double kRate = 10;
  constexpr double kBurst = 3;
  TokenBuckets buckets(settings(kRate, kBurst, 4));
  int greedy = 0;
  auto now = kStart;
  for (int i = 0; i < 10'000; ++i) {
    greedy += admitted(buckets, "greedy", now, 2);
    buckets.take("other" + std::to_string(i), now);
    now += Millis{1};
  }
  EXPECT_LE(greedy, static_cast<int>(10 * kRate + kBurst));
  EXPECT_GE(greedy, static_cast<int>(10 * kRate));
}

TEST(TokenBuckets, NewKeysAreAdmittedWhenEverySlotHasDebt) {
  TokenBuckets buckets(settings(1, 2, 4));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(buckets.take("k" + std::to_string(i), kStart), Millis{0}) << i;
  }
}

TEST(TokenBuckets, ThreadsTogetherStayWithinOneBurst) {
  constexpr int kThreads = 4;
  constexpr int kBurst = 100;
  for (int round = 0; round < 20; ++round) {
    TokenBuckets buckets(settings(0.001, kBurst, 4));
    std::atomic<int> sum{0};
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        ++ready;
        while (ready < kThreads) std::this_thread::yield();
        sum += admitted(buckets, "a", kStart, 2 * kBurst);
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_GE(sum, kBurst);
    // Each of the others may have looked for a free slot at the very moment of the first claim.
    EXPECT_LE(sum, kBurst + kThreads - 1);
  }
}

TEST(TokenBuckets, WaitTellsWhatTakeWouldAndTakesNothing) {
  TokenBuckets buckets(settings(10, 2));
  EXPECT_EQ(buckets.wait("a", kStart), Millis{0}) << "nobody asked for it yet";
  EXPECT_EQ(buckets.take("a", kStart), Millis{0});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(buckets.wait("a", kStart), Millis{0});
  EXPECT_EQ(buckets.take("a", kStart), Millis{0});
  EXPECT_EQ(buckets.wait("a", kStart), Millis{100});
  EXPECT_EQ(buckets.take("a", kStart), Millis{100});
  EXPECT_EQ(buckets.wait("a", kStart + Millis{100}), Millis{0});
  EXPECT_EQ(buckets.wait("b", kStart), Millis{0});
}

TEST(TokenBuckets, AChangedRateHoldsAtOnceAndForgivesWhatItHasNoRoomFor) {
  TokenBuckets buckets(settings(0, 1));
  EXPECT_EQ(admitted(buckets, "a", kStart, 100), 100);
  buckets.set_rate(0.001, 5);
  EXPECT_EQ(admitted(buckets, "a", kStart, 100), 5);
  buckets.set_rate(10, 2);
  EXPECT_EQ(admitted(buckets, "a", kStart, 100), 0) << "it gives nothing away";
  EXPECT_EQ(admitted(buckets, "a", kStart + Millis{100}, 100), 1) << "nor is there an old debt";
  buckets.set_rate(0, 2);
  EXPECT_EQ(admitted(buckets, "a", kStart, 100), 100);
}

}  // namespace
}  // namespace sluice
