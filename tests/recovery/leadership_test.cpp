#include "sluice/recovery/leadership.hpp"

#include <gtest/gtest.h>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_store.hpp"

namespace sluice {
namespace {

constexpr Millis kLength{6000};
constexpr Ticks kNow{std::chrono::hours(1)};

TEST(LeasePolicy, ANodeLeadsFromTheAnswerUntilItsLeaseMayBeAnothers) {
  LeasePolicy policy(kLength);
  EXPECT_FALSE(policy.term(kNow));
  EXPECT_LE(policy.next(), kNow) << "it asks at once";
  policy.answered(kNow, Lease{7, true});
  EXPECT_EQ(policy.term(kNow), Term{7});
  EXPECT_EQ(policy.term(kNow + kLength - Millis{1}), Term{7});
  EXPECT_FALSE(policy.term(kNow + kLength)) << "the store may give it to another now";
}

TEST(LeasePolicy, ALeaseIsRenewedEveryThirdOfItsLength) {
  LeasePolicy policy(kLength);
  policy.answered(kNow, Lease{7, true});
  EXPECT_EQ(policy.next(), kNow + kLength / 3);
  policy.failed(policy.next());
  EXPECT_EQ(policy.next(), kNow + kLength / 3 + kLength / 10) << "sooner after a failure";
  EXPECT_EQ(policy.term(policy.next()), Term{7}) << "it holds for as long as the store said";
}

TEST(LeasePolicy, ANodeThatIsToldOfAnotherLeaderStopsAtOnce) {
  LeasePolicy policy(kLength);
  policy.answered(kNow, Lease{7, true});
  policy.answered(kNow + Millis{1}, Lease{8, false});
  EXPECT_FALSE(policy.term(kNow + Millis{1}));
  policy.answered(kNow + Millis{2}, Lease{9, true});
  EXPECT_EQ(policy.term(kNow + Millis{2}), Term{9});
}

class LeadershipTest : public testing::Test {
 protected:
  void pass(Millis time) {
    constexpr Millis kStep{100};
    for (Millis passed{0}; passed < time; passed += kStep) {
      clock_.advance(kStep);
      loop_.turn();
    }
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeControlStore store_;
  Leadership leadership_{kLength, Millis{1000}, "a", store_, clock_, [this] { ++renewed_; }};
  unsigned renewed_ = 0;
};

TEST_F(LeadershipTest, RenewsByItselfAndGivesTheLeaseUpAtItsEnd) {
  const auto running = loop_.start(leadership_.run());
  loop_.turn();
  EXPECT_EQ(leadership_.term(), Term{1});
  pass(4 * kLength);
  EXPECT_EQ(leadership_.term(), Term{1});
  EXPECT_EQ(store_.on_acquire.calls(), 1U + 12U) << "three times in its length";
  EXPECT_EQ(renewed_, 1U + 12U);
  leadership_.stop();
  pass(Millis{100});
  EXPECT_TRUE(running.done()) << "a stop is not slept through";
  EXPECT_EQ(store_.holder, "");
}

TEST_F(LeadershipTest, EndsByItselfWhenTheStoreIsSilent) {
  const auto running = loop_.start(leadership_.run());
  loop_.turn();
  store_.on_acquire.fail_always(Errc::unknown);
  pass(kLength - Millis{100});
  EXPECT_TRUE(leadership_.term());
  pass(Millis{100});
  EXPECT_FALSE(leadership_.term());
  store_.on_acquire.work_again();
  pass(kLength / 10);
  EXPECT_TRUE(leadership_.term());
}

TEST_F(LeadershipTest, LeavesTheLeaseOfAnotherAlone) {
  store_.holder = "b";
  store_.term = 4;
  const auto running = loop_.start(leadership_.run());
  loop_.turn();
  EXPECT_TRUE(leadership_.known());
  EXPECT_FALSE(leadership_.term());
  leadership_.stop();
  pass(Millis{100});
  EXPECT_EQ(store_.holder, "b");
  EXPECT_EQ(renewed_, 0U);
}

TEST_F(LeadershipTest, ALeaderWithoutTheInventoryLeavesTheLeadToANodeThatHasIt) {
  const auto running = loop_.start(leadership_.run());
  loop_.turn();
  store_.standby = "b";
  leadership_.see_inventory(false);
  pass(kLength / 3);
  EXPECT_TRUE(leadership_.term()) << "the other one may have lost it at the same time";
  pass(kLength * 2 / 3);
  EXPECT_FALSE(leadership_.term());
  EXPECT_EQ(store_.holder, "") << "the other need not wait for its time";
  pass(2 * kLength);
  EXPECT_EQ(store_.holder, "") << "it does not ask while another stands by";
  EXPECT_TRUE(leadership_.answered());
  leadership_.see_inventory(true);
  pass(kLength / 3);
  EXPECT_TRUE(leadership_.term());
}

TEST_F(LeadershipTest, WithoutTheInventoryForAnybodySomeoneLeads) {
  const auto running = loop_.start(leadership_.run());
  loop_.turn();
  leadership_.see_inventory(false);
  pass(4 * kLength);
  EXPECT_EQ(leadership_.term(), Term{1});
  store_.holder.clear();
  pass(kLength / 3);
  EXPECT_EQ(leadership_.term(), Term{2}) << "a free lease is taken, too";
  EXPECT_EQ(store_.standby, "") << "and nobody claims to have the inventory";
}

TEST_F(LeadershipTest, ANodeWithTheInventoryThatDoesNotLeadStandsBy) {
  store_.holder = "b";
  const auto running = loop_.start(leadership_.run());
  loop_.turn();
  EXPECT_EQ(store_.standby, "a");
  store_.standby.clear();
  leadership_.see_inventory(false);
  pass(2 * kLength);
  EXPECT_EQ(store_.standby, "");
}

}  // namespace
}  // namespace sluice
