#include "sluice/orders/lane_router.hpp"

namespace sluice {

LaneServices LaneRouter::at(LaneId lane) {
  const auto& mode = mode_.get();
  if (mode.store_lanes.contains(lane)) {
    return {adapters_.store_inventory, adapters_.direct, 0, false, Millis{0}};
  }
  const auto known = mode.fences.find(lane);
  const Epoch fence = known == mode.fences.end() ? 0 : known->second;
  return {adapters_.inventory, adapters_.queue, fence, mode.backlogged, mode.wait};
}

}  // namespace sluice
