#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <vector>

#include "sluice/base/metrics.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/recovery/lane_reconciler.hpp"
#include "sluice/recovery/settings.hpp"

namespace sluice {

/// Expires orders that nobody paid in time, and hands units that returned in the store to the
/// inventory: the relay of the outbox. For the leader; two at once do no harm.
class ReturnReconciler {
 public:
  struct Ports {
    OrderTransitions& moves;
    LaneReconciler& lanes;
    Inventory& inventory;
    ResultFeed& results;
    Clock& clock;
    Metrics& metrics;
  };

  ReturnReconciler(RecoverySettings settings, Ports ports);

  /// Expires orders that are due, at most `settings.overdue_max` (and 1,024); how many. Call it
  /// again until it returns 0.
  Task<std::size_t> expire();

  /// Hands returned units to the inventory, lane by lane, and then forgets them; for at most about
  /// one `settings.tick`. Answers the lanes for which that was not possible now: theirs stay in the
  /// outbox. What fails in one lane is logged and does not stop the others.
  Task<std::vector<LaneId>> relay(bool inventory_up);

 private:
  enum class Handed : std::uint8_t { all, some };

  Task<Handed> relay_lane(LaneId lane, bool inventory_up, Ticks enough);
  Task<> hand_over(LaneId lane, LaneHead head, const std::vector<Settlement>& rows);
  Ticks deadline() const { return ports_.clock.ticks() + settings_.call_timeout; }

  RecoverySettings settings_;
  Ports ports_;
  std::size_t step_max_;
  LaneId last_;                         ///< The lane that was looked at last.
  std::unordered_set<LaneId> failing_;  ///< In the last round; each is logged once.
  Counter& expired_;
  Counter& relayed_;
  Gauge& waiting_lanes_;
};

}  // namespace sluice
