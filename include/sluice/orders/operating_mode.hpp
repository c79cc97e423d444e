#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "sluice/base/snapshot.hpp"
#include "sluice/base/text.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"

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
  bool backlogged = false;                   ///< Buyers are told that they wait.
  Millis wait{0};                            ///< Estimated, from acknowledgement to decision.
  std::int64_t behind = 0;                   ///< Messages in the log and not applied.
  std::optional<double> admitted_per_s;      ///< The rate to which this node is throttled.
};

/// How a node sells, for an operator.
struct ModeReport {
  OperatingMode mode = OperatingMode::normal;
  ModeState state;
  bool leads = false;
};

using ModeSnapshot = Snapshot<ModeState>;

}  // namespace sluice
