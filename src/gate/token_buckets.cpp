#include "sluice/gate/token_buckets.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace sluice {
namespace {

constexpr std::size_t kWays = 4;

}  // namespace

TokenBuckets::TokenBuckets(BucketSettings settings) : key_(random_hash_key()) {
  if (settings.rate_per_s <= 0) return;
  interval_ns_ = std::max<std::int64_t>(1, static_cast<std::int64_t>(1e9 / settings.rate_per_s));
  tolerance_ns_ =
      static_cast<std::int64_t>(static_cast<double>(interval_ns_) * (settings.burst - 1));
  const auto slots = std::bit_ceil(std::max(settings.slots, kWays));
  set_mask_ = slots / kWays - 1;
  slots_ = std::make_unique<Slot[]>(slots);
}

Millis TokenBuckets::take(std::string_view key, Ticks now) {
  if (interval_ns_ == 0) return Millis{0};
  const auto hash = keyed_hash(key_, key);
  // 0 marks a slot that nobody ever used.
  const auto tag = std::max<std::uint64_t>(hash, 1);
  Slot* set = &slots_[(hash & set_mask_) * kWays];
  const auto now_ns = now.time_since_epoch().count();

  Slot* mine = nullptr;
  Slot* oldest = set;
  for (Slot* slot = set; slot != set + kWays; ++slot) {
    if (slot->tag.load(std::memory_order_relaxed) == tag) {
      mine = slot;
      break;
    }
    if (slot->arrival_ns.load(std::memory_order_relaxed) <
        oldest->arrival_ns.load(std::memory_order_relaxed)) {
      oldest = slot;
    }
  }
  if (mine == nullptr) {
    // Two threads may claim a slot at once; the loser's key then shares it for one request.
    mine = oldest;
    mine->tag.store(tag, std::memory_order_relaxed);
    mine->arrival_ns.store(now_ns, std::memory_order_relaxed);
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
