#include "app/routes.hpp"

#include "sluice/orders/failover_queue.hpp"
#include "sluice/orders/guarded.hpp"
#include "sluice/recovery/flow_routes.hpp"

namespace sluice {
namespace {

/// Normal, bypass and database mode, each port behind its guard.
class GuardedRoutes final : public Routes {
 public:
  GuardedRoutes(HttpPorts& ports, Guards& guards, Clock& clock)
      : inventory_(create_guarded_inventory(*ports.inventory, guards.inventory, clock)),
        direct_(create_guarded_queue(*ports.direct, nullptr, &guards.direct, clock)),
        failover_(create_failover_queue(*ports.queue, *direct_, guards.queue, clock)),
        routes_(guards.flow, {*inventory_, *failover_, *ports.store_inventory, *direct_}) {}

  Route route(LaneId lane) override { return routes_.route(lane); }

 private:
  std::unique_ptr<Inventory> inventory_;
  std::unique_ptr<OrderQueue> direct_;
  std::unique_ptr<OrderQueue> failover_;
  FlowRoutes routes_;
};

}  // namespace

std::unique_ptr<Routes> create_http_routes(HttpPorts& ports, Guards& guards, Clock& clock) {
  if (!ports.direct) return std::make_unique<OneRoute>(*ports.inventory, *ports.queue);
  return std::make_unique<GuardedRoutes>(ports, guards, clock);
}

}  // namespace sluice
