#pragma once

#include <memory>
#include <string>

#include "sluice/base/metrics.hpp"
#include "sluice/base/time.hpp"
#include "sluice/dependency/dependency.hpp"

namespace sluice::test {

/// A dependency without breaker, for adapters under test.
class TestDependency {
 public:
  explicit TestDependency(std::string service)
      : dependency_({std::move(service), "test", 100'000}, nullptr, *clock_, metrics_) {}

  operator Dependency&() { return dependency_; }

 private:
  std::shared_ptr<Clock> clock_ = system_clock();
  Metrics metrics_;
  Dependency dependency_;
};

/// One for adapters of that service, alive as long as the program. Not thread-safe.
inline Dependency& kafka_dependency() {
  thread_local TestDependency dependency("kafka");
  return dependency;
}

inline Dependency& redis_dependency() {
  thread_local TestDependency dependency("redis");
  return dependency;
}

}  // namespace sluice::test
