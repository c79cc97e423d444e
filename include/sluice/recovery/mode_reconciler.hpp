#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "sluice/base/metrics.hpp"
#include "sluice/base/time.hpp"
#include "sluice/dependency/breaker.hpp"
#include "sluice/dependency/call_meter.hpp"
#include "sluice/gate/aimd_limit.hpp"
#include "sluice/gate/lag.hpp"
#include "sluice/gate/rate_limiter.hpp"
#include "sluice/orders/lane_router.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/recovery/isolation.hpp"

namespace sluice {

/// The log that reserved orders pass through. An order younger than its applied-through time may
/// still be on its way.
struct OrderLog {
  std::string topic;
  std::int32_t partitions = 0;
};

/// What a node knows of the store in a round.
struct StoreHealth {
  bool up = false;  ///< It answered just now.
  /// It did, or it answers slower calls: as slow as those may be by which the leader is heard.
  bool reached = false;
};

struct ModeSettings {
  Millis lease{5000};   ///< Of the leader.
  AimdSettings direct;  ///< What the store takes directly, in bypass and database mode.
  LagSettings lag;
};

/// Says each round in which mode this node sells: which lanes the store sells, whether the log is
/// bypassed, how long orders wait, and how many purchases are let in: none while the node is
/// isolated.
class ModeReconciler {
 public:
  struct Ports {
    OrderStore& store;
    ModeSnapshot& flow;
    RateLimiter& rate_limiter;  ///< Of all purchases of the node.
    CallMeter& direct;          ///< What this node applied directly.
    Breaker& queue;             ///< Guards the log; open, this node bypasses it.
    /// Records ever written to the log; empty when not known now.
    std::function<std::optional<std::int64_t>()> log_end;
    std::function<std::optional<std::int64_t>()> heartbeats;  ///< See `Heartbeat::count`.
    Clock& clock;
    Metrics& metrics;
  };

  /// Without a log nothing is ever backlogged or bypassed.
  ModeReconciler(ModeSettings settings, Millis call_timeout, std::optional<OrderLog> log,
                 Ports ports);

  /// Call it once a round. `held`: by an operator.
  boost::asio::awaitable<void> update(std::optional<OperatingMode> held, StoreHealth store,
                                      std::unordered_set<LaneId> store_lanes,
                                      std::unordered_map<LaneId, Epoch> fences);

  /// The log did not answer a question about its health.
  void queue_failed();

  /// The log is fit for use for the first time: what failed before does not count.
  void queue_started();

  /// The log time through which the log is applied, as of the last answer of the store; empty when
  /// not known.
  std::optional<TimePoint> applied_through() const { return applied_through_; }
  bool has_log() const { return log_.has_value(); }

  OperatingMode mode() const;
  const ModeState& state() const { return state_; }

 private:
  boost::asio::awaitable<void> measure_lag(bool store_up);
  void measure_direct(bool direct_sells);
  void report();

  ModeSettings settings_;
  Millis call_timeout_;
  std::optional<OrderLog> log_;
  Ports ports_;
  Lag lag_;
  AimdLimit direct_rate_;
  IsolationPolicy isolation_;
  Ticks direct_measured_{};
  ModeState state_;
  std::optional<TimePoint> applied_through_;
  OperatingMode reported_ = OperatingMode::normal;
  Breaker::Transitions counted_;  ///< Of `ports_.queue`.
  Gauge& lag_messages_;
  Gauge& lag_wait_ms_;
  Gauge& mode_;
  Gauge& isolated_;
  Gauge& admitted_;
  Counter& queue_opened_;
  Counter& queue_half_opened_;
  Counter& queue_closed_;
};

}  // namespace sluice
