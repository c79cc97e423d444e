#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>

namespace sluice {

using Millis = std::chrono::milliseconds;

/// A moment on the wall clock (Unix time), for windows of sales and times shown to people.
using TimePoint = std::chrono::sys_time<Millis>;

/// A moment on the monotonic clock, for deadlines and rates. Never compare it across processes.
using Ticks = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

/// The only source of time of use cases; a simulator injects its own.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Wall time. It may jump when the host's clock is set.
  virtual TimePoint now() const = 0;

  /// Monotonic time. It never goes back.
  virtual Ticks ticks() const = 0;

  /// Suspends the calling coroutine until `ticks() >= when`; it resumes on its own executor.
  virtual boost::asio::awaitable<void> sleep_until(Ticks when) = 0;
};

/// The clock of the host. Thread-safe.
std::shared_ptr<Clock> system_clock();

}  // namespace sluice
