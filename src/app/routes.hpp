#pragma once

#include <memory>

#include "sluice/base/time.hpp"
#include "sluice/dependency/breaker.hpp"
#include "sluice/dependency/call_meter.hpp"
#include "sluice/gate/rate_limiter.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/lane_router.hpp"
#include "sluice/orders/operating_mode.hpp"

#include "app/backend.hpp"

namespace sluice {

/// What the threads of a node share to degrade together.
struct Guards {
  explicit Guards(const Settings& settings)
      : inventory(settings.degrade.inventory),
        queue(settings.degrade.queue),
        settling(settings.degrade.inventory),
        news(settings.degrade.inventory) {}

  Breaker inventory;
  Breaker queue;
  Breaker settling;  ///< The inventory as fulfilment sees it.
  Breaker news;
  CallMeter direct;
  RateLimiter rate_limiter;
  ModeSnapshot flow{std::make_shared<ModeState>()};
};

/// The router of one HTTP thread, with the adapters that it needs beside the thread's ports.
class Routing {
 public:
  virtual ~Routing() = default;
  virtual LaneRouter& router() = 0;
};

/// `ports` and `guards` outlive it.
std::unique_ptr<Routing> create_routing(HttpPorts& ports, Guards& guards, Clock& clock);

}  // namespace sluice
