#pragma once

#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_queue.hpp"

namespace sluice {

/// The pair of adapters that sells a lane now: a mode is nothing else.
struct Route {
  Inventory* inventory = nullptr;
  OrderQueue* queue = nullptr;
  /// Orders wait so long behind the queue's backlog that buyers are told.
  bool backlogged = false;
  /// The estimated wait from the queue's acknowledgement to the decision.
  Millis wait{0};
};

/// Chooses the route of each batch. It belongs to one executor; what it points to outlives it.
class Routes {
 public:
  virtual ~Routes() = default;
  virtual Route route(LaneId lane) = 0;
};

/// Always the same route: a node with one mode.
class OneRoute final : public Routes {
 public:
  OneRoute(Inventory& inventory, OrderQueue& queue) : route_{&inventory, &queue} {}
  Route route(LaneId) override { return route_; }

 private:
  Route route_;
};

}  // namespace sluice
