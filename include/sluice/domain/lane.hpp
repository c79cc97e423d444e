#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "sluice/domain/order.hpp"
#include "sluice/domain/sale.hpp"

namespace sluice {

/// A lane as the store knows it at one instant, enough to rebuild its projection. Whatever the
/// store accepts later has at least this epoch.
struct LaneImage {
  LaneId lane;
  Epoch epoch = 0;
  LaneWindow window;
  std::int64_t stock = 0;
  std::uint32_t limit_per_order = 1;
  std::vector<std::pair<UserId, OrderView>> winners;  ///< Users with a live order.
};

}  // namespace sluice
