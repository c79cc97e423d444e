#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "sluice/base/time.hpp"

namespace sluice::redis {

/// A server's clock, by what it said in the quickest answer of late. It was that time at the least
/// when the answer came, so a moment of ours is there what `at` says or later: a call that is not
/// to be carried out after it is refused a little early at worst.
class RemoteClock {
 public:
  /// An answer that came at `received` was written when it was `unix_ms` there.
  void heard(Ticks received, std::int64_t unix_ms) {
    const auto offset = unix_ms - std::chrono::ceil<Millis>(received.time_since_epoch()).count();
    if (offset_ms_ && offset < *offset_ms_ && received - heard_at_ < kOfLate) return;
    offset_ms_ = offset;
    heard_at_ = received;
  }

  /// In Unix milliseconds; 0 when nothing was heard for so long that the clocks may have parted.
  std::int64_t at(Ticks moment) const {
    if (!offset_ms_ || moment - heard_at_ > kHoldsFor) return 0;
    const auto ms = std::chrono::floor<Millis>(moment.time_since_epoch()).count();
    return std::max<std::int64_t>(ms + *offset_ms_, 1);
  }

 private:
  /// A clock that was set back is followed after this time.
  static constexpr Millis kOfLate{10'000};
  /// A clock that is being corrected (adjtime: 500 parts in a million) parts by 30 ms in this time.
  static constexpr Millis kHoldsFor{60'000};

  std::optional<std::int64_t> offset_ms_;
  Ticks heard_at_{};
};

}  // namespace sluice::redis
