#pragma once

#include <boost/asio/awaitable.hpp>
#include <vector>

#include "sluice/base/time.hpp"
#include "sluice/domain/order.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice {

/// Settles the reservations of orders that the store decided; `outcomes` has one element for each
/// of `messages`. An error when some lane could not be reached: doing it again changes nothing
/// where it was done.
Task<> settle(Inventory& inventory, Ticks deadline, const std::vector<OrderMessage>& messages,
              const std::vector<Outcome>& outcomes);

/// Makes outcomes of the store known: settles the reservations and announces the results. What
/// fails here is logged and left: a later recovery finds the same outcomes and settles again.
/// `outcomes` has one element for each of `messages`.
boost::asio::awaitable<void> settle_and_announce(Inventory& inventory, ResultFeed& results,
                                                 Ticks deadline,
                                                 const std::vector<OrderMessage>& messages,
                                                 const std::vector<Outcome>& outcomes);

/// Announces outcomes to those who wait. What fails is logged: a waiter looks for itself, too.
boost::asio::awaitable<void> announce(ResultFeed& results, Ticks deadline,
                                      const std::vector<Outcome>& outcomes);

}  // namespace sluice
