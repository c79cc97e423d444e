#include "sluice/adapters/kafka/settings.hpp"

#include <string_view>

namespace sluice {
namespace {

constexpr std::size_t kNameMax = 249;

bool valid_topic(std::string_view name) {
  if (name.empty() || name.size() > kNameMax || name == "." || name == "..") return false;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

struct Bounds {
  std::string_view name;
  std::int64_t value;
  std::int64_t min;
  std::int64_t max;
};

}  // namespace

std::optional<std::string> check(const KafkaSettings& s) {
  if (s.brokers.empty()) return "brokers must name at least one host:port";
  if (!valid_topic(s.topic)) return "topic must be 1 to 249 of [A-Za-z0-9._-]";
  if (!valid_topic(s.dead_letter_topic)) {
    return "dead_letter_topic must be 1 to 249 of [A-Za-z0-9._-]";
  }
  if (s.topic == s.dead_letter_topic) return "dead_letter_topic must differ from topic";
  if (s.group.empty() || s.group.size() > kNameMax) return "group must have 1 to 249 bytes";
  const Bounds all[] = {
      {"partitions", s.partitions, 1, 1'024},
      {"replication", s.replication, 1, 15},
      {"linger", s.linger.count(), 0, 100},
      {"delivery_timeout", s.delivery_timeout.count(), 500, 300'000},
      {"client_messages_max", s.client_messages_max, 1'024, 10'000'000},
      {"client_kbytes_max", s.client_kbytes_max, 1'024, 2'097'151},
      {"session_timeout", s.session_timeout.count(), 6'000, 300'000},
      {"max_poll_interval", s.max_poll_interval.count(), s.session_timeout.count(), 3'600'000},
      {"prefetch_kbytes_max", s.prefetch_kbytes_max, 64, 1'048'576},
      {"message_bytes_max", s.message_bytes_max, 512, 65'536},
      {"end_margin", s.end_margin.count(), 0, 60'000},
  };
  for (const auto& [name, value, min, max] : all) {
    if (value >= min && value <= max) continue;
    return std::string(name) + " must be " + std::to_string(min) + " to " + std::to_string(max) +
           ", not " + std::to_string(value);
  }
  return std::nullopt;
}

std::int32_t lane_partition(const LaneId& lane, std::int32_t partitions) noexcept {
  auto mixed = static_cast<std::uint64_t>(lane.sale) + 0x9e3779b97f4a7c15U;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
  mixed ^= mixed >> 31U;
  const auto count = static_cast<std::uint64_t>(partitions);
  return static_cast<std::int32_t>((mixed % count + lane.index) % count);
}

}  // namespace sluice
