#include "sluice/orders/lane_router.hpp"

#include "sluice/base/mutation.hpp"

namespace sluice {
Task<Epoch> find_epoch(LaneServices services, LaneId lane, Ticks deadline) {
  const Call any_epoch{lane, 0, deadline};
  const auto view = co_await services.inventory.view(any_epoch);
  if (!view) co_return Errc::unavailable;
  const bool behind = view->epoch < services.fence && !mutant("purchase.behind_the_fence");
  if (!view->ready || behind) co_return Errc::not_ready;
  co_return view->epoch;
}

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
