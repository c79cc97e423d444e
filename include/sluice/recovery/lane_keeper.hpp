#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>

#include "sluice/base/metrics.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

struct RecoverySettings {
  Millis tick{1000};               ///< Between two rounds over the sales.
  Millis call_timeout{2000};       ///< For one call to a port.
  Millis lease{5000};              ///< How long a leader stays one without a sign of life.
  Millis overdue_age{5000};        ///< A reservation undecided for longer is decided directly.
  Millis overdue_age_max{60000};   ///< However far behind the log is, decided after this.
  std::size_t overdue_max = 1000;  ///< Reservations decided in one step; 1 … 4,096.
  std::size_t sales_max = 1000;    ///< Sales that a node looks after, the newest.
};

/// Where the orders travel, if they travel at all: what is younger than its applied-through time
/// may still be on its way.
struct OrderLog {
  std::string topic;
  std::int32_t partitions = 0;
};

/// Keeps lanes sellable: ready under the store's epoch, with the sale's window, and with no
/// reservation left undecided. Every step may be repeated and may run on several nodes: the store's
/// row decides.
class LaneKeeper {
 public:
  struct Ports {
    Inventory& inventory;
    OrderStore& store;
    ResultFeed& results;
    Clock& clock;
    Metrics& metrics;
  };

  LaneKeeper(RecoverySettings settings, std::optional<OrderLog> log, Ports ports);

  /// Makes the lane enforce `window`. A lane without a valid projection is rebuilt if
  /// `may_rebuild`, else the result is `Errc::not_ready`. One that was lost is rebuilt only when
  /// the log is applied through the time when the loss was seen, or after `overdue_age_max`: the
  /// fence refuses what comes later, and those orders were promised to somebody.
  Task<LaneView> keep(LaneId lane, LaneWindow window, bool may_rebuild);

  /// Decides reservations that nobody decided in time; how many. Call it again while it returns
  /// `overdue_max`.
  Task<std::size_t> decide_overdue(LaneId lane);

 private:
  Task<> rebuild(LaneId lane);
  Task<> pass_loss(LaneId lane);
  Task<std::size_t> decide(LaneId lane, Millis age, std::size_t max);
  Task<Millis> overdue_age();
  Ticks deadline() const { return ports_.clock.ticks() + settings_.call_timeout; }

  RecoverySettings settings_;
  std::optional<OrderLog> log_;
  Ports ports_;
  std::unordered_map<LaneId, TimePoint> lost_since_;
  Counter& rebuilds_;
  Counter& recovered_;
};

}  // namespace sluice
