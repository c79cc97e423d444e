#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>

#include "sluice/base/metrics.hpp"
#include "sluice/base/problem.hpp"
#include "sluice/base/random.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/order_id.hpp"
#include "sluice/domain/sale.hpp"
#include "sluice/gate/admission.hpp"
#include "sluice/orders/lane_router.hpp"
#include "sluice/orders/order_service.hpp"
#include "sluice/orders/publisher.hpp"
#include "sluice/orders/purchase_settings.hpp"
#include "sluice/orders/reserver.hpp"
#include "sluice/orders/sold_out_views.hpp"

namespace sluice {

/// The definite answer to one purchase.
struct PurchaseAnswer {
  enum class Kind : std::uint8_t {
    queued,     ///< Reserved; the order is decided soon. 202.
    confirmed,  ///< Decided at once. 201.
    existing,   ///< The user's earlier order. 200.
    refused,    ///< See `refusal`.
  };
  Kind kind = Kind::refused;
  OrderView order{};  ///< Unless refused.
  /// With `queued`: the queue has not acknowledged it yet, or works off a backlog.
  bool backlogged = false;
  Millis wait{0};  ///< With `queued`: the estimated time to the decision.
  Refusal refusal{};
};

/// Sells. One per HTTP thread; use it on that thread's executor only.
class PurchaseService {
 public:
  struct Ports {
    LaneRouter& router;
    OrderService& orders;
    SoldOutViews& sold_out;  ///< Of the node.
    /// Where purchases are limited before their lane is asked.
    TokenBuckets& sales;
    RateLimiter& rate_limiter;
    ConcurrencyLimit& concurrency;
    Clock& clock;
    Random& random;
    const OrderIdSeal& seal;
    Metrics& metrics;
  };

  PurchaseService(boost::asio::any_io_executor executor, PurchaseSettings settings, Ports ports);

  /// Buys `quantity` units (at least 1) of a sale for a user. A user who has an order gets that
  /// order, as it is now. `sale` outlives the call, and so does `request_id`: for logs, see
  /// `OrderMessage`.
  boost::asio::awaitable<PurchaseAnswer> buy(const Sale& sale, UserId user, std::uint32_t quantity,
                                             std::string_view request_id = {});

 private:
  /// Nobody keeps the lanes of a finished sale: the store knows all of its orders.
  boost::asio::awaitable<PurchaseAnswer> answer_finished(const Sale& sale, UserId user);
  boost::asio::awaitable<PurchaseAnswer> answer_existing(const Sale& sale, const UserId& user,
                                                         const Reserved& reserved);
  PurchaseAnswer answer_published(const Sale& sale, const Reserved& reserved,
                                  const Receipt& receipt) const;
  PurchaseAnswer answer_decided(const Sale& sale, const Reserved& reserved,
                                const Outcome& outcome) const;

  Ports ports_;
  SoldOutViews::Reader sold_out_;
  AdmissionChain admission_;
  Reserver reserver_;
  Publisher publisher_;
  Counter& unacknowledged_;
};

}  // namespace sluice
