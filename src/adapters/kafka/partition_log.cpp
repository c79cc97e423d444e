#include "partition_log.hpp"

#include <algorithm>
#include <utility>

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

void PartitionLog::read_again() { jump_ ? jump_to(*jump_) : read_from(next_); }

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
  auto& range = delivery.range.emplace(OffsetRange{topic, partition, next_, next_, log_time_});
  if (jump_) {
    range.next = next_ = *std::exchange(jump_, std::nullopt);
    return delivery;
  }
  for (; max > 0 && !entries_.empty(); --max) {
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
  return delivery;
}

PartitionLog::Content read_record(const rd_kafka_message_t& record, const KafkaSettings& settings) {
  const std::string_view text(static_cast<const char*>(record.payload), record.len);
  const auto poison = [&](const std::string& why) {
    return Poison{std::string(text.substr(0, kPoisonKept)),
                  "offset " + std::to_string(record.offset) + ": " + why};
  };
  if (record.payload == nullptr) return poison("no value");
  if (text.empty()) return poison("an empty value");
  if (text.size() > static_cast<std::size_t>(settings.message_bytes_max)) {
    return poison(std::to_string(text.size()) + " bytes, more than " +
                  std::to_string(settings.message_bytes_max));
  }
  if (auto message = parse_order_message(text)) return *std::move(message);
  const auto fence = parse_fence(text);
  if (!fence) return poison("not an order message of version 1");
  // Only behind the lane's own messages does it mean what it says.
  if (lane_partition(fence->lane, settings.partitions) != record.partition) {
    return poison("a fence of a lane of another partition");
  }
  return *fence;
}

}  // namespace sluice::kafka
