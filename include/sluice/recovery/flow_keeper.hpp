#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "sluice/base/metrics.hpp"
#include "sluice/base/time.hpp"
#include "sluice/gate/adaptive_rate.hpp"
#include "sluice/gate/backlog.hpp"
#include "sluice/gate/breaker.hpp"
#include "sluice/gate/call_meter.hpp"
#include "sluice/gate/throttle.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/recovery/flow.hpp"
#include "sluice/recovery/lane_keeper.hpp"

namespace sluice {

struct FlowSettings {
  AdaptiveRateSettings direct;  ///< What the store takes directly, in bypass and database mode.
  BacklogSettings backlog;
};

/// Says each round how purchases flow on this node: which lanes the store sells, whether the log is
/// bypassed, how long orders wait, and how many purchases are let in.
class FlowKeeper {
 public:
  struct Ports {
    OrderStore& store;
    Flow& flow;
    Throttle& throttle;  ///< Of all purchases of the node.
    CallMeter& direct;   ///< What this node applied directly.
    Breaker& queue;      ///< Guards the log; open, this node bypasses it.
    /// Records ever written to the log; empty when not known now.
    std::function<std::optional<std::int64_t>()> log_end;
    Clock& clock;
    Metrics& metrics;
  };

  /// Without a log nothing is ever backlogged or bypassed.
  FlowKeeper(FlowSettings settings, Millis call_timeout, std::optional<OrderLog> log, Ports ports);

  /// Call it once a round. `held`: by an operator.
  boost::asio::awaitable<void> update(std::optional<FlowMode> held, bool store_up,
                                      std::unordered_set<LaneId> store_lanes,
                                      std::unordered_map<LaneId, Epoch> fences);

  /// The log did not answer a question about its health.
  void queue_failed();

  /// The log time through which the log is applied, as of the last answer of the store; empty when
  /// not known.
  std::optional<TimePoint> applied_through() const { return applied_through_; }

  FlowMode mode() const;
  const FlowState& state() const { return state_; }

 private:
  boost::asio::awaitable<void> measure_backlog(bool store_up);
  void measure_direct(bool direct_sells);
  void obey(std::optional<FlowMode> held);
  void report();
  void count_transitions();

  FlowSettings settings_;
  Millis call_timeout_;
  std::optional<OrderLog> log_;
  Ports ports_;
  Backlog backlog_;
  AdaptiveRate direct_rate_;
  Ticks direct_measured_{};
  FlowState state_;
  std::optional<TimePoint> applied_through_;
  FlowMode reported_ = FlowMode::normal;
  Breaker::Transitions counted_;  ///< Of `ports_.queue`.
  Gauge& backlog_messages_;
  Gauge& backlog_wait_ms_;
  Gauge& mode_;
  Gauge& admitted_;
  Counter& queue_opened_;
  Counter& queue_half_opened_;
  Counter& queue_closed_;
};

}  // namespace sluice
