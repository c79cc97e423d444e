#include "adapters/redis/remote_clock.hpp"

#include <gtest/gtest.h>

namespace sluice::redis {
namespace {

Ticks at(std::int64_t us) { return Ticks{std::chrono::microseconds(us)}; }

TEST(RemoteClock, SaysNothingBeforeItHeardAnything) { EXPECT_EQ(RemoteClock().at(at(5'000)), 0); }

TEST(RemoteClock, IsNeverAheadOfTheServer) {
  // The server is 1,000,000.4 ms ahead of us and says whole milliseconds; its answers take a while.
  constexpr std::int64_t kAheadUs = 1'000'000'400;
  for (std::int64_t sent = 0; sent < 3'000; sent += 37) {
    for (const std::int64_t takes : {0, 300, 999, 5'000}) {
      RemoteClock clock;
      clock.heard(at(sent + takes), (sent + kAheadUs) / 1'000);
      for (std::int64_t moment = 10'000; moment < 12'000; moment += 111) {
        const auto there_us = clock.at(at(moment)) * 1'000;
        EXPECT_LE(there_us, moment + kAheadUs);
        EXPECT_GE(there_us, moment + kAheadUs - takes - 3'000);
      }
    }
  }
}

TEST(RemoteClock, FollowsAClockThatWasSet) {
  RemoteClock clock;
  clock.heard(at(1'000'000), 50'000);
  EXPECT_EQ(clock.at(at(1'000'000)), 50'000);
  clock.heard(at(2'000'000), 70'000);
  EXPECT_EQ(clock.at(at(2'500'000)), 70'500);
  clock.heard(at(3'000'000), 20'000);
  EXPECT_EQ(clock.at(at(3'000'000)), 71'000) << "an answer may have been slow";
  clock.heard(at(12'000'000), 29'000);
  EXPECT_EQ(clock.at(at(12'500'000)), 29'500);
}

TEST(RemoteClock, AMomentBeforeItsBeginningIsSaidToBePast) {
  RemoteClock clock;
  clock.heard(at(10'000'000), 100);
  EXPECT_EQ(clock.at(at(0)), 1);
}

TEST(RemoteClock, SaysNothingOfWhatItHeardLongAgo) {
  RemoteClock clock;
  clock.heard(at(0), 100);
  EXPECT_EQ(clock.at(at(60'000'000)), 60'100);
  EXPECT_EQ(clock.at(at(60'001'000)), 0);
}

}  // namespace
}  // namespace sluice::redis
