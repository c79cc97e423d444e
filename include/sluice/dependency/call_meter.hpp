#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <utility>

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

/// Counts calls. Thread-safe.
class CallMeter {
 public:
  void record(std::uint64_t orders, bool ok, std::chrono::nanoseconds latency) {
    const std::lock_guard lock(mutex_);
    ++sample_.calls;
    (ok ? sample_.orders : sample_.failures) += ok ? orders : 1;
    sample_.latency += latency;
  }

  /// What was recorded since the last `take`.
  CallSample take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(sample_, {});
  }

 private:
  std::mutex mutex_;
  CallSample sample_;
};

}  // namespace sluice
