#include "sluice/recovery/mode_reconciler.hpp"

#include <utility>

#include "sluice/base/log.hpp"

namespace sluice {
namespace {

constexpr Millis kMeasureEvery{1000};

Counter& entered(Metrics& metrics, const char* state) {
  return metrics.counter("sluice_queue_breaker_changes_total",
                         "How often the breaker of the log entered a state.", {{"state", state}});
}

}  // namespace

ModeReconciler::ModeReconciler(ModeSettings settings, Millis call_timeout,
                               std::optional<OrderLog> log, Ports ports)
    : settings_(settings),
      call_timeout_(call_timeout),
      log_(std::move(log)),
      ports_(std::move(ports)),
      lag_(settings.lag),
      direct_rate_(settings.direct),
      isolation_(settings.lease),
      direct_measured_(ports_.clock.ticks()),
      lag_messages_(ports_.metrics.gauge("sluice_lag_messages",
                                         "Messages in the log that are not applied yet.")),
      lag_wait_ms_(ports_.metrics.gauge("sluice_lag_wait_ms",
                                        "Estimated time from acknowledgement to decision.")),
      mode_(ports_.metrics.gauge("sluice_mode", "0 normal, 1 bypass, 2 database.")),
      isolated_(
          ports_.metrics.gauge("sluice_isolated", "1: the store is away for this node alone.")),
      admitted_(ports_.metrics.gauge("sluice_admitted_per_second",
                                     "The rate to which the node throttles; -1: not at all.")),
      queue_opened_(entered(ports_.metrics, "open")),
      queue_half_opened_(entered(ports_.metrics, "half_open")),
      queue_closed_(entered(ports_.metrics, "closed")) {}

boost::asio::awaitable<void> ModeReconciler::update(std::optional<OperatingMode> held,
                                                    StoreHealth store,
                                                    std::unordered_set<LaneId> store_lanes,
                                                    std::unordered_map<LaneId, Epoch> fences) {
  state_.held = held;
  state_.fences = std::move(fences);
  state_.store_lanes = std::move(store_lanes);
  std::optional<Breaker::State> queue;
  if (held == OperatingMode::normal) queue = Breaker::State::closed;
  if (held == OperatingMode::bypass) queue = Breaker::State::open;
  ports_.queue.hold(queue);
  co_await measure_lag(store.up);
  const bool direct_sells = mode() != OperatingMode::normal;
  measure_direct(direct_sells);
  isolation_.seen(ports_.clock.ticks(), store.reached, ports_.heartbeats());

  state_.isolated = isolation_.isolated();
  state_.admitted_per_s = direct_sells ? direct_rate_.per_s() : lag_.admit_per_s();
  if (state_.isolated) state_.admitted_per_s = 0;
  ports_.rate_limiter.set_rate(state_.admitted_per_s, ports_.clock.ticks());
  ports_.flow.publish(std::make_shared<const ModeState>(state_));
  report();
}

boost::asio::awaitable<void> ModeReconciler::measure_lag(bool store_up) {
  if (!log_) co_return;
  std::optional<std::int64_t> applied;
  if (store_up) {
    const auto deadline = ports_.clock.ticks() + call_timeout_;
    const auto progress = co_await ports_.store.progress(deadline, log_->topic, log_->partitions);
    if (progress) {
      applied = progress->applied;
      applied_through_ = progress->through;
    }
  }
  lag_.feed(ports_.clock.ticks(), ports_.log_end(), applied);
  state_.behind = lag_.messages();
  state_.backlogged = lag_.backlogged();
  state_.wait = lag_.wait();
}

void ModeReconciler::measure_direct(bool direct_sells) {
  const auto now = ports_.clock.ticks();
  const auto interval = std::chrono::floor<Millis>(now - direct_measured_);
  if (interval < kMeasureEvery) return;
  direct_measured_ = now;
  const auto sample = ports_.direct.take();
  if (!direct_sells) return;
  // The limit held buyers back if most of what it allowed was used.
  const auto allowed = direct_rate_.per_s() * static_cast<double>(interval.count()) / 1000;
  const bool binding = static_cast<double>(sample.orders) >= 0.8 * allowed;
  direct_rate_.feed(sample, interval, binding);
}

void ModeReconciler::queue_failed() { ports_.queue.record(ports_.clock.ticks(), false, Millis{0}); }

void ModeReconciler::queue_started() { ports_.queue.reset(ports_.clock.ticks()); }

OperatingMode ModeReconciler::mode() const {
  if (!state_.store_lanes.empty()) return OperatingMode::database;
  const bool closed = ports_.queue.state(ports_.clock.ticks()) == Breaker::State::closed;
  return closed ? OperatingMode::normal : OperatingMode::bypass;
}

void ModeReconciler::report() {
  const auto now = mode();
  if (now != reported_) log().warn("mode: {} (was {})", name(now), name(reported_));
  reported_ = now;
  isolated_.Set(state_.isolated ? 1 : 0);
  mode_.Set(static_cast<double>(now));
  lag_messages_.Set(static_cast<double>(state_.behind));
  lag_wait_ms_.Set(static_cast<double>(state_.wait.count()));
  admitted_.Set(state_.admitted_per_s.value_or(-1));

  const auto before = std::exchange(counted_, ports_.queue.transitions());
  queue_opened_.Increment(static_cast<double>(counted_.opened - before.opened));
  queue_half_opened_.Increment(static_cast<double>(counted_.half_opened - before.half_opened));
  queue_closed_.Increment(static_cast<double>(counted_.closed - before.closed));
}

}  // namespace sluice
