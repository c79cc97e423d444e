#include "sluice/gate/aimd_limit.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace sluice {
namespace {

using Nanos = std::chrono::nanoseconds;

constexpr Millis kSecond{1000};
constexpr Millis kFast{10};
constexpr Millis kSlow{900};

AimdSettings settings() {
  AimdSettings settings;
  settings.start_per_s = 500;
  settings.floor_per_s = 20;
  settings.ceiling_per_s = 20'000;
  settings.target = Millis{250};
  settings.decrease = 0.7;
  settings.increase_per_s = 25;
  return settings;
}

CallSample sample(std::uint64_t orders, Millis mean, std::uint64_t failures = 0) {
  CallSample sample;
  sample.calls = 10 + failures;
  sample.orders = orders;
  sample.failures = failures;
  sample.latency = Nanos(mean) * static_cast<std::int64_t>(sample.calls);
  return sample;
}

/// A store that takes `capacity` orders a second and lets the rest wait in line.
class Store {
 public:
  double capacity = 3000;
  double queued = 0;
  double taken = 0;  ///< In the last second.

  CallSample serve_second(double offered) {
    queued += offered;
    taken = std::min(queued, capacity);
    queued -= taken;
    CallSample sample;
    sample.calls = 100;
    sample.orders = static_cast<std::uint64_t>(taken);
    const auto latency = Millis{5} + Millis(static_cast<std::int64_t>(1000 * queued / capacity));
    sample.latency = Nanos(latency) * 100;
    return sample;
  }
};

/// Lets `seconds` pass with more demand than any store takes.
void run(AimdLimit& rate, Store& store, int seconds) {
  for (int i = 0; i < seconds; ++i) rate.feed(store.serve_second(rate.per_s()), kSecond, true);
}

void expect_settled(AimdLimit& rate, Store& store, int seconds) {
  double all = 0;
  for (int i = 0; i < seconds; ++i) {
    run(rate, store, 1);
    all += store.taken;
    EXPECT_GE(rate.per_s(), 0.8 * store.capacity) << "second " << i;
    EXPECT_LE(rate.per_s(), 1.1 * store.capacity) << "second " << i;
  }
  EXPECT_GE(all / seconds, 0.9 * store.capacity);
  EXPECT_LE(store.queued, 0.5 * store.capacity);
}

TEST(AimdLimit, StartsAsConfiguredWithinItsBounds) {
  EXPECT_EQ(AimdLimit(settings()).per_s(), 500);
  auto high = settings();
  high.start_per_s = 1e9;
  EXPECT_EQ(AimdLimit(high).per_s(), 20'000);
  auto low = settings();
  low.start_per_s = 0;
  EXPECT_EQ(AimdLimit(low).per_s(), 20);
}

TEST(AimdLimit, ConvergesToTheCapacityOfAStore) {
  for (const double capacity : {1000.0, 3000.0, 12'000.0}) {
    SCOPED_TRACE(capacity);
    AimdLimit rate(settings());
    Store store;
    store.capacity = capacity;
    run(rate, store, 40);
    expect_settled(rate, store, 120);
  }
}

TEST(AimdLimit, FollowsWhenTheCapacityHalves) {
  AimdLimit rate(settings());
  Store store;
  run(rate, store, 60);
  store.capacity /= 2;
  run(rate, store, 30);
  expect_settled(rate, store, 60);
}

TEST(AimdLimit, FollowsWhenTheCapacityComesBack) {
  AimdLimit rate(settings());
  Store store;
  store.capacity = 300;
  run(rate, store, 60);
  store.capacity = 3000;
  run(rate, store, 120);
  expect_settled(rate, store, 60);
}

TEST(AimdLimit, TwoNodesComeToShareOneStore) {
  AimdLimit first(settings());
  auto late = settings();
  late.start_per_s = 20;
  AimdLimit second(late);
  Store store;
  run(first, store, 60);
  for (int i = 0; i < 600; ++i) {
    const double offered = first.per_s() + second.per_s();
    const auto part = first.per_s() / offered;
    const auto all = store.serve_second(offered);
    auto of_first = all;
    of_first.orders = static_cast<std::uint64_t>(static_cast<double>(all.orders) * part);
    auto of_second = all;
    of_second.orders = all.orders - of_first.orders;
    first.feed(of_first, kSecond, true);
    second.feed(of_second, kSecond, true);
  }
  EXPECT_NEAR(first.per_s() + second.per_s(), store.capacity, 0.2 * store.capacity);
  EXPECT_GT(second.per_s(), 0.4 * store.capacity);
  EXPECT_GT(first.per_s(), 0.4 * store.capacity);
}

TEST(AimdLimit, FallsWithFailuresToTheFloorAndRisesQuicklyToWhatItKnew) {
  AimdLimit rate(settings());
  Store store;
  run(rate, store, 60);
  for (int i = 0; i < 30; ++i) rate.feed(sample(0, kFast, 5), kSecond, true);
  EXPECT_EQ(rate.per_s(), 20);
  store.queued = 0;
  for (int i = 0; i < 20; ++i) {
    run(rate, store, 1);
    EXPECT_LE(rate.per_s(), 1.1 * store.capacity) << "it need not find out again";
  }
  EXPECT_GE(rate.per_s(), 0.8 * store.capacity);
}

TEST(AimdLimit, OneFailureIsEnoughToFall) {
  AimdLimit rate(settings());
  EXPECT_LT(rate.feed(sample(100, kFast, 1), kSecond, true), 500);
}

TEST(AimdLimit, ADecreaseKeepsMostOfWhatTheStoreTook) {
  AimdLimit rate(settings());
  EXPECT_DOUBLE_EQ(rate.feed(sample(500, kSlow), kSecond, true), 450);
  EXPECT_DOUBLE_EQ(rate.feed(sample(100, kSlow), kSecond, true), 450 * 0.7);
  EXPECT_DOUBLE_EQ(rate.feed(sample(100'000, kSlow), kSecond, true), 450 * 0.7)
      << "a decrease never raises";
}

TEST(AimdLimit, RisesAdditivelyAfterACongestion) {
  AimdLimit rate(settings());
  rate.feed(sample(500, kSlow), kSecond, true);
  EXPECT_DOUBLE_EQ(rate.feed(sample(450, kFast), kSecond, true), 475);
  EXPECT_DOUBLE_EQ(rate.feed(sample(475, kFast), kSecond, true), 500);
  EXPECT_DOUBLE_EQ(rate.feed(sample(500, kFast), 2 * kSecond, true), 550);
}

TEST(AimdLimit, DoesNotRiseWhileTheLimitHoldsNobodyBack) {
  AimdLimit rate(settings());
  for (int i = 0; i < 100; ++i) rate.feed(sample(10, kFast), kSecond, false);
  EXPECT_EQ(rate.per_s(), 500);
}

TEST(AimdLimit, KnowsItsBounds) {
  AimdLimit rate(settings());
  for (int i = 0; i < 1000; ++i) rate.feed(sample(100'000, kFast), kSecond, true);
  EXPECT_EQ(rate.per_s(), 20'000);
  for (int i = 0; i < 1000; ++i) rate.feed(sample(0, kSlow), kSecond, true);
  EXPECT_EQ(rate.per_s(), 20);
}

TEST(AimdLimit, NothingSaidIsNothingLearned) {
  AimdLimit rate(settings());
  EXPECT_EQ(rate.feed(CallSample{}, kSecond, true), 500);
  EXPECT_EQ(rate.feed(sample(500, kFast), Millis{0}, true), 500);
  EXPECT_EQ(rate.feed(sample(500, kFast), Millis{-5}, true), 500);
}

TEST(AimdLimit, ARoundThatComesVeryLateDoesNotJump) {
  AimdLimit rate(settings());
  rate.feed(sample(500, kSlow), kSecond, true);
  EXPECT_LE(rate.feed(sample(500, kFast), std::chrono::hours(1), true), 450 + 5 * 25);
}

TEST(CallMeter, CountsAndBeginsAnew) {
  CallMeter meter;
  meter.record(5, true, Millis{10});
  meter.record(7, false, Millis{30});
  const auto first = meter.take();
  EXPECT_EQ(first.calls, 2U);
  EXPECT_EQ(first.failures, 1U);
  EXPECT_EQ(first.orders, 5U) << "a failed call took none";
  EXPECT_EQ(first.latency, Millis{40});
  EXPECT_EQ(first.mean_latency(), Millis{20});
  const auto second = meter.take();
  EXPECT_EQ(second.calls, 0U);
  EXPECT_EQ(second.mean_latency(), Nanos{0});
}

TEST(CallMeter, LosesNothingBetweenThreads) {
  CallMeter meter;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < 10'000; ++call) meter.record(2, call % 10 != 0, Nanos{3});
    });
  }
  CallSample all;
  const auto collect = [&] {
    const auto part = meter.take();
    all.calls += part.calls;
    all.failures += part.failures;
    all.orders += part.orders;
    all.latency += part.latency;
  };
  for (int i = 0; i < 1000; ++i) collect();
  for (auto& thread : threads) thread.join();
  collect();
  EXPECT_EQ(all.calls, 40'000U);
  EXPECT_EQ(all.failures, 4000U);
  EXPECT_EQ(all.orders, 72'000U);
  EXPECT_EQ(all.latency, Nanos{120'000});
}

}  // namespace
}  // namespace sluice
