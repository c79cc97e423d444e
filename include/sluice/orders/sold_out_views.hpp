#pragma once

#include <boost/asio/awaitable.hpp>
#include <unordered_map>

#include "sluice/base/time.hpp"
#include "sluice/gate/admission.hpp"
#include "sluice/inventory/sold_out_view.hpp"
#include "sluice/orders/lane_router.hpp"
#include "sluice/orders/purchase_settings.hpp"

namespace sluice {

/// The sold-out views of one thread's lanes, kept fresh.
class SoldOutViews {
 public:
  SoldOutViews(PurchaseSettings settings, LaneRouter& router, Clock& clock)
      : settings_(settings), router_(router), clock_(clock) {}

  /// Refuses buyers of a lane whose view says that it is sold out, without any I/O.
  AdmissionStage stage(Random& random) const;

  /// The lane said so under that epoch.
  void said_sold_out(LaneId lane, Epoch epoch, const ReserveReply& reply);

  /// Asks lanes for their winners and whether units came back; run it all the time.
  boost::asio::awaitable<void> upkeep();

 private:
  boost::asio::awaitable<void> look_after(LaneId lane, SoldOutView& view);

  PurchaseSettings settings_;
  LaneRouter& router_;
  Clock& clock_;
  std::unordered_map<LaneId, SoldOutView> views_;
};

/// A sale without units: final, or not while some may return.
Refusal sold_out(bool may_return, Random& random);

/// Whether a "sold out" of this sale may be final: not while its confirmed orders may still expire.
bool may_expire(const Sale& sale);

}  // namespace sluice
