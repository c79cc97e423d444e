#include "sluice/recovery/authority_policy.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

constexpr Millis kDatabaseAfter{2000};
constexpr Millis kRestoreAfter{5000};

class AuthorityPolicyTest : public testing::Test {
 protected:
  /// Seen every 100 ms for that long.
  void pass(Millis time, bool up) {
    for (Millis left = time; left.count() > 0; left -= Millis{100}) {
      policy_.seen(now_, up);
      now_ += Millis{100};
    }
  }

  bool store_sells() const { return policy_.store_sells({}); }

  AuthorityPolicy policy_{kDatabaseAfter, kRestoreAfter};
  Ticks now_{};
};

TEST_F(AuthorityPolicyTest, TheInventorySellsFromTheBeginning) {
  EXPECT_FALSE(store_sells());
  pass(Millis{60'000}, true);
  EXPECT_FALSE(store_sells());
}

TEST_F(AuthorityPolicyTest, AShortAbsenceChangesNothing) {
  pass(kDatabaseAfter, false);
  EXPECT_FALSE(store_sells());
  pass(Millis{100}, true);
  pass(kDatabaseAfter, false);
  EXPECT_FALSE(store_sells()) << "the time begins anew";
}

TEST_F(AuthorityPolicyTest, ALongAbsencePassesToTheStore) {
  pass(kDatabaseAfter + Millis{100}, false);
  EXPECT_TRUE(store_sells());
}

TEST_F(AuthorityPolicyTest, TheInventoryMustStayForItsPlace) {
  pass(kDatabaseAfter + Millis{100}, false);
  pass(kRestoreAfter, true);
  EXPECT_TRUE(store_sells());
  pass(Millis{100}, false);
  pass(kRestoreAfter, true);
  EXPECT_TRUE(store_sells()) << "one failure and the time begins anew";
  pass(Millis{100}, true);
  EXPECT_FALSE(store_sells());
}

TEST_F(AuthorityPolicyTest, AnOperatorsWordCounts) {
  EXPECT_TRUE(policy_.store_sells(OperatingMode::database));
  pass(Millis{10'000}, false);
  EXPECT_FALSE(policy_.store_sells(OperatingMode::normal));
  EXPECT_FALSE(policy_.store_sells(OperatingMode::bypass));
}

TEST(OperatingMode, NamesAreReadBack) {
  for (const auto mode : {OperatingMode::normal, OperatingMode::bypass, OperatingMode::database}) {
    EXPECT_EQ(parse_name<OperatingMode>(name(mode)), mode);
  }
  EXPECT_FALSE(parse_name<OperatingMode>("auto"));
  EXPECT_FALSE(parse_name<OperatingMode>(""));
}

}  // namespace
}  // namespace sluice
