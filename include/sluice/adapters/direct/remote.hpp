#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_store.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/recovery/control_store.hpp"

namespace sluice {

/// Stores for threads other than the one on which `inner` lives. Every call is made on `executor`
/// with copies of its arguments; the answer comes back to the caller's executor. Thread-safe. A
/// call that `inner` has not answered by its deadline is answered then: `Errc::unavailable` if it
/// had not begun (it never will), else `Errc::unknown`. `clock` must let `sleep_until` be
/// cancelled.
///
/// To end: let all calls return, then stop and join the thread of `executor`, then destroy these,
/// then `inner` and the io_context of `executor`.
std::unique_ptr<OrderStore> create_remote_order_store(
    boost::asio::any_io_executor executor, OrderStore& inner,
    std::shared_ptr<Clock> clock = system_clock());

std::unique_ptr<OrderTransitions> create_remote_order_transitions(
    boost::asio::any_io_executor executor, OrderTransitions& inner,
    std::shared_ptr<Clock> clock = system_clock());

std::unique_ptr<SaleStore> create_remote_sale_store(boost::asio::any_io_executor executor,
                                                    SaleStore& inner,
                                                    std::shared_ptr<Clock> clock = system_clock());

std::unique_ptr<ControlStore> create_remote_control_store(
    boost::asio::any_io_executor executor, ControlStore& inner,
    std::shared_ptr<Clock> clock = system_clock());

}  // namespace sluice
