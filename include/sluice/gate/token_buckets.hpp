#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "sluice/base/hash.hpp"
#include "sluice/base/time.hpp"

namespace sluice {

struct BucketSettings {
  double rate_per_s = 0;      ///< Sustained requests a second for each key; 0 turns the limit off.
  double burst = 1;           ///< Requests that may come at once, at least 1.
  std::size_t slots = 65536;  ///< Keys remembered at once, rounded up to a power of two.
};

/// Token buckets for many keys in fixed memory (16 bytes a slot), as GCRA: a slot holds the
/// theoretical arrival time of its key's next request (ITU-T I.371). A key owns one of the four
/// slots of its set while it has debt; when all four have debt, the one nearest to being free is
/// given up. The hash is keyed, so that nobody can aim at a stranger's slot. Thread-safe without
/// locks.
class TokenBuckets {
 public:
  explicit TokenBuckets(BucketSettings settings);

  /// Changes rate and burst at once; the slots stay as many as they are. What a key has used up
  /// counts on, as far as the new rate and burst have room for it.
  void set_rate(double rate_per_s, double burst);

  /// Takes one token of `key`. Zero: admitted; else how long until one is there.
  Millis take(std::string_view key, Ticks now);

  /// The same without taking it.
  Millis wait(std::string_view key, Ticks now) const;

 private:
  static constexpr std::size_t kWays = 4;

  struct Slot {
    std::atomic<std::uint64_t> tag{0};
    std::atomic<std::int64_t> arrival_ns{0};
  };

  /// The slots of a key lie in one cache line.
  struct alignas(64) Set {
    std::array<Slot, kWays> slots;
  };

  /// Until the next token is there for a key whose next arrival is that; negative: it is there.
  std::int64_t wait_ns(std::int64_t arrival_ns, std::int64_t now_ns) const;

  std::atomic<std::int64_t> interval_ns_{0};  ///< 0: off. Set after what it needs.
  std::atomic<std::int64_t> tolerance_ns_{0};
  const std::uint64_t set_mask_;
  const HashKey key_ = random_hash_key();
  std::mutex mutex_;             ///< Between changes of the rate.
  std::unique_ptr<Set[]> sets_;  ///< Made when a rate is set for the first time; then it stays.
};

}  // namespace sluice
