#include "sluice/gate/rate_limiter.hpp"

#include <algorithm>

namespace sluice {
namespace {

constexpr std::int64_t kUnlimited = 0;
constexpr std::int64_t kNever = -1;

// About 31 years: sums of a few such spans do not overflow.
constexpr double kSpanMax = 1e18;

constexpr std::int64_t kBurstNs = std::chrono::nanoseconds(RateLimiter::kBurst).count();

std::int64_t interval_of(std::optional<double> per_s) {
  if (!per_s) return kUnlimited;
  if (!(*per_s > 0)) return kNever;
  return static_cast<std::int64_t>(std::clamp(1e9 / *per_s, 1.0, kSpanMax));
}

/// The time in which the bucket fills up: the burst's, and always room for one token.
std::int64_t depth_of(std::int64_t interval_ns) { return std::max(interval_ns, kBurstNs); }

/// The tokens of a bucket that was empty at `empty_ns`.
double tokens(std::int64_t interval_ns, std::int64_t empty_ns, std::int64_t now_ns) {
  // Without a limit no tokens were counted, so none are there when a limit comes.
  if (interval_ns <= 0) return 0;
  const auto filling = std::clamp<std::int64_t>(now_ns - empty_ns, 0, depth_of(interval_ns));
  return static_cast<double>(filling) / static_cast<double>(interval_ns);
}

}  // namespace

void RateLimiter::set_rate(std::optional<double> per_s, Ticks now) {
  std::lock_guard lock(mutex_);
  per_s_ = per_s;
  const auto before = interval_ns_.load();
  const auto after = interval_of(per_s);
  if (before == after) return;
  const auto now_ns = now.time_since_epoch().count();
  auto empty = empty_ns_.load();
  std::int64_t moved = 0;
  do {
    const double kept =
        tokens(before, empty, now_ns) * static_cast<double>(std::max<std::int64_t>(after, 0));
    moved = now_ns - static_cast<std::int64_t>(std::min(kept, kSpanMax));
  } while (!empty_ns_.compare_exchange_weak(empty, moved));
  // Last: read with the interval before, the moved bucket holds no more than the burst before.
  interval_ns_.store(after);
}

std::optional<double> RateLimiter::rate() const {
  std::lock_guard lock(mutex_);
  return per_s_;
}

Millis RateLimiter::take(Ticks now) {
  const auto interval = interval_ns_.load();
  if (interval == kUnlimited) return Millis{0};
  if (interval == kNever) return kWaitMax;
  const auto now_ns = now.time_since_epoch().count();
  auto empty = empty_ns_.load();
  for (;;) {
    const auto start = std::max(empty, now_ns - depth_of(interval));
    const auto due = std::min(start, now_ns) + interval;
    if (start + interval > now_ns) {
      const auto wait = std::chrono::ceil<Millis>(std::chrono::nanoseconds(due - now_ns));
      return std::clamp(wait, Millis{1}, kWaitMax);
    }
    if (empty_ns_.compare_exchange_weak(empty, due)) return Millis{0};
  }
}

}  // namespace sluice
