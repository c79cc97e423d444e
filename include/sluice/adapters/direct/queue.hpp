#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "sluice/base/time.hpp"
#include "sluice/dependency/call_meter.hpp"
#include "sluice/orders/order_queue.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

struct DirectQueueSettings {
  /// Whether what is published while the store works is applied together, in one transaction. Not
  /// where the store joins what waits for it by itself.
  bool joins = true;
};

/// A queue without a log: `publish` applies to `store` at once and answers `decided`.
///
/// It and `store` belong to `executor`. A queue that joins asks for one transaction at a time, of
/// up to 4,096 messages, in order of arrival. A store that answers `unknown` is asked again with
/// the same messages until it knows or their deadlines passed.
///
/// Answers: every message `decided`, or every message `unknown`, or an error: `Errc::overloaded`
/// (more than 1,024 messages, or 65,536 wait already), `Errc::unavailable` (the store said so
/// before any doubt, or the deadline passed before the work began), or another error of the store.
/// Publishes that are joined give the store the same time: none waits for a more patient one.
/// `fence` raises it in the store at once and answers what the store did; it is not repeated.
/// `meter`, which may be shared and null, counts publishes, and of each the orders that were
/// decided.
std::unique_ptr<OrderQueue> create_direct_queue(boost::asio::any_io_executor executor,
                                                OrderStore& store,
                                                std::shared_ptr<Clock> clock = system_clock(),
                                                DirectQueueSettings settings = {},
                                                CallMeter* meter = nullptr);

}  // namespace sluice
