#pragma once

#include "sluice/orders/order_desk.hpp"
#include "sluice/orders/purchase.hpp"

namespace sluice {

/// Buys; an earlier order that may have moved on since the projection heard of it is answered as
/// the store knows it, so that nobody who was told of a decision is told less. Refused with
/// `outcome_unknown` while nothing that outlives this process may know the order. `sale` outlives
/// the call.
boost::asio::awaitable<PurchaseAnswer> buy(PurchaseDesk& purchases, OrderDesk& orders,
                                           const Sale& sale, UserId user, std::uint32_t quantity);

}  // namespace sluice
