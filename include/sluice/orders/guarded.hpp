#pragma once

#include <memory>

#include "sluice/base/time.hpp"
#include "sluice/dependency/breaker.hpp"
#include "sluice/dependency/call_meter.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_queue.hpp"

namespace sluice {

// Guarded ports make a call only with the breaker's permit, and answer `Errc::unavailable` at once
// without it: nothing was done. They report every call's success and latency. Failures are
// `unavailable`, `unknown`, `overloaded` and `internal`; every other error is an answer of a
// working service. What is referred to outlives them; each belongs to one executor, as `inner`
// does, while a breaker or meter may be shared by all threads.

/// `winners`, `overdue` and `rebuild` move much data: however long they take, they are not slow.
std::unique_ptr<Inventory> create_guarded_inventory(Inventory& inner, Breaker& breaker,
                                                    Clock& clock);

/// A publish of which every receipt is `unknown` is a failure. The meter counts publishes, and of
/// each the messages that were queued or decided. `breaker` and `meter` may be null.
std::unique_ptr<OrderQueue> create_guarded_queue(OrderQueue& inner, Breaker* breaker,
                                                 CallMeter* meter, Clock& clock);

}  // namespace sluice
