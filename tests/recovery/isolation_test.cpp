#include "sluice/recovery/isolation.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

constexpr Millis kLease{6000};
constexpr Millis kBeat{2000};

class IsolationPolicyTest : public testing::Test {
 protected:
  /// Time passes in rounds, with a heartbeat every `beat`; never, when that is zero.
  void pass(Millis time, bool store_up, Millis beat) {
    constexpr Millis kRound{500};
    for (Millis passed{0}; passed < time; passed += kRound) {
      now_ += kRound;
      if (beat > Millis{0} && (passed + kRound) % beat == Millis{0}) ++heartbeats_;
      policy_.seen(now_, store_up, heartbeats_);
    }
  }

  Ticks now_{};
  std::int64_t heartbeats_ = 0;
  IsolationPolicy policy_{kLease};
};

TEST_F(IsolationPolicyTest, ANodeThatAloneHasNoStoreIsIsolatedUntilItReachesIt) {
  pass(3 * kLease, true, kBeat);
  EXPECT_FALSE(policy_.isolated());
  pass(kBeat + kLease * 2 / 3 - Millis{500}, false, kBeat);
  EXPECT_FALSE(policy_.isolated());
  pass(kBeat, false, kBeat);
  EXPECT_TRUE(policy_.isolated());
  pass(10 * kLease, false, kBeat);
  EXPECT_TRUE(policy_.isolated());
  pass(Millis{500}, true, kBeat);
  EXPECT_FALSE(policy_.isolated());
}

TEST_F(IsolationPolicyTest, WithoutAStoreForAnybodyAllGoOn) {
  pass(kLease, true, kBeat);
  // Some were on their way.
  pass(kBeat, false, Millis{1000});
  pass(10 * kLease, false, Millis{0});
  EXPECT_FALSE(policy_.isolated());
}

TEST_F(IsolationPolicyTest, HeartbeatsFarFromEachOtherDoNotAddUp) {
  pass(kLease, true, kBeat);
  pass(10 * kLease, false, 2 * kLease);
  EXPECT_FALSE(policy_.isolated());
}

TEST_F(IsolationPolicyTest, ANodeIsIsolatedNoMoreWhenNobodyHasTheStore) {
  pass(3 * kLease, false, kBeat);
  ASSERT_TRUE(policy_.isolated());
  pass(kLease + Millis{2500}, false, Millis{0});
  EXPECT_TRUE(policy_.isolated());
  pass(Millis{500}, false, Millis{0});
  EXPECT_FALSE(policy_.isolated());
}

TEST_F(IsolationPolicyTest, ALogThatTellsNothingChangesNothing) {
  pass(kLease, false, Millis{0});
  for (int i = 0; i < 100; ++i) policy_.seen(now_ += Millis{500}, false, std::nullopt);
  EXPECT_FALSE(policy_.isolated());
  // What was sent meanwhile counts once.
  heartbeats_ += 100;
  pass(kLease, false, Millis{0});
  EXPECT_FALSE(policy_.isolated());
  pass(3 * kLease, false, kBeat);
  ASSERT_TRUE(policy_.isolated());
  for (int i = 0; i < 100; ++i) policy_.seen(now_ += Millis{500}, false, std::nullopt);
  EXPECT_TRUE(policy_.isolated());
}

}  // namespace
}  // namespace sluice
