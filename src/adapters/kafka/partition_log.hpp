#pragma once

#include <cstdint>
#include <deque>
#include <librdkafka/rdkafka.h>
#include <optional>
#include <string>
#include <variant>

#include "sluice/adapters/kafka/settings.hpp"
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
    outside,  ///< The position does not exist in the partition; what arrives is dropped.
  };

  using Content = std::variant<OrderMessage, Fence, Poison>;

  State state() const noexcept { return state_; }

  /// Where the next delivery begins, unless `lost`.
  std::int64_t next() const noexcept { return next_; }

  /// Where reading goes on when nothing is read ahead.
  std::int64_t resume() const noexcept { return jump_.value_or(next_); }

  /// Drops what was read ahead; reading goes on at `next`.
  void read_from(std::int64_t next);

  /// The same at `resume`.
  void read_again();

  /// From `outside`: the next delivery moves the position to `target`, forward or back, without
  /// messages; reading goes on there.
  void jump_to(std::int64_t target);

  void lose() { drop(State::lost); }
  void fall_outside() { drop(State::outside); }

  /// The record at `offset`. One before what was read already is dropped, as is any in another
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
    return state_ == State::reading && (jump_ || !entries_.empty() || fetched_ > next_);
  }

  std::size_t size() const noexcept { return entries_.size(); }
  std::size_t poison_bytes() const noexcept { return poison_bytes_; }

  /// The next stretch, at most `max` records; call it only when `ready`. Fences end it: what comes
  /// behind them is in the next one. Gaps in the offsets belong to the stretch before them.
  Delivery take(const std::string& topic, std::int32_t partition, std::size_t max);

 private:
  struct Entry {
    std::int64_t offset;
    std::optional<TimePoint> log_time;
    Content content;
  };

  void drop(State state);

  State state_ = State::lost;
  std::int64_t next_ = 0;             // Delivered up to here.
  std::int64_t fetched_ = 0;          // Read ahead up to here.
  std::optional<std::int64_t> jump_;  // To be delivered: the position moves there.
  TimePoint log_time_{};              // Of what was delivered last.
  std::optional<TimePoint> quiet_;
  std::deque<Entry> entries_;
  std::size_t poison_bytes_ = 0;
};

/// What a record of the log is: an order, a fence of a lane of that partition, or poison with the
/// reason, of which at most 64 KiB are kept.
PartitionLog::Content read_record(const rd_kafka_message_t& record, const KafkaSettings& settings);

}  // namespace sluice::kafka
