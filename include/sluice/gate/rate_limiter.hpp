#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "sluice/base/time.hpp"

namespace sluice {

/// One rate for all, which may change at any time. GCRA (ITU-T I.371) on one atomic, so `take` is
/// lock-free; thread-safe. After a pause `kBurst` worth of the rate may pass at once, and always
/// one. A change of the rate keeps the tokens that are there, as far as the new rate has room for
/// them: it gives nothing away, and the next token is never further off than one interval.
class RateLimiter {
 public:
  static constexpr Millis kBurst{100};     ///< The burst, as a part of a second's worth.
  static constexpr Millis kWaitMax{5000};  ///< No wait is said to be longer: the rate may rise.

  /// `per_s`: empty: unlimited; 0 (or what is no number): nothing passes.
  explicit RateLimiter(std::optional<double> per_s = {}) { set_rate(per_s, Ticks{}); }

  void set_rate(std::optional<double> per_s, Ticks now);
  std::optional<double> rate() const;

  /// Takes one token. Zero: admitted; else how long until one may be there, `kWaitMax` at most.
  Millis take(Ticks now);

 private:
  std::atomic<std::int64_t> interval_ns_{0};  ///< Between tokens; 0: unlimited, -1: never.
  std::atomic<std::int64_t> empty_ns_{0};     ///< When no token was there; they grow since then.
  mutable std::mutex mutex_;                  ///< Between changes of the rate.
  std::optional<double> per_s_;
};

}  // namespace sluice
