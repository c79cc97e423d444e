#include "partition_log.hpp"

#include <algorithm>
#include <utility>

#include "sluice/adapters/kafka/settings.hpp"

namespace sluice::kafka {
namespace {

constexpr std::size_t kPoisonKept = 65'536;

}  // namespace

void PartitionLog::read_from(std::int64_t next) {
  drop(State::reading);
  next_ = next;
  fetched_ = next;
  log_time_ = {};
}

void PartitionLog::read_again() {
  const auto jump = jump_;
  read_from(next_);
  jump_ = jump;
  fetched_ = resume();
}

void PartitionLog::jump_to(std::int64_t target) {
  read_from(next_);
  jump_ = target;
  fetched_ = target;
}

void PartitionLog::drop(State state) {
  state_ = state;
  entries_.clear();
  jump_.reset();
  quiet_.reset();
  poison_bytes_ = 0;
}

void PartitionLog::add(std::int64_t offset, std::optional<TimePoint> log_time, Content content) {
  if (state_ != State::reading || offset < fetched_) return;
  if (const auto* poison = std::get_if<Poison>(&content)) poison_bytes_ += poison->bytes.size();
  entries_.push_back(Entry{offset, log_time, std::move(content)});
  fetched_ = offset + 1;
}

void PartitionLog::end_at(std::int64_t offset) {
  if (state_ == State::reading) fetched_ = std::max(fetched_, offset);
}

void PartitionLog::ended(std::int64_t end, TimePoint log_time) {
  if (state_ == State::reading && !has_stretch() && end == next_) quiet_ = log_time;
}

Delivery PartitionLog::take(const std::string& topic, std::int32_t partition, std::size_t max) {
  Delivery delivery;
  OffsetRange range{topic, partition, next_, next_, log_time_};
  if (jump_) {
    range.next = next_ = *std::exchange(jump_, std::nullopt);
    delivery.range = std::move(range);
    return delivery;
  }
  const auto count = std::min(max, entries_.size());
  for (std::size_t i = 0; i < count; ++i) {
    auto& entry = entries_.front();
    const auto* fence = std::get_if<Fence>(&entry.content);
    if (fence == nullptr && !range.fences.empty()) break;
    // Later messages may carry the same millisecond, so only the one before is complete.
    log_time_ = entry.log_time ? *entry.log_time - Millis{1} : log_time_;
    if (fence != nullptr) {
      range.fences.push_back(*fence);
    } else if (auto* poison = std::get_if<Poison>(&entry.content)) {
      poison_bytes_ -= poison->bytes.size();
      delivery.poison.push_back(std::move(*poison));
    } else {
      delivery.messages.push_back(std::get<OrderMessage>(std::move(entry.content)));
    }
    entries_.pop_front();
  }
  next_ = entries_.empty() ? fetched_ : entries_.front().offset;
  if (quiet_) log_time_ = std::max(log_time_, *std::exchange(quiet_, std::nullopt));
  range.next = next_;
  range.log_time = log_time_;
  delivery.range = std::move(range);
  return delivery;
}

PartitionLog::Content read_record(const char* value, std::size_t size, RecordPlace place,
                                  std::size_t size_max) {
  const auto at = "offset " + std::to_string(place.offset) + ": ";
  if (value == nullptr) return Poison{{}, at + "no value"};
  if (size == 0) return Poison{{}, at + "an empty value"};
  const std::string_view text(value, size);
  if (size > size_max) {
    return Poison{std::string(text.substr(0, kPoisonKept)),
                  at + std::to_string(size) + " bytes, more than " + std::to_string(size_max)};
  }
  if (auto message = parse_order_message(text)) return *std::move(message);
  const auto fence = parse_fence(text);
  if (!fence) return Poison{std::string(text), at + "not an order message of version 1"};
  // Only behind the lane's own messages does it mean what it says.
  if (lane_partition(fence->lane, place.partitions) != place.partition) {
    return Poison{std::string(text), at + "a fence of a lane of another partition"};
  }
  return *fence;
}

}  // namespace sluice::kafka
