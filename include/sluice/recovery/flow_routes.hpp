#pragma once

#include "sluice/orders/route.hpp"
#include "sluice/recovery/operating_mode.hpp"

namespace sluice {

/// Normal, bypass and database mode: the route of a lane as the node's flow says.
class FlowRoutes final : public Routes {
 public:
  struct Ports {
    Inventory& inventory;
    OrderQueue& queue;  ///< The log, or around it.
    Inventory& store_inventory;
    OrderQueue& direct;
  };

  FlowRoutes(const ModeSnapshot& flow, Ports ports) : flow_(flow), ports_(ports) {}

  Route route(LaneId lane) override {
    const auto& flow = flow_.get();
    Route route;
    if (flow.store_lanes.contains(lane)) {
      route.inventory = &ports_.store_inventory;
      route.queue = &ports_.direct;
      return route;
    }
    route.inventory = &ports_.inventory;
    route.queue = &ports_.queue;
    route.backlogged = flow.backlogged;
    route.wait = flow.wait;
    const auto fence = flow.fences.find(lane);
    if (fence != flow.fences.end()) route.fence = fence->second;
    return route;
  }

 private:
  ModeSnapshot::Reader flow_;
  Ports ports_;
};

}  // namespace sluice
