#include "sluice/recovery/auditor.hpp"

#include <gtest/gtest.h>
#include <string>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_store.hpp"
#include "support/store_values.hpp"

namespace sluice {
namespace {

const LaneId kLane{7, 0};

class AuditorTest : public testing::Test {
 protected:
  AuditorTest() {
    auto& lane = store_.lanes[kLane];
    lane.initial = 100;
    lane.stock = 100;
    lane.fence = 1;
    lane.newest = 1;
    inventory_.open_lane(kLane, 100, 1);
  }

  Result<SaleAudit> audit(bool inventory_up = true) {
    return loop_.finish(auditor_.audit(kLane.sale, 1, inventory_up));
  }

  void check() { ASSERT_TRUE(loop_.finish(auditor_.check(kLane.sale, 1, true))); }

  OrderMessage reserve(std::uint64_t user, std::uint32_t quantity) {
    auto message = test::message_of(kLane, test::user_of(user), quantity);
    auto& lane = inventory_.lane(kLane);
    lane.stock -= quantity;
    lane.records[message.user] = {{message.id, OrderStatus::queued, quantity}, clock_.now()};
    return message;
  }

  bool suspected() { return store_.lanes[kLane].suspect == store_.lanes[kLane].fence; }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeInventory inventory_{clock_};
  test::FakeOrderStore store_;
  Metrics metrics_;
  Auditor auditor_{Millis{1000}, Millis{1000},
                   Auditor::Ports{inventory_, store_, clock_, metrics_}};
};

TEST_F(AuditorTest, AQuietLaneHolds) {
  const auto seen = audit();
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->holds());
  ASSERT_EQ(seen->lanes.size(), 1U);
  EXPECT_EQ(seen->lanes[0].drift, 0);
  EXPECT_EQ(seen->lanes[0].stage, LaneStage::ready);
}

TEST_F(AuditorTest, UnitsOnTheirWayAreNoDrift) {
  const auto message = reserve(1, 3);
  EXPECT_EQ(audit()->lanes[0].drift, 0) << "reserved";
  store_.decide(message);
  EXPECT_EQ(audit()->lanes[0].drift, 0) << "applied and not settled";
}

TEST_F(AuditorTest, UnitsOnTheirWayBackAreNoDrift) {
  const auto message = reserve(1, 3);
  store_.decide(message);
  inventory_.lane(kLane).records[message.user].order.status = OrderStatus::confirmed;
  store_.orders[message.id].status = OrderStatus::cancelled;
  store_.lanes[kLane].stock += 3;
  store_.lanes[kLane].returning = 3;
  EXPECT_EQ(audit()->lanes[0].drift, 0) << "in the outbox";
  inventory_.lane(kLane).stock += 3;
  EXPECT_EQ(audit()->lanes[0].drift, 0) << "given back and not forgotten";
  store_.lanes[kLane].returning = 0;
  EXPECT_EQ(audit()->lanes[0].drift, 0) << "forgotten";
  inventory_.lane(kLane).stock -= 3;
  EXPECT_EQ(audit()->lanes[0].drift, -3) << "forgotten too early";
}

TEST_F(AuditorTest, ALaneToWhichUnitsReturnDuringTheLookIsNotJudged) {
  inventory_.lane(kLane).stock = 97;
  store_.on_audit.before([&] {
    inventory_.lane(kLane).stock = 100;
    ++inventory_.lane(kLane).version;
  });
  EXPECT_EQ(audit()->lanes[0].drift, std::nullopt);
}

TEST_F(AuditorTest, UnitsThatNobodyHasAreADrift) {
  inventory_.lane(kLane).stock = 98;
  const auto seen = audit();
  EXPECT_EQ(seen->lanes[0].drift, -2);
  EXPECT_FALSE(seen->holds());
  EXPECT_TRUE(seen->lanes[0].figures.conserved());
}

TEST_F(AuditorTest, UnitsThatTheStoreDoesNotHaveAreADrift) {
  inventory_.lane(kLane).stock = 105;
  EXPECT_EQ(audit()->lanes[0].drift, 5);
}

TEST_F(AuditorTest, AMovingLaneIsNotJudged) {
  inventory_.lane(kLane).stock = 98;
  store_.on_audit.before([&] { inventory_.lane(kLane).stock = 97; });
  const auto seen = audit();
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->lanes[0].drift, std::nullopt);
  EXPECT_TRUE(seen->holds());
}

TEST_F(AuditorTest, WithoutTheInventoryTheStoreIsJudgedAlone) {
  const auto seen = audit(false);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->lanes[0].inventory, std::nullopt);
  EXPECT_EQ(seen->lanes[0].drift, std::nullopt);
  store_.lanes[kLane].stock = 99;
  EXPECT_FALSE(audit(false)->holds()) << "a unit without an order";
  inventory_.on_view.fail_always(Errc::unavailable);
  EXPECT_EQ(audit()->lanes[0].inventory, std::nullopt);
}

TEST_F(AuditorTest, ALaneThatTheStoreSellsHasNoPartInTheInventory) {
  store_.lanes[kLane].by_store = 1;
  inventory_.lane(kLane).stock = 3;
  const auto seen = audit();
  EXPECT_EQ(seen->lanes[0].inventory, std::nullopt);
  EXPECT_TRUE(seen->holds());
}

TEST_F(AuditorTest, ADriftSeenTwiceAsksForARebuild) {
  inventory_.lane(kLane).stock = 98;
  check();
  EXPECT_FALSE(suspected()) << "one look may have met a settlement in the middle";
  check();
  EXPECT_TRUE(suspected());
}

TEST_F(AuditorTest, ADriftThatWentAwayDoesNot) {
  inventory_.lane(kLane).stock = 98;
  check();
  inventory_.lane(kLane).stock = 100;
  check();
  inventory_.lane(kLane).stock = 98;
  check();
  EXPECT_FALSE(suspected());
}

TEST_F(AuditorTest, WhatItFindsIsInTheMetrics) {
  inventory_.lane(kLane).stock = 98;
  check();
  EXPECT_NE(metrics_.text().find("sluice_drift_units 2"), std::string::npos);
  store_.lanes[kLane].stock = 97;
  check();
  EXPECT_NE(metrics_.text().find("sluice_unconserved_lanes 1"), std::string::npos);
  store_.lanes[kLane].stock = 100;
  inventory_.lane(kLane).stock = 100;
  check();
  EXPECT_NE(metrics_.text().find("sluice_drift_units 0"), std::string::npos);
  EXPECT_NE(metrics_.text().find("sluice_unconserved_lanes 0"), std::string::npos);
}

TEST_F(AuditorTest, ASaleWithoutLanesIsNotFound) {
  store_.lanes.clear();
  EXPECT_EQ(audit().error(), Errc::not_found);
  store_.on_audit.fail(Errc::unavailable);
  EXPECT_EQ(audit().error(), Errc::unavailable);
}

}  // namespace
}  // namespace sluice
