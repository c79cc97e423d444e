#pragma once

#include <memory>

#include "sluice/dependency/call_meter.hpp"
#include "sluice/orders/order_queue.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice::simulation {

/// The queue of the degraded modes: applies to the store at once, and asks again while it does not
/// know. `store` and `clock` are of the caller's thread; `meter` counts publishes.
std::unique_ptr<OrderQueue> create_direct(OrderStore& store, Clock& clock, CallMeter& meter);

}  // namespace sluice::simulation
