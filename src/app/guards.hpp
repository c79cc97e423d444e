#pragma once

#include <memory>

#include "sluice/dependency/breaker.hpp"
#include "sluice/dependency/call_meter.hpp"
#include "sluice/gate/rate_limiter.hpp"
#include "sluice/orders/lane_router.hpp"
#include "sluice/settings/settings.hpp"

namespace sluice {

/// What the threads of a node share to degrade together.
struct Guards {
  explicit Guards(const Settings& settings)
      : inventory(settings.degrade.inventory),
        look_ups(settings.degrade.inventory),
        queue(settings.degrade.queue),
        winners(settings.degrade.inventory),
        settling(patient(settings.degrade.inventory)),
        news(settings.degrade.inventory) {}

  /// Who settles waits for the inventory all the time: a trial comes as soon as it may be back.
  static BreakerSettings patient(BreakerSettings settings) {
    settings.open_max = settings.open_for;
    settings.trials = 1;
    return settings;
  }

  Breaker inventory;  ///< As purchases see it.
  Breaker look_ups;   ///< As look-ups see it.
  Breaker queue;
  Breaker winners;   ///< The inventory as the sold-out views see it, apart from purchases.
  Breaker settling;  ///< The inventory as fulfilment sees it.
  Breaker news;
  CallMeter direct;
  RateLimiter rate_limiter;
  ModeSnapshot flow{std::make_shared<ModeState>()};
};

}  // namespace sluice
