#include "app/routes.hpp"

#include "sluice/orders/failover_queue.hpp"
#include "sluice/orders/guarded.hpp"

namespace sluice {
namespace {

/// Every lane by the same two adapters: a node with one mode.
class OneWay final : public Routing {
 public:
  OneWay(HttpPorts& ports, Guards& guards)
      : router_(guards.flow, {*ports.inventory, *ports.queue, *ports.inventory, *ports.queue}) {}

  LaneRouter& router() override { return router_; }

 private:
  LaneRouter router_;
};

/// Normal, bypass and database mode, each port behind its guard.
class ThreeWays final : public Routing {
 public:
  ThreeWays(HttpPorts& ports, Guards& guards, Clock& clock)
      : inventory_(create_guarded_inventory(*ports.inventory, guards.inventory, clock)),
        direct_(create_guarded_queue(*ports.direct, nullptr, &guards.direct, clock)),
        failover_(create_failover_queue(*ports.queue, *direct_, guards.queue, clock)),
        router_(guards.flow, {*inventory_, *failover_, *ports.store_inventory, *direct_}) {}

  LaneRouter& router() override { return router_; }

 private:
  std::unique_ptr<Inventory> inventory_;
  std::unique_ptr<OrderQueue> direct_;
  std::unique_ptr<OrderQueue> failover_;
  LaneRouter router_;
};

}  // namespace

std::unique_ptr<Routing> create_routing(HttpPorts& ports, Guards& guards, Clock& clock) {
  if (!ports.direct) return std::make_unique<OneWay>(ports, guards);
  return std::make_unique<ThreeWays>(ports, guards, clock);
}

}  // namespace sluice
