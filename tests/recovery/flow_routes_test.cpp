#include "sluice/recovery/flow_routes.hpp"

#include <gtest/gtest.h>
#include <memory>

#include "support/fake_clock.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_queue.hpp"

namespace sluice {
namespace {

const LaneId kLane{7, 0};
const LaneId kOther{7, 1};

class FlowRoutesTest : public testing::Test {
 protected:
  void publish(const ModeState& state) { flow_.publish(std::make_shared<ModeState>(state)); }

  test::FakeClock clock_;
  test::FakeInventory inventory_{clock_};
  test::FakeInventory store_inventory_{clock_};
  test::FakeQueue queue_;
  test::FakeQueue direct_;
  ModeSnapshot flow_{std::make_shared<ModeState>()};
  FlowRoutes routes_{flow_, {inventory_, queue_, store_inventory_, direct_}};
};

TEST_F(FlowRoutesTest, ALaneNobodyHasLookedAtGoesTheNormalWay) {
  const auto route = routes_.route(kLane);
  EXPECT_EQ(route.inventory, &inventory_);
  EXPECT_EQ(route.queue, &queue_);
  EXPECT_EQ(route.fence, 0U);
  EXPECT_FALSE(route.backlogged);
}

TEST_F(FlowRoutesTest, TheNormalWayHasTheLanesOwnFenceAndTheNodesBacklog) {
  ModeState state;
  state.fences = {{kLane, 3}, {kOther, 9}};
  state.backlogged = true;
  state.wait = Millis{42'000};
  publish(state);
  const auto route = routes_.route(kLane);
  EXPECT_EQ(route.inventory, &inventory_);
  EXPECT_EQ(route.queue, &queue_);
  EXPECT_EQ(route.fence, 3U);
  EXPECT_TRUE(route.backlogged);
  EXPECT_EQ(route.wait, Millis{42'000});
}

TEST_F(FlowRoutesTest, ALaneThatTheStoreSellsGoesToTheStoreWhateverTheLogsBacklog) {
  ModeState state;
  state.store_lanes = {kLane};
  state.fences = {{kLane, 4}, {kOther, 9}};
  state.backlogged = true;
  state.wait = Millis{42'000};
  publish(state);
  const auto route = routes_.route(kLane);
  EXPECT_EQ(route.inventory, &store_inventory_);
  EXPECT_EQ(route.queue, &direct_);
  EXPECT_EQ(route.fence, 0U) << "the store is never behind its own fence";
  EXPECT_FALSE(route.backlogged);
  EXPECT_EQ(route.wait, Millis{0});
  EXPECT_EQ(routes_.route(kOther).inventory, &inventory_) << "that lane alone";

  publish({});
  EXPECT_EQ(routes_.route(kLane).inventory, &inventory_) << "and back again";
  EXPECT_EQ(routes_.route(kLane).queue, &queue_);
}

}  // namespace
}  // namespace sluice
