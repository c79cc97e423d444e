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
  /// The lane's fence when this node looked last, 0 when it does not know: an inventory that has
  /// the lane under an older epoch is not to be believed.
  Epoch fence = 0;
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
  OneRoute(Inventory& inventory, OrderQueue& queue) {
    route_.inventory = &inventory;
    route_.queue = &queue;
  }
  Route route(LaneId) override { return route_; }

 private:
  Route route_;
};

}  // namespace sluice
