#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "sluice/base/snapshot.hpp"
#include "sluice/base/text.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_queue.hpp"

namespace sluice {

/// How purchases flow: which pair of adapters sells.
enum class OperatingMode : std::uint8_t {
  normal,    ///< Inventory and log.
  bypass,    ///< The inventory, and the store directly: the log is away.
  database,  ///< The store alone: the inventory is away.
};

template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<OperatingMode> = {"normal", "bypass",
                                                                              "database"};

/// What one node's control thread says about the way behind the gate. Replaced whole.
struct ModeState {
  std::optional<OperatingMode> held;         ///< By an operator, on all nodes.
  std::unordered_set<LaneId> store_lanes;    ///< Lanes that the store sells.
  std::unordered_map<LaneId, Epoch> fences;  ///< Of every lane, as of the last look.
  bool isolated = false;                     ///< The store is away for this node alone.
  bool backlogged = false;                   ///< Buyers are told that they wait.
  Millis wait{0};                            ///< Estimated, from acknowledgement to decision.
  std::int64_t behind = 0;                   ///< Messages in the log and not applied.
  std::optional<double> admitted_per_s;      ///< The rate to which this node is throttled.
};

using ModeSnapshot = Snapshot<ModeState>;

/// How a node sells, for an operator.
struct ModeReport {
  OperatingMode mode = OperatingMode::normal;
  ModeState state;
  bool leads = false;
};

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

/// The epoch under which the inventory of `services` sells the lane; `Errc::not_ready` when it does
/// not, or shows the lane as it was before its rebuild; else `Errc::unavailable`: looking reserves
/// nothing.
Task<Epoch> find_epoch(LaneServices services, LaneId lane, Ticks deadline);

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
