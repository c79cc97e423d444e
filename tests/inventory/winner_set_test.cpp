#include "sluice/inventory/winner_set.hpp"

#include <gtest/gtest.h>
#include <random>
#include <set>
#include <vector>

#include "support/store_values.hpp"

namespace sluice {
namespace {

TEST(WinnerSet, ContainsWhatWasAddedAndNothingElse) {
  std::mt19937_64 random(7);
  WinnerSet set;
  std::set<std::uint64_t> model;
  for (int page = 0; page < 300; ++page) {
    std::vector<std::uint64_t> hashes;
    for (auto count = random() % 50; count > 0; --count) hashes.push_back(random() % 20'000);
    model.insert(hashes.begin(), hashes.end());
    set.add(std::move(hashes));
    // Some are added again by a later page.
    ASSERT_GE(set.size(), model.size());
  }
  for (std::uint64_t hash = 0; hash < 20'000; ++hash) {
    ASSERT_EQ(set.contains(hash), model.contains(hash));
  }
}

TEST(WinnerSet, ACopyStaysAsItWas) {
  WinnerSet set;
  set.add({1, 2, 3});
  const auto copy = set;
  set.add({4});
  EXPECT_FALSE(copy.contains(4));
  EXPECT_EQ(copy.size(), 3U);
  EXPECT_TRUE(set.contains(4));
  EXPECT_TRUE(set.contains(1));
}

// Lists of winners are kept by services and read by other nodes.
TEST(WinnerSet, AHashIsTheSameInEveryVersion) {
  EXPECT_NE(winner_hash(*UserId::parse("ann")), winner_hash(*UserId::parse("bob")));
  EXPECT_EQ(winner_hash(*UserId::parse("ann")), 11744021485462522335U);
}

}  // namespace
}  // namespace sluice
