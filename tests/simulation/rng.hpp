#pragma once

#include <chrono>
#include <cstdint>

namespace sluice::simulation {

using Micros = std::chrono::microseconds;

/// The one source of chance of a run (SplitMix64). Everything that a run does follows from its
/// seed.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    auto mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
  }

  /// 0 … bound - 1.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  /// True so often in a million.
  bool ppm(std::uint32_t often) { return often != 0 && below(1'000'000) < often; }

  bool one_in(std::uint64_t many) { return below(many) == 0; }

  /// first … last.
  template <class Duration>
  Duration between(Duration first, Duration last) {
    const auto span = static_cast<std::uint64_t>((last - first).count()) + 1;
    return first + Duration(static_cast<typename Duration::rep>(below(span)));
  }

 private:
  std::uint64_t state_;
};

}  // namespace sluice::simulation
