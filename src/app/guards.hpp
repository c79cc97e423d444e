#pragma once

#include <memory>

#include "sluice/app/settings.hpp"
#include "sluice/dependency/breaker.hpp"
#include "sluice/dependency/call_meter.hpp"
#include "sluice/gate/rate_limiter.hpp"
#include "sluice/orders/operating_mode.hpp"

namespace sluice {

/// What the threads of a node share to degrade together.
struct Guards {
  explicit Guards(const Settings& settings)
      : inventory(settings.degrade.inventory),
        queue(settings.degrade.queue),
        settling(settings.degrade.inventory),
        news(settings.degrade.inventory) {}

  Breaker inventory;  ///< As HTTP threads see it.
  Breaker queue;
  Breaker settling;  ///< The inventory as fulfilment sees it.
  Breaker news;
  CallMeter direct;
  RateLimiter rate_limiter;
  ModeSnapshot flow{std::make_shared<ModeState>()};
};

}  // namespace sluice
