#include "sluice/domain/ids.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <string>

namespace sluice {
namespace {

TEST(SaleId, TakesPositiveDecimalNumbersUpTo63Bits) {
  EXPECT_EQ(parse_sale_id("1"), 1);
  EXPECT_EQ(parse_sale_id("9223372036854775807"), std::numeric_limits<SaleId>::max());
}

TEST(SaleId, RefusesEveryOtherForm) {
  for (const auto* text :
       {"", "0", "-1", "+1", "01", "00", " 1", "1 ", "1a", "0x10", "1.0", "1e3", "-", "\t1",
        "9223372036854775808", "18446744073709551617", "99999999999999999999999", "\xd9\xa1"}) {
    EXPECT_FALSE(parse_sale_id(text)) << '"' << text << '"';
  }
  EXPECT_FALSE(parse_sale_id(std::string_view("1\0", 2)));
}

TEST(UserId, TakesItsAlphabetAndLength) {
  const std::string all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
  EXPECT_EQ(all.size(), 64U);
  EXPECT_EQ(UserId::parse(all)->text(), all);
  EXPECT_TRUE(UserId::parse("-"));
  EXPECT_FALSE(UserId::parse(""));
  EXPECT_FALSE(UserId::parse(all + "a"));
}

TEST(UserId, RefusesEveryOtherByte) {
  int accepted = 0;
  for (int byte = 0; byte < 256; ++byte) {
    accepted += UserId::parse(std::string(1, static_cast<char>(byte))) ? 1 : 0;
  }
  EXPECT_EQ(accepted, 26 + 26 + 10 + 3);
}

// Golden values: were they to change, users would lose the lane that holds their order.
TEST(LaneOf, NeverChanges) {
  const std::map<std::string, std::pair<std::uint32_t, std::uint32_t>> golden = {
      {"alice", {7, 119}}, {"bob", {12, 124}}, {"u-1", {1, 209}}, {"Z", {10, 26}}};
  for (const auto& [name, lanes] : golden) {
    const auto user = *UserId::parse(name);
    EXPECT_EQ(lane_of(user, 16), lanes.first) << name;
    EXPECT_EQ(lane_of(user, 256), lanes.second) << name;
    EXPECT_EQ(lane_of(user, 1), 0U);
    EXPECT_EQ(lane_of(user, 0), 0U);
  }
}

TEST(LaneOf, SpreadsUsersEvenly) {
  constexpr std::uint32_t kLanes = 8;
  constexpr int kUsers = 8000;
  std::map<std::uint32_t, int> users;
  for (int i = 0; i < kUsers; ++i)
    ++users[lane_of(*UserId::parse("user" + std::to_string(i)), kLanes)];
  EXPECT_EQ(users.size(), kLanes);
  for (const auto& [lane, count] : users) {
    EXPECT_GT(count, 850) << lane;
    EXPECT_LT(count, 1150) << lane;
  }
}

TEST(LaneId, HashesTheLargestSale) {
  const LaneId last{std::numeric_limits<SaleId>::max(), kLanesMax - 1};
  const LaneId other{std::numeric_limits<SaleId>::max(), 0};
  EXPECT_NE(std::hash<LaneId>()(last), std::hash<LaneId>()(other));
}

}  // namespace
}  // namespace sluice
