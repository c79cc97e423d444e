#pragma once

#include <memory>

#include "sluice/base/time.hpp"
#include "sluice/orders/lane_router.hpp"

#include "app/backend.hpp"
#include "app/guards.hpp"

namespace sluice {

/// The router of one HTTP thread, with what it needs beside the thread's ports, which outlive it as
/// `guards` do.
class Routing {
 public:
  Routing(HttpPorts& ports, Guards& guards, Clock& clock);

  LaneRouter& router() { return *router_; }

 private:
  std::unique_ptr<OrderQueue> failover_;  ///< Null on a node with one mode.
  std::unique_ptr<LaneRouter> router_;
};

}  // namespace sluice
