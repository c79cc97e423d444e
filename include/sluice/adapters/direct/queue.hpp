#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "sluice/base/time.hpp"
#include "sluice/dependency/call_meter.hpp"
#include "sluice/orders/order_queue.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

/// A queue without a log: `publish` applies to `store` at once and answers `decided`.
///
/// `store` lives on `store_executor`, an io_context of one thread that it may block. Any thread may
/// publish, from a coroutine on an executor of its own; what is published while the store is at
/// work is applied together, in one transaction of up to 4,096 messages, in order of arrival. A
/// store that answers `unknown` is asked again with the same messages until it knows or their
/// deadlines passed.
///
/// Answers: every message `decided`, or every message `unknown`, or an error: `Errc::overloaded`
/// (more than 1,024 messages, or 65,536 wait already), `Errc::unavailable` (the store said so
/// before any doubt, or the deadline passed before the work began), or another error of the store.
/// `fence` raises it in the store at once and answers what the store did; it is not repeated.
/// `clock` must let `sleep_until` be cancelled. `meter`, which may be shared and null, counts
/// publishes, and of each the orders that were decided.
///
/// To end: let all publishes return (each does by its deadline), then stop and join the store's
/// thread, then destroy the queue, then the store and the io_context of `store_executor`.
std::unique_ptr<OrderQueue> create_direct_queue(boost::asio::any_io_executor store_executor,
                                                OrderStore& store,
                                                std::shared_ptr<Clock> clock = system_clock(),
                                                CallMeter* meter = nullptr);

}  // namespace sluice
