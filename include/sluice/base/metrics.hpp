#pragma once

#include <map>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <string>

namespace sluice {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;

/// The metrics of one process. A handle is looked up once and kept: it is valid for as long as the
/// registry and its methods are thread-safe. Names are `sluice_…` with the unit last.
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;

  Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram& histogram(const std::string& name, const std::string& help,
                       const Histogram::BucketBoundaries& bounds, const Labels& labels = {});

  /// The text exposition format of Prometheus, version 0.0.4.
  std::string text() const;

 private:
  prometheus::Registry registry_;
};

}  // namespace sluice
