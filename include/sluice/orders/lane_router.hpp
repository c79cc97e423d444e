#pragma once

#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/operating_mode.hpp"
#include "sluice/orders/order_queue.hpp"

namespace sluice {

/// What sells a lane now, and what a caller must know of it.
struct LaneServices {
  Inventory& inventory;
  OrderQueue& queue;
  /// The lane's fence when this node looked last, 0 when it does not know: an inventory that has
  /// the lane under an older epoch is not to be believed.
  Epoch fence = 0;
  /// Orders wait so long behind the queue's lag that buyers are told.
  bool backlogged = false;
  /// The estimated wait from the queue's acknowledgement to the decision.
  Millis wait{0};
};

/// Adapters, fence and health of every lane in one place, the operating mode included. It belongs
/// to one executor; what it refers to outlives it. One shard: mode and health are those of the
/// node.
class LaneRouter {
 public:
  struct Adapters {
    Inventory& inventory;
    OrderQueue& queue;  ///< The log; or around it while it is away (see `create_failover_queue`).
    Inventory& store_inventory;  ///< The database mode.
    OrderQueue& direct;
  };

  LaneRouter(const ModeSnapshot& mode, Adapters adapters) : mode_(mode), adapters_(adapters) {}

  /// What sells the lane from now on. A caller keeps it for one purchase or look-up at most.
  LaneServices at(LaneId lane);

 private:
  ModeSnapshot::Reader mode_;
  Adapters adapters_;
};

}  // namespace sluice
