#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>

#include "sluice/catalog/sale_book.hpp"
#include "sluice/operations/operations.hpp"
#include "sluice/orders/order_transitions.hpp"

namespace sluice {

/// What a shop says of its buyers' orders: paid, or cancelled. It belongs to one executor, whose
/// ports are its own, so that payments wait neither for housekeeping nor for a purchase.
class Shop {
 public:
  virtual ~Shop() = default;

  /// Pays or cancels an order; the order as it is then, also when it was so before. What is asked
  /// within 5 ms goes to the store in one transaction, the first at once. `unknown_order` when no
  /// row has that order of that user in that sale, `order_final` when what it is, or the sale's
  /// terms, do not allow it, `outcome_unknown` when it may have been done, `busy` with thousands
  /// waiting.
  virtual boost::asio::awaitable<Operated<Order>> move(SaleId sale, OrderId order, UserId user,
                                                       Move move) = 0;
};

struct ShopPorts {
  const SaleBook& book;
  SaleStore& sales;  ///< For sales that the book does not have.
  OrderTransitions& moves;
  std::function<void()> returned;  ///< Units of a cancelled order wait for the relay.
  Clock& clock;
};

/// `timeout`: of one call to the store.
std::unique_ptr<Shop> create_shop(boost::asio::any_io_executor executor, Millis timeout,
                                  ShopPorts ports);

}  // namespace sluice
