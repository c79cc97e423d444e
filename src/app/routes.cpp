#include "app/routes.hpp"

#include "sluice/orders/failover_queue.hpp"
#include "sluice/orders/guarded.hpp"

namespace sluice {
namespace {

/// One mode for ever: the embedded form.
class PlainRoutes final : public HttpRoutes {
 public:
  explicit PlainRoutes(HttpPorts& ports) : ports_(ports) {}
  Route route(LaneId) override { return {ports_.inventory.get(), ports_.queue.get(), false, {}}; }
  Inventory& inventory() override { return *ports_.inventory; }

 private:
  HttpPorts& ports_;
};

/// Normal, bypass and database mode.
class FlowRoutes final : public HttpRoutes {
 public:
  FlowRoutes(HttpPorts& ports, Guards& guards, Clock& clock)
      : store_inventory_(*ports.store_inventory),
        flow_(guards.flow),
        inventory_(create_guarded_inventory(*ports.inventory, guards.inventory, clock)),
        direct_(create_guarded_queue(*ports.direct, nullptr, &guards.direct, clock)),
        failover_(create_failover_queue(*ports.queue, *direct_, guards.queue, clock)) {}

  Route route(LaneId lane) override {
    const auto& flow = flow_.get();
    if (flow.store_lanes.contains(lane)) return {&store_inventory_, direct_.get(), false, {}};
    return {inventory_.get(), failover_.get(), flow.backlogged, flow.wait};
  }

  Inventory& inventory() override { return *inventory_; }

 private:
  Inventory& store_inventory_;
  Flow::Reader flow_;
  std::unique_ptr<Inventory> inventory_;
  std::unique_ptr<OrderQueue> direct_;
  std::unique_ptr<OrderQueue> failover_;
};

}  // namespace

std::unique_ptr<HttpRoutes> create_http_routes(HttpPorts& ports, Guards& guards, Clock& clock) {
  if (!ports.direct) return std::make_unique<PlainRoutes>(ports);
  return std::make_unique<FlowRoutes>(ports, guards, clock);
}

}  // namespace sluice
