#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sluice/base/metrics.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/recovery/lane_reconciler.hpp"

namespace sluice {

/// One lane, in the store and in the inventory.
struct LaneAudit {
  LaneFigures figures;
  LaneStage stage = LaneStage::ready;
  std::optional<LaneView> inventory;  ///< Empty when it does not answer or has no part in the lane.
  /// Units that the inventory has too many (positive) or too few: 0 while its units lie between the
  /// store's stock less what is held or returning, and that stock. Empty when the inventory changed
  /// during the look.
  std::optional<std::int64_t> drift;

  /// How far the node that was asked has copied the lane's image; empty when it copies none.
  std::optional<CopyProgress> copy;

  bool holds() const { return figures.conserved() && drift.value_or(0) == 0; }
};

struct SaleAudit {
  SaleId sale = 0;
  std::vector<LaneAudit> lanes;

  bool holds() const { return std::ranges::all_of(lanes, &LaneAudit::holds); }
};

/// Checks the law of conservation: every unit is left or sold once, and the inventory neither
/// grants units that the store does not have nor keeps back units that it has.
class Auditor {
 public:
  struct Ports {
    Inventory& inventory;
    OrderStore& store;
    Clock& clock;
    Metrics& metrics;
  };

  /// Whether a sale needs another look soon.
  enum class Look : std::uint8_t { enough, again };

  /// `store_timeout`: for reading a sale's rows, which takes long in a large one.
  Auditor(Millis call_timeout, Millis store_timeout, Ports ports);

  /// Looks at the lanes of a sale.
  Task<SaleAudit> audit(SaleId sale, std::uint32_t lanes, bool inventory_up);

  /// Audits, and acts on what it finds: a violation is logged with its figures and counted; a lane
  /// that drifts in two looks in a row is made suspect, which asks for its rebuild.
  /// `again` when a lane drifted for the first time: another look soon tells whether it does.
  Task<Look> check(SaleId sale, std::uint32_t lanes, bool inventory_up);

  /// How long the store took for the last audit.
  Ticks::duration store_time() const { return store_time_; }

  /// What was found of sales of which `gone(sale)` says so counts no more.
  template <class Gone>
  void forget_if(Gone gone) {
    std::erase_if(drifts_, [&](const auto& lane) { return gone(lane.first.sale); });
    std::erase_if(unconserved_, [&](LaneId lane) { return gone(lane.sale); });
    show();
  }

 private:
  boost::asio::awaitable<std::vector<std::optional<LaneView>>> views(SaleId sale,
                                                                     std::uint32_t lanes);
  Task<Look> judge(const LaneAudit& lane);
  void show();
  Ticks deadline() const { return ports_.clock.ticks() + call_timeout_; }

  Millis call_timeout_;
  Millis store_timeout_;
  Ticks::duration store_time_{};
  Ports ports_;
  std::unordered_map<LaneId, std::int64_t> drifts_;  ///< Of the last look, where it was not 0.
  std::unordered_set<LaneId> unconserved_;
  Gauge& drift_units_;
  Gauge& unconserved_lanes_;
  Counter& audits_;
};

}  // namespace sluice
