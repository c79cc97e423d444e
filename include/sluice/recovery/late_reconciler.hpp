#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/metrics.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/late_orders.hpp"
#include "sluice/orders/order_queue.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/recovery/lane_reconciler.hpp"
#include "sluice/recovery/settings.hpp"

namespace sluice {

/// Decides late orders: their units were granted by a projection that was lost or given up, so the
/// lane's present one is asked for them again, under the same id. Where it has none, or the user
/// has another order, the late one is refused; one of which nobody has seen more than its id is
/// refused once no message of it can come any more. For the leader; two at once do no harm.
class LateReconciler {
 public:
  struct Ports {
    LateOrders& late;
    LaneReconciler& lanes;
    Inventory& inventory;
    OrderQueue& queue;
    ResultFeed& results;
    Clock& clock;
    Metrics& metrics;
  };

  /// What of the services counts now.
  struct Duty {
    Term leader = 0;
    bool inventory_up = false;
    /// The log time through which the log is applied; empty when not known.
    std::optional<TimePoint> through{};
  };

  LateReconciler(RecoverySettings settings, Ports ports);

  /// Looks at the next late orders, at most `settings.overdue_max`, and decides those that can be
  /// decided now. How many the next round should look at soon: units are still to be asked for.
  Task<std::size_t> decide(Duty duty);

 private:
  using Orders = std::vector<LateOrder>;

  bool given_up(const LateOrder& order, const Duty& duty) const;
  Task<> decide_lane(LaneId lane, const Orders& orders, const Duty& duty);
  Task<> adopt(LaneId lane, Epoch epoch, const Orders& orders, const Duty& duty);
  Task<> apply(const std::vector<OrderMessage>& messages);
  Task<> refuse(const std::vector<LateRefusal>& refusals, const Duty& duty);
  Ticks deadline() const { return ports_.clock.ticks() + settings_.call_timeout; }

  RecoverySettings settings_;
  Ports ports_;
  std::int64_t place_ = 0;  ///< Of the last one that was looked at.
  Gauge& waiting_;
  Counter& adopted_;
  Counter& refused_;
};

}  // namespace sluice
