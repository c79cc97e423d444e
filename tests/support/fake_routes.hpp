#pragma once

#include "sluice/orders/route.hpp"

namespace sluice::test {

/// One route, which a test may change between two batches.
struct FakeRoutes final : Routes {
  FakeRoutes(Inventory& inventory, OrderQueue& queue) {
    now.inventory = &inventory;
    now.queue = &queue;
  }
  Route route(LaneId) override { return now; }
  Route now;
};

}  // namespace sluice::test
