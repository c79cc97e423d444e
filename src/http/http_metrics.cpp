#include "http/http_metrics.hpp"

#include <utility>

#include "sluice/base/problem.hpp"

namespace sluice::http {

HttpMetrics::HttpMetrics(Metrics& metrics, const std::string& listener)
    : metrics_(metrics),
      listener_(listener),
      refusals_(problems().size()),
      open_gauge_(
          metrics.gauge("sluice_http_connections", "Connections open", {{"listener", listener}})),
      refused_counter_(metrics.counter("sluice_http_connections_refused_total",
                                       "Connections refused for the bounds on connections",
                                       {{"listener", listener}})),
      timeout_counter_(metrics.counter("sluice_http_timeouts_total",
                                       "Connections closed because a deadline passed",
                                       {{"listener", listener}})) {}

void HttpMetrics::answered(RouteClass route, const Answer& answer) {
  const auto status = answer.refusal ? problem(answer.refusal->code).status : answer.status;
  ++requests_[static_cast<std::size_t>(route)][status / 100 % kClasses].count;
  if (answer.refusal) ++refusals_[static_cast<std::size_t>(answer.refusal->code)].count;
}

void HttpMetrics::took(RouteClass route, std::chrono::nanoseconds time) {
  auto& histogram = durations_[static_cast<std::size_t>(route)];
  if (histogram == nullptr) {
    const Histogram::BucketBoundaries bounds = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02,
                                                0.05,   0.1,   0.2,   0.5,   1,    5};
    histogram = &metrics_.histogram(
        "sluice_http_request_duration_seconds",
        "Time from a complete request to its answer, for requests that reached a use case", bounds,
        {{"listener", listener_}, {"route", std::string(name(route))}});
  }
  histogram->Observe(std::chrono::duration<double>(time).count());
}

void HttpMetrics::flush(Cell& cell) {
  if (cell.count > 0) cell.counter->Increment(static_cast<double>(std::exchange(cell.count, 0)));
}

Counter& HttpMetrics::requests(std::size_t route, std::size_t status_class) {
  return metrics_.counter("sluice_http_requests_total", "Requests answered",
                          {{"listener", listener_},
                           {"route", std::string(name(static_cast<RouteClass>(route)))},
                           {"status", std::to_string(status_class) + "xx"}});
}

void HttpMetrics::flush() {
  for (std::size_t route = 0; route < requests_.size(); ++route) {
    for (std::size_t status = 0; status < kClasses; ++status) {
      auto& cell = requests_[route][status];
      if (cell.count > 0 && cell.counter == nullptr) cell.counter = &requests(route, status);
      flush(cell);
    }
  }
  for (std::size_t code = 0; code < refusals_.size(); ++code) {
    auto& cell = refusals_[code];
    if (cell.count > 0 && cell.counter == nullptr) {
      cell.counter = &metrics_.counter(
          "sluice_http_refusals_total", "Requests refused, by code",
          {{"listener", listener_}, {"code", std::string(problems()[code].name)}});
    }
    flush(cell);
  }
  // Threads share the gauge, so each adds its own change.
  open_gauge_.Increment(static_cast<double>(open_) - static_cast<double>(open_flushed_));
  open_flushed_ = open_;
  refused_counter_.Increment(static_cast<double>(std::exchange(refused_connections_, 0)));
  timeout_counter_.Increment(static_cast<double>(std::exchange(timeouts_, 0)));
}

}  // namespace sluice::http
