#include "sluice/fulfilment/guarded_results.hpp"

#include <gtest/gtest.h>
#include <vector>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_feed.hpp"

namespace sluice {
namespace {

class GuardedResultsTest : public testing::Test {
 protected:
  static BreakerSettings settings() {
    BreakerSettings settings;
    settings.calls_min = 3;
    settings.trials = 1;
    return settings;
  }

  Result<void> announce() {
    const std::vector<Outcome> outcomes(2);
    return loop_.finish(results_->announce(clock_.ticks() + Millis{1000}, outcomes));
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeResults inner_;
  Breaker breaker_{settings()};
  std::unique_ptr<ResultFeed> results_ = create_guarded_results(inner_, breaker_, clock_);
};

TEST_F(GuardedResultsTest, PassesNewsOn) {
  EXPECT_TRUE(announce());
  EXPECT_EQ(inner_.announced.size(), 2U);
}

TEST_F(GuardedResultsTest, AFeedThatFailsCostsNothingAnyMore) {
  inner_.on_announce.fail_always(Errc::unknown);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(announce().error(), Errc::unknown);
  const auto calls = inner_.on_announce.calls();
  EXPECT_EQ(announce().error(), Errc::unavailable);
  EXPECT_EQ(inner_.on_announce.calls(), calls);
}

TEST_F(GuardedResultsTest, IsTriedAgainLater) {
  inner_.on_announce.fail_always(Errc::unavailable);
  for (int i = 0; i < 3; ++i) announce();
  inner_.on_announce.work_again();
  clock_.advance(settings().open_for);
  EXPECT_TRUE(announce());
  EXPECT_TRUE(announce());
}

}  // namespace
}  // namespace sluice
