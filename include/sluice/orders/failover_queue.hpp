#pragma once

#include <memory>

#include "sluice/base/time.hpp"
#include "sluice/dependency/breaker.hpp"
#include "sluice/orders/order_queue.hpp"

namespace sluice {

/// The log, else the store directly: the bypass mode. `breaker` is the one of the dependency by
/// which `log` publishes; while it is not closed the queue counts as deciding, so a message whose
/// outcome is open is then not promised. Fences belong into the log alone. What is referred to
/// outlives it; it belongs to one executor.
std::unique_ptr<OrderQueue> create_failover_queue(OrderQueue& log, OrderQueue& direct,
                                                  Breaker& breaker, Clock& clock);

}  // namespace sluice
