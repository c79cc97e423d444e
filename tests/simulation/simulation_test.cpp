#include <algorithm>
#include <gtest/gtest.h>
#include <sstream>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"

#include "simulation/campaign.hpp"
#include "simulation/world.hpp"

namespace sluice::simulation {
namespace {

#ifdef NDEBUG
constexpr std::uint64_t kSeeds = 1'000;
#else
constexpr std::uint64_t kSeeds = 200;
#endif

class Simulation : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    LogSettings quiet;
    quiet.level = "off";
    configure_log(quiet);
  }

  static CampaignReport run(std::uint64_t first, std::uint64_t seeds) {
    CampaignOrder order;
    order.first = first;
    order.seeds = seeds;
    order.keep_going = true;
    return run_campaign(order);
  }
};

TEST_F(Simulation, EveryInvariantHoldsInEveryRun) {
  const auto report = run(1, kSeeds);
  if (report.failures.empty()) return;
  std::ostringstream story;
  print_story(story, report.failures.front().seed);
  FAIL() << story.str();
}

TEST_F(Simulation, TheSameSeedsTellTheSameStories) {
  const auto first = run(7'000, 50);
  const auto again = run(7'000, 50);
  EXPECT_EQ(first.hash, again.hash);
  EXPECT_EQ(first.steps, again.steps);
  EXPECT_EQ(first.requests, again.requests);
}

TEST_F(Simulation, OtherSeedsTellOtherStories) { EXPECT_NE(run(1, 1).hash, run(2, 1).hash); }

TEST_F(Simulation, RunsReachWhatTheyAreFor) {
  const auto report = run(1, kSeeds);
  const auto& figures = report.figures;
  EXPECT_GT(figures.grants, 5 * report.runs);
  EXPECT_GT(figures.openings, 2 * report.runs);
  EXPECT_GT(figures.by_store, report.runs / 20);
  EXPECT_GT(figures.at_once, report.runs / 20);
  EXPECT_GT(figures.backlogged, 0U);
  EXPECT_GT(figures.unknown, 0U);
  EXPECT_GT(figures.lost, 0U);
  // One run in forty has any: it is looked for until there is one.
  auto late = figures.late;
  for (auto first = kSeeds + 1; late == 0 && first < 10 * kSeeds; first += 50) {
    late = run(first, 50).figures.late;
  }
  EXPECT_GT(late, 0U);
  EXPECT_GT(figures.paid, report.runs);
  EXPECT_GT(figures.cancelled, report.runs / 2);
  EXPECT_GT(figures.expired, report.runs / 2);
  EXPECT_GT(figures.relayed, report.runs / 2);
  EXPECT_GT(figures.drifts, 0U);
}

#ifdef SLUICE_MUTATIONS
TEST_F(Simulation, AMutantIsCaughtAndItsStoryIsTold) {
  set_mutant("memory.oversold");
  const auto report = run(1, kSeeds);
  const auto found = std::ranges::find_if(report.failures, [](const Failure& failure) {
    return failure.violation.find("its projection is wrong") != std::string::npos;
  });
  std::ostringstream story;
  if (found != report.failures.end()) print_story(story, found->seed);
  set_mutant("");
  ASSERT_NE(found, report.failures.end());
  EXPECT_NE(story.str().find("VIOLATION: " + found->violation), std::string::npos);
  EXPECT_NE(story.str().find("redis opens lane"), std::string::npos);
}
#endif

}  // namespace
}  // namespace sluice::simulation
