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

  void connections(std::size_t open) { open_ = open; }
  void connection_refused() { ++refused_connections_; }
  void timed_out() { ++timeouts_; }

  void flush();

 private:
  static constexpr std::size_t kClasses = 6;  ///< Status / 100.

  struct Cell {
    std::uint64_t count = 0;
    Counter* counter = nullptr;
  };
  static void flush(Cell& cell);
  Counter& requests(std::size_t route, std::size_t status_class);

  Metrics& metrics_;
  std::string listener_;
  std::array<std::array<Cell, kClasses>, kRouteClasses> requests_;
  std::vector<Cell> refusals_;  ///< By Code.
  std::array<Histogram*, kRouteClasses> durations_{};
  Gauge& open_gauge_;
  Counter& refused_counter_;
  Counter& timeout_counter_;
  std::size_t open_ = 0;
  std::size_t open_flushed_ = 0;
  std::uint64_t refused_connections_ = 0;
  std::uint64_t timeouts_ = 0;
};

}  // namespace sluice::http
