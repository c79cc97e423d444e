#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/base/metrics.hpp"

#include "http/routes.hpp"

namespace sluice::http {

/// Counts on one thread without atomics; `flush` hands the counts on to the shared metrics.
class HttpMetrics {
 public:
  /// `listener`: the label that tells the public and the admin listener apart.
  HttpMetrics(Metrics& metrics, const std::string& listener);

  void answered(RouteClass route, const Answer& answer);

  /// A request of this route that had to wait for a use case.
  void took(RouteClass route, std::chrono::nanoseconds time);

  void connection_refused() { ++refused_connections_.count; }
  void connection_evicted() { ++evicted_connections_.count; }
  void timed_out() { ++timeouts_.count; }
  void hung_up() { ++hang_ups_.count; }

  /// `open`: connections of this thread.
  void flush(std::size_t open);

 private:
  static constexpr std::size_t kClasses = 6;  ///< Status / 100.

  struct Cell {
    std::uint64_t count = 0;
    Counter* counter = nullptr;  ///< Made when it is first needed.
  };
  static void flush(Cell& cell);

  Metrics& metrics_;
  const std::string listener_;
  std::array<std::array<Cell, kClasses>, kRouteClasses> requests_;
  std::vector<Cell> refusals_;  ///< By Code.
  std::array<Histogram*, kRouteClasses> durations_{};
  Cell refused_connections_;
  Cell evicted_connections_;
  Cell timeouts_;
  Gauge& dropped_lines_;
  Cell hang_ups_;
  Gauge& open_gauge_;
  std::size_t open_ = 0;
};

}  // namespace sluice::http
