#include "sluice/gate/token_buckets.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace sluice {
namespace {

// In nanoseconds, about 31 years: no setting needs more, and sums of a few do not overflow.
constexpr double kSpanMax = 1e18;

}  // namespace

TokenBuckets::TokenBuckets(BucketSettings settings)
    : set_mask_(std::bit_ceil(std::max(settings.slots, kWays)) / kWays - 1) {
  set_rate(settings.rate_per_s, settings.burst);
}

void TokenBuckets::set_rate(double rate_per_s, double burst) {
  const std::lock_guard lock(mutex_);
  if (!(rate_per_s > 0)) return interval_ns_.store(0, std::memory_order_relaxed);
  if (!sets_) sets_ = std::make_unique<Set[]>(set_mask_ + 1);
  const auto interval = static_cast<std::int64_t>(std::clamp(1e9 / rate_per_s, 1.0, kSpanMax));
  const double tolerance = static_cast<double>(interval) * (burst - 1);
  tolerance_ns_.store(static_cast<std::int64_t>(std::clamp(tolerance, 0.0, kSpanMax)),
                      std::memory_order_relaxed);
  interval_ns_.store(interval, std::memory_order_release);
}

std::int64_t TokenBuckets::wait_ns(std::int64_t arrival_ns, std::int64_t now_ns) const {
  return std::max(arrival_ns, now_ns) - now_ns - tolerance_ns_.load(std::memory_order_relaxed);
}

Millis TokenBuckets::wait(std::string_view key, Ticks now) const {
  if (interval_ns_.load(std::memory_order_acquire) == 0) return Millis{0};
  const auto hash = keyed_hash(key_, key);
  const auto tag = std::max<std::uint64_t>(hash, 1);
  for (const auto& slot : sets_[hash & set_mask_].slots) {
    if (slot.tag.load(std::memory_order_relaxed) != tag) continue;
    const auto wait =
        wait_ns(slot.arrival_ns.load(std::memory_order_relaxed), now.time_since_epoch().count());
    return std::max(Millis{0}, std::chrono::ceil<Millis>(std::chrono::nanoseconds(wait)));
  }
  return Millis{0};
}

Millis TokenBuckets::take(std::string_view key, Ticks now) {
  const auto interval_ns = interval_ns_.load(std::memory_order_acquire);
  if (interval_ns == 0) return Millis{0};
  const auto hash = keyed_hash(key_, key);
  // 0 marks a slot that nobody ever used.
  const auto tag = std::max<std::uint64_t>(hash, 1);
  auto& set = sets_[hash & set_mask_].slots;
  const auto now_ns = now.time_since_epoch().count();

  Slot* mine = nullptr;
  Slot* oldest = nullptr;
  std::uint64_t oldest_tag = 0;
  std::int64_t oldest_arrival = 0;
  for (auto& slot : set) {
    const auto owner = slot.tag.load(std::memory_order_relaxed);
    const auto arrival = slot.arrival_ns.load(std::memory_order_relaxed);
    if (owner == tag) {
      mine = &slot;
      break;
    }
    if (oldest == nullptr || arrival < oldest_arrival) {
      oldest = &slot;
      oldest_tag = owner;
      oldest_arrival = arrival;
    }
  }
  if (mine == nullptr) {
    // Of threads that claim a slot at once one wins. It clears the debt of the former key, but not
    // what the others have counted since; a loser's key shares the slot for one request.
    mine = oldest;
    if (mine->tag.compare_exchange_strong(oldest_tag, tag, std::memory_order_relaxed) &&
        oldest_arrival > now_ns) {
      mine->arrival_ns.compare_exchange_strong(oldest_arrival, now_ns, std::memory_order_relaxed);
    }
  }

  auto arrival = mine->arrival_ns.load(std::memory_order_relaxed);
  for (;;) {
    // More debt than this rate and burst allow was made under others: it is forgiven.
    const auto latest = now_ns + tolerance_ns_.load(std::memory_order_relaxed) + interval_ns;
    if (arrival > latest &&
        !mine->arrival_ns.compare_exchange_weak(arrival, latest, std::memory_order_relaxed)) {
      continue;
    }
    arrival = std::min(arrival, latest);
    const auto wait = wait_ns(arrival, now_ns);
    if (wait > 0) return std::chrono::ceil<Millis>(std::chrono::nanoseconds(wait));
    if (mine->arrival_ns.compare_exchange_weak(arrival, std::max(arrival, now_ns) + interval_ns,
                                               std::memory_order_relaxed)) {
      return Millis{0};
    }
  }
}

}  // namespace sluice
