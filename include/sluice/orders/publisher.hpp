#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <utility>

#include "sluice/base/batcher.hpp"
#include "sluice/base/time.hpp"
#include "sluice/orders/lane_router.hpp"
#include "sluice/orders/purchase_settings.hpp"

namespace sluice {

/// Hands reserved orders to the queue. Those of one lane that come together travel in one publish,
/// and several publishes of a lane may be under way. One per HTTP thread.
class Publisher {
 public:
  Publisher(boost::asio::any_io_executor executor, PurchaseSettings settings, Clock& clock)
      : executor_(std::move(executor)), settings_(settings), clock_(clock) {}

  /// Publishes the order to the queue of `services`. One that is decided at once is settled in
  /// their inventory before this returns. `Receipt::Kind::unknown` when it was not acknowledged in
  /// time, or when nothing left for the queue: the pending record holds the order, and recovery
  /// decides it.
  boost::asio::awaitable<Receipt> publish(LaneServices services, OrderMessage message);

 private:
  struct Request {
    OrderMessage message;
    Ticks deadline{};
  };
  using Requests = Batcher<Request, Receipt>;

  boost::asio::awaitable<void> publish_batch(LaneServices services, Requests::Batch& batch);

  boost::asio::any_io_executor executor_;
  PurchaseSettings settings_;
  Clock& clock_;
  /// A lane has one for each queue that ever sold it.
  std::map<std::pair<LaneId, OrderQueue*>, Requests> requests_;
};

}  // namespace sluice
