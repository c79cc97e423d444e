#include "sluice/recovery/lane_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

namespace sluice {
namespace {

using testing::ElementsAre;

class LaneWatchTest : public testing::Test {
 protected:
  LaneWatchTest() {
    for (SaleId sale = 0; sale < 10; ++sale) {
      const LaneWatch::Row row{{sale, 0}, LaneHead{1, 1, 0, 0}, 1};
      rows_.push_back(row);
    }
  }

  std::vector<std::size_t> pass(bool calm = true) {
    const auto due = watch_.due(rows_);
    for (const auto i : due) watch_.looked(rows_[i], calm);
    return due;
  }

  std::vector<LaneWatch::Row> rows_;
  LaneWatch watch_{3};
};

TEST_F(LaneWatchTest, CalmLanesComeInTurn) {
  EXPECT_EQ(pass().size(), 10U) << "all are unknown";
  std::set<std::size_t> seen;
  for (int round = 0; round < 4; ++round) {
    const auto due = pass();
    EXPECT_EQ(due.size(), 3U);
    seen.insert(due.begin(), due.end());
  }
  EXPECT_EQ(seen.size(), 10U);
}

TEST_F(LaneWatchTest, WhatHadSomethingLeftOrChangedIsDueAtOnce) {
  pass();
  pass();
  watch_.looked(rows_[9], false);
  rows_[8].head->suspect = 1;
  rows_[7].revision = 2;
  EXPECT_THAT(pass(), ElementsAre(3, 4, 5, 7, 8, 9));
  watch_.expect_changes();
  EXPECT_EQ(pass(false).size(), 10U);
  EXPECT_EQ(pass().size(), 10U);
  EXPECT_TRUE(watch_.calm({9, 0}));
  EXPECT_FALSE(watch_.calm({10, 0}));
}

}  // namespace
}  // namespace sluice
