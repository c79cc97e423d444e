#include "http/http_metrics.hpp"

#include <utility>

#include "sluice/base/problem.hpp"
#include "sluice/http/access_log.hpp"

namespace sluice::http {

HttpMetrics::HttpMetrics(Metrics& metrics, const std::string& listener)
    : metrics_(metrics),
      listener_(listener),
      refusals_(problems().size()),
      dropped_lines_(metrics.gauge("sluice_access_log_dropped",
                                   "Lines of the access log that were dropped so far")),
      open_gauge_(
          metrics.gauge("sluice_http_connections", "Connections open", {{"listener", listener}})) {
  refused_connections_.counter = &metrics.counter(
      "sluice_http_connections_refused_total", "Connections refused for the bounds on connections",
      {{"listener", listener}});
  evicted_connections_.counter =
      &metrics.counter("sluice_http_connections_evicted_total",
                       "Idle connections closed for newcomers", {{"listener", listener}});
  timeouts_.counter =
      &metrics.counter("sluice_http_timeouts_total", "Connections closed because a deadline passed",
                       {{"listener", listener}});
  hang_ups_.counter = &metrics.counter("sluice_http_hang_ups_total",
                                       "Clients that hung up before the answer to their request",
                                       {{"listener", listener}});
}

void HttpMetrics::answered(RouteClass route, const Answer& answer) {
  const auto* refused = answer.refusal ? &problem(answer.refusal->code) : nullptr;
  const auto status_class = (refused ? refused->status : answer.status) / 100 % kClasses;
  auto& requests = requests_[static_cast<std::size_t>(route)][status_class];
  ++requests.count;
  if (requests.counter == nullptr) {
    requests.counter = &metrics_.counter("sluice_http_requests_total", "Requests answered",
                                         {{"listener", listener_},
                                          {"route", std::string(name(route))},
                                          {"status", std::to_string(status_class) + "xx"}});
  }
  if (refused == nullptr) return;
  auto& refusals = refusals_[static_cast<std::size_t>(refused->code)];
  ++refusals.count;
  if (refusals.counter == nullptr) {
    refusals.counter =
        &metrics_.counter("sluice_http_refusals_total", "Requests refused, by code",
                          {{"listener", listener_}, {"code", std::string(refused->name)}});
  }
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

void HttpMetrics::flush(std::size_t open) {
  for (auto& of_route : requests_) {
    for (auto& cell : of_route) flush(cell);
  }
  for (auto& cell : refusals_) flush(cell);
  flush(refused_connections_);
  flush(evicted_connections_);
  flush(timeouts_);
  dropped_lines_.Set(static_cast<double>(access_lines_dropped()));
  flush(hang_ups_);
  // Threads share the gauge, so each adds its own change.
  const auto before = std::exchange(open_, open);
  open_gauge_.Increment(static_cast<double>(open) - static_cast<double>(before));
}

}  // namespace sluice::http
