#include "sluice/dependency/dependency.hpp"

#include <algorithm>
#include <utility>

#include "sluice/base/log.hpp"

namespace sluice {
namespace {

bool is_failure(const boost::system::error_code& error) {
  return error == Errc::unavailable || error == Errc::unknown || error == Errc::overloaded ||
         error == Errc::internal;
}

}  // namespace

Dependency::Dependency(DependencySettings settings, Breaker* breaker, Clock& clock,
                       Metrics& metrics)
    : settings_(std::move(settings)), breaker_(breaker), clock_(clock), metrics_(metrics) {}

std::optional<Errc> Dependency::refuse(Ticks now, Ticks deadline) {
  if (now >= deadline) return Errc::unavailable;
  // One copy is the dependency's own.
  if (std::cmp_greater(calls_.use_count(), settings_.calls_max)) return Errc::overloaded;
  if (breaker_ != nullptr && !breaker_->permit(now)) return Errc::unavailable;
  return std::nullopt;
}

boost::system::error_code Dependency::finish(Step step, Ticks began,
                                             boost::system::error_code error) {
  const auto now = clock_.ticks();
  const bool failed = is_failure(error);
  seconds(step).Observe(std::chrono::duration<double>(now - began).count());
  if (breaker_ != nullptr) {
    auto took = std::chrono::floor<Millis>(now - began);
    if (step.weight == Step::Weight::bulk) took = std::min(took, breaker_->settings().slow);
    breaker_->record(now, !failed, took);
  }
  if (failed != failing_) {
    failing_ = failed;
    if (failed) {
      log().warn("{}: {}.{} fails: {}", settings_.service, settings_.use, step.name,
                 error.message());
    } else {
      log().info("{}: {}.{} works again", settings_.service, settings_.use, step.name);
    }
  }
  return error;
}

Histogram& Dependency::seconds(Step step) {
  auto& histogram = seconds_[step.name];
  if (histogram == nullptr) {
    const Histogram::BucketBoundaries bounds{0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03,
                                             0.1,    0.3,    1,     3,     10};
    histogram = &metrics_.histogram(
        "sluice_dependency_seconds", "How long calls to outside services took.", bounds,
        {{"service", settings_.service}, {"call", std::string(step.name)}});
  }
  return *histogram;
}

}  // namespace sluice
