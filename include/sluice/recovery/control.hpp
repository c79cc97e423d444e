#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sluice/base/metrics.hpp"
#include "sluice/base/readiness.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_book.hpp"
#include "sluice/catalog/sale_loader.hpp"
#include "sluice/catalog/sale_store.hpp"
#include "sluice/recovery/audits.hpp"
#include "sluice/recovery/authority_policy.hpp"
#include "sluice/recovery/control_store.hpp"
#include "sluice/recovery/lane_reconciler.hpp"
#include "sluice/recovery/lane_watch.hpp"
#include "sluice/recovery/late_reconciler.hpp"
#include "sluice/recovery/leadership.hpp"
#include "sluice/recovery/mode_reconciler.hpp"
#include "sluice/recovery/return_reconciler.hpp"
#include "sluice/recovery/service_probes.hpp"

namespace sluice {

/// The housekeeping of one node, on its own thread: refreshes the sales, keeps their lanes, decides
/// what is overdue and audits while it leads, and says in which mode the node sells and whether it
/// is ready. What belongs to an operator's command may run between two steps of a round.
class Control {
 public:
  struct Ports {
    SaleStore& sales;
    OrderStore& orders;
    ControlStore& control;
    Leadership& leadership;
    LaneReconciler& lanes;
    Audits& audits;
    ReturnReconciler& returns;
    LateReconciler& late;
    ModeReconciler& flow;
    SaleBook& book;
    Readiness& readiness;
    Clock& clock;
    Metrics& metrics;
  };

  Control(RecoverySettings settings, std::vector<ServiceProbe> probes, Ports ports);

  /// Rounds, and the leader's lease beside them, until `stop`.
  boost::asio::awaitable<void> run();

  /// One round.
  boost::asio::awaitable<void> round();

  /// Callable from any thread.
  void stop() noexcept {
    stopped_ = true;
    ports_.leadership.stop();
  }

  /// From now on the node says that it is not ready.
  void drain();

  /// Makes the sales as the store has them this node's snapshot.
  Task<> refresh_sales();

  /// Looks after a sale now. Without an error every lane of it has the sale's window.
  Task<> keep_now(const Sale& sale);

  /// Reads in which mode operators hold all nodes, and follows.
  Task<> follow_mode_request();

  /// The next round comes soon.
  void hurry() { busy_ = true; }

  /// How far this node has copied the lane's image; empty when it copies none.
  std::optional<CopyProgress> copying(LaneId lane) const { return ports_.lanes.copying(lane); }

  ModeReport mode() const { return {ports_.flow.mode(), ports_.flow.state(), leads()}; }
  const ServiceProbes& services() const { return services_; }

 private:
  boost::asio::awaitable<void> rounds();
  boost::asio::awaitable<ReadyCheck> look_after_sales();
  boost::asio::awaitable<void> look_after_returns();
  boost::asio::awaitable<void> look_after_late_orders();
  bool keeps(const Sale& sale) const;
  std::vector<Sale> kept_sales() const;
  bool log_is_past(TimePoint time) const;
  boost::asio::awaitable<void> finish_sales();
  void forget_unlisted();
  Task<> read_requests();
  /// A lane that a round looks at.
  struct Look {
    LaneWatch::Row row;
    Result<LaneState> state = LaneState{};
  };
  using Failures = std::unordered_map<SaleId, boost::system::error_code>;
  /// How a round's lanes fared.
  struct Kept {
    Failures failed;
    bool lost = false;  ///< One that was calm could not be kept.
  };

  /// All lanes of these sales, by one call.
  Task<std::vector<LaneWatch::Row>> rows_of(const std::vector<Sale>& kept);
  /// Looks after those of `rows` that are due; the sales of which one could not be kept.
  boost::asio::awaitable<Failures> keep_lanes(const std::vector<LaneWatch::Row>& rows);
  boost::asio::awaitable<void> look_at(Look& look);
  boost::asio::awaitable<void> keep_looked_at(Look& look, Kept& all);
  Task<> keep_lane(Look& look);
  /// Acts on how a lane is, where `LaneReconciler::keep` has nothing to do any more.
  Task<> follow(LaneId lane, LaneState state);
  void finish_if_settled(const Sale& sale);
  std::string progress_of(const Sale& sale) const;
  /// A node that was just started waits a moment for all of its services: their clients need it to
  /// be fit for use, and until then a purchase would not go the normal way.
  bool starting() const;
  /// Whether others sell from the inventory that this node alone does not reach.
  bool alone_without_inventory() const;
  void tolerate(std::vector<ReadyCheck>& checks) const;
  void publish(std::vector<ReadyCheck> checks);
  Millis pause() const { return busy_ ? settings_.busy_tick : settings_.tick; }
  bool leads() const { return ports_.leadership.term().has_value(); }
  LaneReconciler::Duty duty() const;
  StoreHealth store_health() const;
  Ticks deadline() const { return ports_.clock.ticks() + settings_.call_timeout; }

  RecoverySettings settings_;
  ServiceProbes services_;
  Ports ports_;
  SaleLoader sales_;
  /// Closed, with nothing undecided, and with no returned unit that waits for the inventory. Unpaid
  /// orders of theirs still expire.
  std::unordered_map<SaleId, TimePoint> finished_;
  LaneWatch watch_;
  std::optional<LaneReconciler::Duty> last_duty_;  ///< Of the last round.
  std::unordered_set<LaneId> store_lanes_;
  std::unordered_map<LaneId, Epoch> fences_;
  AuthorityPolicy authority_;
  std::optional<OperatingMode> held_;
  bool busy_ = false;  ///< A service is away or a rebuild under way: the next round comes soon.
  bool was_ready_ = false;
  std::optional<Ticks> began_;  ///< The first round.
  Gauge& epochs_left_;
  Histogram& round_seconds_;
  bool some_sell_ = false;  ///< In this round, all lanes of at least one sale.
  /// Since then the inventory is away, and the store sells no sale for it.
  std::optional<Ticks> sells_nothing_;
  bool draining_ = false;
  std::atomic<bool> stopped_{false};
};

}  // namespace sluice
