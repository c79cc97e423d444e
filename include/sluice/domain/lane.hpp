#pragma once

#include <cstdint>
#include <utility>

#include "sluice/domain/order.hpp"
#include "sluice/domain/sale.hpp"

namespace sluice {

/// Who grants the units of a lane.
enum class Authority : std::uint8_t {
  inventory,  ///< The fast projection.
  store,      ///< The store itself, while there is no inventory: the database mode.
};

/// What decides for a lane, as its row in the store says.
struct LaneHead {
  Epoch fence = 0;     ///< The lowest epoch that the store accepts; 0: never opened.
  Epoch newest = 0;    ///< The last epoch allotted: above `fence` while a fence is on its way.
  Epoch by_store = 0;  ///< The last epoch allotted to the store itself.
  Epoch suspect = 0;   ///< The last epoch whose projection was found to be wrong, or refused.

  Authority authority() const {
    return fence > 0 && by_store == fence ? Authority::store : Authority::inventory;
  }
  bool suspected() const { return fence > 0 && suspect >= fence; }
  bool late = false;  ///< Late orders of its sale are undecided.

  bool operator==(const LaneHead&) const = default;
};

/// A user and the live order that they have.
using LiveOrder = std::pair<UserId, OrderView>;

/// A lane as the store knows it at one instant: with its live orders, which are read in pages,
/// enough to rebuild its projection. Whatever the store accepts later has at least this epoch.
struct LaneImage {
  LaneId lane;
  Epoch epoch = 0;
  LaneWindow window;
  std::int64_t stock = 0;
  std::int64_t sold = 0;  ///< Units that live orders hold, unless somebody changed rows by hand.
  std::uint32_t limit_per_order = 1;
};

}  // namespace sluice
