#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "sluice/base/time.hpp"

namespace sluice {

/// What happened in an interval of calls to one service.
struct CallSample {
  std::uint64_t calls = 0;
  std::uint64_t failures = 0;           ///< Calls that failed.
  std::uint64_t orders = 0;             ///< Orders taken by the calls that did not fail.
  std::chrono::nanoseconds latency{0};  ///< Of all calls together.

  std::chrono::nanoseconds mean_latency() const {
    return calls == 0 ? latency : latency / static_cast<std::int64_t>(calls);
  }
};

/// Counts calls. Thread-safe, lock-free.
class CallMeter {
 public:
  void record(std::uint64_t orders, bool ok, std::chrono::nanoseconds latency) {
    calls_.fetch_add(1, std::memory_order_relaxed);
    (ok ? orders_ : failures_).fetch_add(ok ? orders : 1, std::memory_order_relaxed);
    latency_ns_.fetch_add(latency.count(), std::memory_order_relaxed);
  }

  /// What was recorded since the last `take`. A call recorded meanwhile may be split between two
  /// samples; none is lost.
  CallSample take() {
    CallSample sample;
    sample.calls = calls_.exchange(0, std::memory_order_relaxed);
    sample.failures = failures_.exchange(0, std::memory_order_relaxed);
    sample.orders = orders_.exchange(0, std::memory_order_relaxed);
    sample.latency = std::chrono::nanoseconds(latency_ns_.exchange(0, std::memory_order_relaxed));
    return sample;
  }

 private:
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::uint64_t> orders_{0};
  std::atomic<std::int64_t> latency_ns_{0};
};

}  // namespace sluice
