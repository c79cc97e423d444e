#include "app/routing.hpp"

#include "sluice/orders/failover_queue.hpp"

namespace sluice {

Routing::Routing(HttpPorts& ports, Guards& guards, Clock& clock) {
  if (ports.direct) {
    failover_ = create_failover_queue(*ports.queue, *ports.direct, guards.queue, clock);
  }
  auto& queue = failover_ ? *failover_ : *ports.queue;
  auto& inventory = ports.direct ? *ports.store_inventory : *ports.inventory;
  auto& direct = ports.direct ? *ports.direct : *ports.queue;
  const LaneRouter::Adapters adapters{*ports.inventory, queue, inventory, direct};
  router_ = std::make_unique<LaneRouter>(guards.flow, adapters);
}

}  // namespace sluice
