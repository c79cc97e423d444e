#include "sluice/domain/order_id.hpp"

#include <gtest/gtest.h>
#include <set>
#include <string>

namespace sluice {
namespace {

constexpr TimePoint kNow{Millis{1'800'000'000'123}};

class OrderIdTest : public testing::Test {
 protected:
  OrderIdSeal seal_{"a secret for tests"};
  UserId alice_ = *UserId::parse("alice");
  LaneId lane_{42, 7};
  OrderId id_ = seal_.issue(lane_, 0x1234, alice_, kNow, 0x2abcd);
};

TEST_F(OrderIdTest, CarriesTimeEpochAndLane) {
  EXPECT_EQ(id_.created_at(), kNow);
  EXPECT_EQ(id_.epoch(), 0x1234U);
  EXPECT_EQ(id_.lane(), 7U);
}

TEST_F(OrderIdTest, CarriesThemAtTheirExtremes) {
  constexpr TimePoint kLast{Millis{(INT64_C(1) << 48) - 1}};
  for (const auto time : {TimePoint{}, kLast}) {
    for (const Epoch epoch : {Epoch{1}, Epoch{15}, Epoch{16}, kEpochMax}) {
      for (const std::uint32_t lane : {0U, kLanesMax - 1}) {
        const auto id = seal_.issue({1, lane}, epoch, alice_, time, ~std::uint64_t{0});
        EXPECT_EQ(id.created_at(), time);
        EXPECT_EQ(id.epoch(), epoch);
        EXPECT_EQ(id.lane(), lane);
        EXPECT_TRUE(seal_.authentic(id, 1, alice_));
      }
    }
  }
}

TEST_F(OrderIdTest, IsAUuidOfVersion8WithTheDocumentedLayout) {
  const auto text = id_.text();
  ASSERT_EQ(text.size(), 36U);
  EXPECT_EQ(text[14], '8') << "version";
  EXPECT_TRUE(text[19] == '8' || text[19] == '9' || text[19] == 'a' || text[19] == 'b') << text;
  // 48 bits of time, 12 of the epoch, then variant 10, 4 of the epoch, 8 of lane, 18 random.
  EXPECT_EQ(text.substr(0, 18), "01a3185c-507b-8123");
  const auto& bytes = id_.bytes();
  EXPECT_EQ(bytes[8], 0b1001'0000);
  EXPECT_EQ(bytes[9], 0b0001'1110);
  EXPECT_EQ(bytes[10], 0xab);
  EXPECT_EQ(bytes[11], 0xcd);
}

TEST_F(OrderIdTest, UsesTheLow18RandomBits) {
  const auto high_bits =
      seal_.issue(lane_, 0x1234, alice_, kNow, 0x2abcd | ~std::uint64_t{0x3ffff});
  EXPECT_EQ(high_bits, id_);
  EXPECT_NE(seal_.issue(lane_, 0x1234, alice_, kNow, 0x2abcc), id_);
}

TEST_F(OrderIdTest, TextRoundTrips) {
  EXPECT_EQ(OrderId::parse(id_.text()), id_);
  const OrderId nil;
  EXPECT_EQ(nil.text(), "00000000-0000-0000-0000-000000000000");
  EXPECT_EQ(OrderId::parse(nil.text()), nil);
}

TEST_F(OrderIdTest, OnlyTheCanonicalFormIsAccepted) {
  const auto text = id_.text();
  std::string upper = text;
  for (auto& c : upper) c = static_cast<char>(std::toupper(c));
  std::string bare;
  for (const char c : text) {
    if (c != '-') bare += c;
  }
  for (const auto& bad :
       {std::string(), upper, bare, "{" + text + "}", "urn:uuid:" + text, text + "0", " " + text,
        text.substr(1), text.substr(0, 35), text.substr(0, 35) + "g", text.substr(0, 35) + " ",
        text.substr(0, 8) + "0" + text.substr(9), std::string(36, '-'), std::string(36, '0'),
        text.substr(0, 35) + std::string(1, '\0')}) {
    EXPECT_FALSE(OrderId::parse(bad)) << bad;
  }
}

TEST_F(OrderIdTest, EverySingleBitFlipIsRefused) {
  ASSERT_TRUE(seal_.authentic(id_, lane_.sale, alice_));
  for (std::size_t bit = 0; bit < 128; ++bit) {
    auto bytes = id_.bytes();
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << bit % 8));
    EXPECT_FALSE(seal_.authentic(OrderId(bytes), lane_.sale, alice_)) << "bit " << bit;
  }
}

TEST_F(OrderIdTest, AnotherUserSaleOrSecretIsAStranger) {
  EXPECT_FALSE(seal_.authentic(id_, lane_.sale, *UserId::parse("alicf")));
  EXPECT_FALSE(seal_.authentic(id_, lane_.sale, *UserId::parse("alice2")));
  EXPECT_FALSE(seal_.authentic(id_, lane_.sale, UserId()));
  EXPECT_FALSE(seal_.authentic(id_, lane_.sale + 1, alice_));
  EXPECT_FALSE(OrderIdSeal("another secret").authentic(id_, lane_.sale, alice_));
  EXPECT_FALSE(OrderIdSeal("").authentic(id_, lane_.sale, alice_));
  EXPECT_TRUE(OrderIdSeal("a secret for tests").authentic(id_, lane_.sale, alice_))
      << "another node with the same secret";
  EXPECT_FALSE(seal_.authentic(OrderId(), lane_.sale, alice_));
}

TEST_F(OrderIdTest, DiffersForUsersInTheSameMillisecondWithTheSameRandomBits) {
  std::set<OrderId> ids;
  for (int i = 0; i < 1000; ++i) {
    ids.insert(seal_.issue(lane_, 1, *UserId::parse("u" + std::to_string(i)), kNow, 0));
  }
  EXPECT_EQ(ids.size(), 1000U);
}

}  // namespace
}  // namespace sluice
