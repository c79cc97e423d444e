#include "sluice/orders/lane_router.hpp"

#include <gtest/gtest.h>
#include <memory>

#include "support/fake_clock.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_queue.hpp"

namespace sluice {
namespace {

const LaneId kLane{7, 0};
const LaneId kOther{7, 1};

class LaneRouterTest : public testing::Test {
 protected:
  void publish(const ModeState& state) { flow_.publish(std::make_shared<ModeState>(state)); }

  test::FakeClock clock_;
  test::FakeInventory inventory_{clock_};
  test::FakeInventory store_inventory_{clock_};
  test::FakeQueue queue_;
  test::FakeQueue direct_;
  ModeSnapshot flow_{std::make_shared<ModeState>()};
  LaneRouter router_{flow_, {inventory_, queue_, store_inventory_, direct_}};
};

TEST_F(LaneRouterTest, ALaneNobodyHasLookedAtGoesTheNormalWay) {
  const auto services = router_.at(kLane);
  EXPECT_EQ(&services.inventory, &inventory_);
  EXPECT_EQ(&services.queue, &queue_);
  EXPECT_EQ(services.fence, 0U);
  EXPECT_FALSE(services.backlogged);
}

TEST_F(LaneRouterTest, TheNormalWayHasTheLanesOwnFenceAndTheNodesBacklog) {
  ModeState state;
  state.fences = {{kLane, 3}, {kOther, 9}};
  state.backlogged = true;
  state.wait = Millis{42'000};
  publish(state);
  const auto services = router_.at(kLane);
  EXPECT_EQ(&services.inventory, &inventory_);
  EXPECT_EQ(&services.queue, &queue_);
  EXPECT_EQ(services.fence, 3U);
  EXPECT_TRUE(services.backlogged);
  EXPECT_EQ(services.wait, Millis{42'000});
}

TEST_F(LaneRouterTest, ALaneThatTheStoreSellsGoesToTheStoreWhateverTheLogsBacklog) {
  ModeState state;
  state.store_lanes = {kLane};
  state.fences = {{kLane, 4}, {kOther, 9}};
  state.backlogged = true;
  state.wait = Millis{42'000};
  publish(state);
  const auto services = router_.at(kLane);
  EXPECT_EQ(&services.inventory, &store_inventory_);
  EXPECT_EQ(&services.queue, &direct_);
  EXPECT_EQ(services.fence, 0U) << "the store is never behind its own fence";
  EXPECT_FALSE(services.backlogged);
  EXPECT_EQ(services.wait, Millis{0});
  EXPECT_EQ(&router_.at(kOther).inventory, &inventory_) << "that lane alone";

  publish({});
  EXPECT_EQ(&router_.at(kLane).inventory, &inventory_) << "and back again";
  EXPECT_EQ(&router_.at(kLane).queue, &queue_);
}

}  // namespace
}  // namespace sluice
