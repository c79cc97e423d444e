#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <unordered_map>
#include <vector>

#include "sluice/base/batcher.hpp"
#include "sluice/base/metrics.hpp"
#include "sluice/base/random.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/order_id.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/lane_router.hpp"
#include "sluice/orders/purchase_settings.hpp"
#include "sluice/orders/sold_out_views.hpp"

namespace sluice {

/// What a lane said to one purchase.
struct Reserved {
  LaneServices services;  ///< By which it was reserved; they take it to its end.
  Reservation reservation;
  OrderMessage message;     ///< With `Verdict::granted`: the order to publish.
  bool may_return = false;  ///< Units are held by undecided orders and may come back.
};

/// Reserves units for purchases. Those of one lane that come together travel in one call, which is
/// made again with the same ids while its answer is lost. One per HTTP thread.
class Reserver {
 public:
  struct Ports {
    LaneRouter& router;
    SoldOutViews::Reader& sold_out;
    Clock& clock;
    Random& random;
    const OrderIdSeal& seal;
    Metrics& metrics;
  };

  Reserver(boost::asio::any_io_executor executor, PurchaseSettings settings, Ports ports);

  /// Asks the lane for units, under an order id of its present epoch. `not_ready` when nobody sells
  /// the lane, `unknown` when units may be held for the user, every other error when none are.
  boost::asio::awaitable<Result<Reserved>> reserve(LaneId lane, UserId user,
                                                   std::uint32_t quantity);

 private:
  struct Request {
    UserId user;
    std::uint32_t quantity = 1;
  };
  using Requests = Batcher<Request, Result<Reserved>>;

  boost::asio::awaitable<void> reserve_batch(LaneId lane, Requests::Batch& batch);
  Task<ReserveReply> ask(LaneId lane, const LaneServices& services, const Requests::Batch& batch,
                         std::vector<Attempt>& attempts);
  std::vector<Attempt> make_attempts(LaneId lane, Epoch epoch, const Requests::Batch& batch) const;
  Ticks deadline() const { return ports_.clock.ticks() + settings_.reserve_timeout; }

  boost::asio::any_io_executor executor_;
  PurchaseSettings settings_;
  Ports ports_;
  std::unordered_map<LaneId, Epoch> epochs_;  ///< 0: not known now.
  std::unordered_map<LaneId, Requests> requests_;
  Counter& reserved_;
  Counter& refused_;
  Histogram& batch_size_;
};

}  // namespace sluice
