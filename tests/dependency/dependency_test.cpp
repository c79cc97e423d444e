#include "sluice/dependency/dependency.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/run_awaitable.hpp"

namespace sluice {
namespace {

using test::FakeClock;
using test::run_awaitable;
using testing::HasSubstr;
using testing::Not;

constexpr Step kFind{"find"};
constexpr Step kImage{"image", Step::Weight::bulk};

class DependencyTest : public testing::Test {
 protected:
  DependencyTest() { settings_.calls_max = 2; }

  static BreakerSettings breaker_settings() {
    BreakerSettings settings;
    settings.calls_min = 2;
    settings.slow = Millis{100};
    return settings;
  }

  Ticks soon() { return clock_.ticks() + Millis{1000}; }

  /// Makes a call that takes `took` and answers `answer`.
  Result<int> call(Step step, Result<int> answer, Millis took = Millis{0}) {
    Dependency::Operation<int> operation = [this, answer, took]() -> Task<int> {
      ++made_;
      clock_.advance(took);
      co_return answer;
    };
    return run_awaitable(dependency_.call<int>(step, soon(), operation));
  }

  FakeClock clock_;
  Metrics metrics_;
  Breaker breaker_{breaker_settings()};
  DependencySettings settings_{"redis", "http.inventory", 2};
  Dependency dependency_{settings_, &breaker_, clock_, metrics_};
  int made_ = 0;
};

TEST_F(DependencyTest, PassesAnswersAndErrorsOn) {
  EXPECT_EQ(call(kFind, 7).value(), 7);
  EXPECT_EQ(call(kFind, Errc::stale).error(), Errc::stale);
}

TEST_F(DependencyTest, RefusesAfterTheDeadlineWithNothingDone) {
  Dependency::Operation<int> operation = [this]() -> Task<int> {
    ++made_;
    co_return 1;
  };
  const auto late = run_awaitable(dependency_.call<int>(kFind, clock_.ticks(), operation));
  EXPECT_EQ(late.error(), Errc::unavailable);
  EXPECT_EQ(made_, 0);
}

TEST_F(DependencyTest, OpensTheBreakerByFailuresAndThenMakesNoCall) {
  call(kFind, Errc::unknown);
  call(kFind, Errc::unavailable);
  EXPECT_EQ(breaker_.state(clock_.ticks()), Breaker::State::open);
  made_ = 0;
  EXPECT_EQ(call(kFind, 7).error(), Errc::unavailable);
  EXPECT_EQ(made_, 0);
}

TEST_F(DependencyTest, AnAnswerOfAWorkingServiceIsNoFailure) {
  for (const auto error : {Errc::stale, Errc::not_ready, Errc::not_found, Errc::invalid}) {
    for (int i = 0; i < 5; ++i) call(kFind, error);
  }
  EXPECT_EQ(breaker_.state(clock_.ticks()), Breaker::State::closed);
}

TEST_F(DependencyTest, ALightCallMayBeSlowABulkCallNever) {
  for (int i = 0; i < 5; ++i) call(kImage, 7, Millis{500});
  EXPECT_EQ(breaker_.state(clock_.ticks()), Breaker::State::closed);
  for (int i = 0; i < 30; ++i) call(kFind, 7, Millis{500});
  EXPECT_EQ(breaker_.state(clock_.ticks()), Breaker::State::open);
}

TEST_F(DependencyTest, MeasuresEachCallByServiceAndName) {
  call(kFind, 7, Millis{2});
  call(kFind, Errc::stale);
  call(kImage, 7);
  const auto text = metrics_.text();
  EXPECT_THAT(text, HasSubstr(R"(sluice_dependency_seconds_count{call="find",service="redis"} 2)"));
  EXPECT_THAT(text,
              HasSubstr(R"(sluice_dependency_seconds_count{call="image",service="redis"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("call=\"settle\"")));
}

TEST_F(DependencyTest, RefusesBeyondTheBulkheadWithNothingDone) {
  std::optional<Result<int>> third;
  Dependency::Operation<int> innermost = [this]() -> Task<int> {
    ++made_;
    co_return 3;
  };
  Dependency::Operation<int> inner = [&]() -> Task<int> {
    third = co_await dependency_.call<int>(kFind, soon(), innermost);
    co_return 2;
  };
  Dependency::Operation<int> outer = [&]() -> Task<int> {
    co_return co_await dependency_.call<int>(kFind, soon(), inner);
  };
  EXPECT_EQ(run_awaitable(dependency_.call<int>(kFind, soon(), outer)).value(), 2);
  ASSERT_TRUE(third);
  EXPECT_EQ(third->error(), Errc::overloaded);
  EXPECT_EQ(made_, 0);
  // The places are free again.
  EXPECT_EQ(call(kFind, 7).value(), 7);
}

TEST_F(DependencyTest, AnExceptionIsAFailureAndPassesOn) {
  Dependency::Operation<int> operation = []() -> Task<int> {
    throw std::runtime_error("broken");
    co_return 1;
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_THROW(run_awaitable(dependency_.call<int>(kFind, soon(), operation)),
                 std::runtime_error);
  }
  EXPECT_EQ(breaker_.state(clock_.ticks()), Breaker::State::open);
}

}  // namespace
}  // namespace sluice
