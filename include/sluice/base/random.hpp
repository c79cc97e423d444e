#pragma once

#include <cstdint>
#include <memory>

namespace sluice {

/// Source of random numbers of one thread; a simulator injects a seeded one.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;

  /// Uniform enough for jitter: 0 … bound - 1. `bound` must not be 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
};

/// Seeded by the operating system. Not thread-safe: one per thread.
std::unique_ptr<Random> system_random();

/// Repeatable, for tests and simulation. Not thread-safe.
std::unique_ptr<Random> seeded_random(std::uint64_t seed);

}  // namespace sluice
