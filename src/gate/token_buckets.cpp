#include "sluice/gate/token_buckets.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace sluice {
namespace {

// In nanoseconds, about 31 years: no setting needs more, and sums of a few do not overflow.
constexpr double kSpanMax = 1e18;

}  // namespace

TokenBuckets::TokenBuckets(BucketSettings settings) : key_(random_hash_key()) {
  if (!(settings.rate_per_s > 0)) return;
  interval_ns_ = static_cast<std::int64_t>(std::clamp(1e9 / settings.rate_per_s, 1.0, kSpanMax));
  const double tolerance = static_cast<double>(interval_ns_) * (settings.burst - 1);
  tolerance_ns_ = static_cast<std::int64_t>(std::clamp(tolerance, 0.0, kSpanMax));
  const auto slots = std::bit_ceil(std::max(settings.slots, kWays));
  set_mask_ = slots / kWays - 1;
  sets_ = std::make_unique<Set[]>(slots / kWays);
}

Millis TokenBuckets::take(std::string_view key, Ticks now) {
  if (interval_ns_ == 0) return Millis{0};
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
    const auto due = std::max(arrival, now_ns);
    const auto wait_ns = due - now_ns - tolerance_ns_;
    if (wait_ns > 0) return std::chrono::ceil<Millis>(std::chrono::nanoseconds(wait_ns));
    if (mine->arrival_ns.compare_exchange_weak(arrival, due + interval_ns_,
                                               std::memory_order_relaxed)) {
      return Millis{0};
    }
  }
}

}  // namespace sluice
