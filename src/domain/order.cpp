#include "sluice/domain/order.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <vector>

namespace sluice {
namespace {

using nlohmann::json;

/// The member's value when it is a whole number of that range, of which `min` is not negative.
std::optional<std::int64_t> integer(const json& object, const char* member, std::int64_t min,
                                    std::int64_t max) {
  const auto it = object.find(member);
  if (it == object.end() || !it->is_number_integer()) return std::nullopt;
  // One that does not fit becomes negative.
  const auto value = it->get<std::int64_t>();
  if (value < min || value > max) return std::nullopt;
  return value;
}

std::optional<LaneId> lane_id(const json& object) {
  const auto sale = integer(object, "sale_id", 1, INT64_MAX);
  const auto lane = integer(object, "lane", 0, kLanesMax - 1);
  if (!sale || !lane) return std::nullopt;
  return LaneId{*sale, static_cast<std::uint32_t>(*lane)};
}

/// Empty when there is no such text.
std::string_view text(const json& object, const char* member) {
  const auto it = object.find(member);
  if (it == object.end() || !it->is_string()) return {};
  return it->get_ref<const std::string&>();
}

/// The version 1 object whose text is exactly `bytes`; else, or if a member stands there twice, an
/// object without members. What is nested in it is left out.
json parse_flat_object(std::string_view bytes) {
  std::vector<std::string> members;
  bool repeated = false;
  const auto keep = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth == 1 && event == json::parse_event_t::key) {
      auto& member = parsed.get_ref<std::string&>();
      repeated = repeated || std::ranges::find(members, member) != members.end();
      members.push_back(member);
    }
    return depth <= 1;
  };
  auto object = json::parse(bytes, keep, false);
  // The parser takes a NUL for the end of the text.
  const bool whole = bytes.find('\0') == std::string_view::npos;
  if (!whole || repeated || !object.is_object() || !integer(object, "v", 1, 1)) {
    return json::object();
  }
  return object;
}

}  // namespace

std::string to_json(const OrderMessage& message) {
  // Every member is made of characters that JSON does not escape, so plain joining is exact.
  return fmt::format(R"({{"v":1,"order_id":"{}","sale_id":{},"lane":{},"epoch":{},)"
                     R"("user":"{}","quantity":{},"reserved_at_ms":{}}})",
                     message.id.text(), message.lane.sale, message.lane.index, message.epoch,
                     message.user.text(), message.quantity,
                     message.reserved_at.time_since_epoch().count());
}

std::optional<OrderMessage> parse_order_message(std::string_view bytes) {
  const auto object = parse_flat_object(bytes);
  const auto id = OrderId::parse(text(object, "order_id"));
  const auto user = UserId::parse(text(object, "user"));
  const auto lane = lane_id(object);
  const auto epoch = integer(object, "epoch", 1, kEpochMax);
  const auto quantity = integer(object, "quantity", 1, INT32_MAX);
  const auto reserved_at = integer(object, "reserved_at_ms", 0, INT64_MAX >> 16);
  if (!id || !user || !lane || !epoch || !quantity || !reserved_at) return std::nullopt;
  if (id->lane() != lane->index || id->epoch() > *epoch) return std::nullopt;
  return OrderMessage{*id,
                      *lane,
                      static_cast<Epoch>(*epoch),
                      *user,
                      static_cast<std::uint32_t>(*quantity),
                      TimePoint(Millis(*reserved_at))};
}

std::string to_json(const Fence& fence) {
  return fmt::format(R"({{"v":1,"fence":{},"sale_id":{},"lane":{}}})", fence.epoch, fence.lane.sale,
                     fence.lane.index);
}

std::optional<Fence> parse_fence(std::string_view bytes) {
  const auto object = parse_flat_object(bytes);
  const auto epoch = integer(object, "fence", 1, kEpochMax);
  const auto lane = lane_id(object);
  if (!epoch || !lane) return std::nullopt;
  return Fence{*lane, static_cast<Epoch>(*epoch)};
}

}  // namespace sluice
