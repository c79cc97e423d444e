#pragma once

#include "sluice/orders/order_service.hpp"
#include "sluice/orders/purchase_service.hpp"

namespace sluice {

/// Buys; an earlier order that may have moved on since the projection heard of it is answered as
/// the store knows it, so that nobody who was told of a decision is told less. Refused with
/// `outcome_unknown` while nothing that outlives this process may know the order. `sale` outlives
/// the call.
boost::asio::awaitable<PurchaseAnswer> buy(PurchaseService& purchases, OrderService& orders,
                                           const Sale& sale, UserId user, std::uint32_t quantity);

}  // namespace sluice
