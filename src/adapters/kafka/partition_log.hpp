#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>

#include "sluice/base/time.hpp"
#include "sluice/domain/order.hpp"
#include "sluice/fulfilment/order_feed.hpp"

namespace sluice::kafka {

/// One assigned partition as its reader sees it: where reading goes on, and what was read ahead of
/// the deliveries. Pure.
class PartitionLog {
 public:
  enum class State : std::uint8_t {
    lost,  ///< The position must be read from the store; what arrives is dropped.
    reading,
    broken,  ///< The position is outside of the partition.
  };

  using Content = std::variant<OrderMessage, Poison>;

  State state() const noexcept { return state_; }

  /// Where the next delivery begins, in state `reading`.
  std::int64_t next() const noexcept { return next_; }

  /// Drops what was read ahead; reading goes on at `next`.
  void read_from(std::int64_t next);
  void lose() { drop(State::lost); }
  void break_off() { drop(State::broken); }

  /// The message at `offset`. One before what was read already is dropped, as is any in another
  /// state than `reading`. `log_time`: the broker's append time, empty if it has none.
  void add(std::int64_t offset, std::optional<TimePoint> log_time, Content content);

  /// The log ends at `offset`: whatever lies before it and did not arrive is no message.
  void end_at(std::int64_t offset);

  /// At some moment, when everything up to `log_time` was in the log, it ended at `end`. Noted if
  /// all of it was delivered.
  void ended(std::int64_t end, TimePoint log_time);

  /// Something to deliver, or an end to tell of.
  bool ready() const noexcept { return has_stretch() || quiet_.has_value(); }
  bool has_stretch() const noexcept {
    return state_ == State::reading && (!entries_.empty() || fetched_ > next_);
  }

  std::size_t size() const noexcept { return entries_.size(); }
  std::size_t poison_bytes() const noexcept { return poison_bytes_; }

  /// The next stretch, at most `max` messages and poison; call it only when `ready`. Gaps in the
  /// offsets belong to the stretch before them.
  Delivery take(const std::string& topic, std::int32_t partition, std::size_t max);

 private:
  struct Entry {
    std::int64_t offset;
    std::optional<TimePoint> log_time;
    Content content;
  };

  void drop(State state);

  State state_ = State::lost;
  std::int64_t next_ = 0;     // Delivered up to here.
  std::int64_t fetched_ = 0;  // Read ahead up to here.
  TimePoint log_time_{};      // Of what was delivered last.
  std::optional<TimePoint> quiet_;
  std::deque<Entry> entries_;
  std::size_t poison_bytes_ = 0;
};

/// What a message of the log is: an order, or poison with the reason, of which at most 64 KiB are
/// kept. `value` is null for a message without a value.
PartitionLog::Content read_message(const char* value, std::size_t size, std::int64_t offset,
                                   std::size_t size_max);

}  // namespace sluice::kafka
