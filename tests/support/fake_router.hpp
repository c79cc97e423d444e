#pragma once

#include <memory>

#include "sluice/orders/lane_router.hpp"

namespace sluice::test {

/// A router whose mode a test changes: `mode`, then `publish`. In database mode lanes go to the
/// other pair of adapters, where there is one.
struct FakeRouter {
  FakeRouter(Inventory& inventory, OrderQueue& queue)
      : FakeRouter(inventory, queue, inventory, queue) {}
  FakeRouter(Inventory& inventory, OrderQueue& queue, Inventory& other, OrderQueue& other_queue)
      : router(snapshot, {inventory, queue, other, other_queue}) {}

  void publish() { snapshot.publish(std::make_shared<ModeState>(mode)); }

  operator LaneRouter&() { return router; }

  ModeState mode;
  ModeSnapshot snapshot{std::make_shared<ModeState>()};
  LaneRouter router;
};

}  // namespace sluice::test
