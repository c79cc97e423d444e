#include "sluice/adapters/kafka/settings.hpp"

#include <string_view>

#include "sluice/base/text.hpp"

namespace sluice {
namespace {

constexpr std::size_t kNameMax = 249;
constexpr std::string_view kHeartbeats = ".heartbeats";

bool valid_topic(std::string_view name) {
  return name.size() <= kNameMax && name != "." && name != ".." && is_plain_name(name);
}

}  // namespace

std::string heartbeat_topic(const KafkaSettings& settings) {
  return settings.topic + std::string(kHeartbeats);
}

std::optional<std::string> check(const KafkaSettings& s) {
  if (s.brokers.empty()) return "brokers must name at least one host:port";
  if (!valid_topic(s.topic) || !valid_topic(heartbeat_topic(s))) {
    return "topic must be 1 to 238 of [A-Za-z0-9._-]";
  }
  if (!valid_topic(s.dead_letter_topic)) {
    return "dead_letter_topic must be 1 to 249 of [A-Za-z0-9._-]";
  }
  if (s.topic == s.dead_letter_topic) return "dead_letter_topic must differ from topic";
  if (s.dead_letter_topic == heartbeat_topic(s)) {
    return "dead_letter_topic must differ from the topic of heartbeats, which is topic.heartbeats";
  }
  if (s.group.empty() || s.group.size() > kNameMax) return "group must have 1 to 249 bytes";
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
