#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <memory>
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

  /// What the view of the lane says to that user.
  SoldOutView::Answer ask(LaneId lane, const UserId& user, Ticks now) const;

  /// The lane said so under that epoch.
  void said_sold_out(LaneId lane, Epoch epoch, const ReserveReply& reply);

  /// Asks lanes for their winners and whether units came back; run it all the time, until `stop`.
  boost::asio::awaitable<void> upkeep();

  /// Callable from any thread.
  void stop() noexcept { stopped_ = true; }

 private:
  struct Lane {
    SoldOutView view;
    Epoch epoch = 0;  ///< Under which it said "sold out".
  };

  boost::asio::awaitable<void> look_after(LaneId id, Lane& lane);

  PurchaseSettings settings_;
  LaneRouter& router_;
  Clock& clock_;
  std::unordered_map<LaneId, std::unique_ptr<Lane>> lanes_;
  std::atomic<bool> stopped_{false};
};

/// Refuses buyers of a lane whose view says that it is sold out, without any I/O.
AdmissionStage create_sold_out_stage(const SoldOutViews& views, Random& random);

/// A sale without units: final, or not while some may return.
Refusal sold_out(bool may_return, Random& random);

/// Whether a "sold out" of this sale may be final: not while its confirmed orders may still expire.
bool may_expire(const Sale& sale);

}  // namespace sluice
