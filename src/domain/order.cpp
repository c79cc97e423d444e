#include "sluice/domain/order.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "sluice/base/text.hpp"

namespace sluice {
namespace {

using nlohmann::json;

constexpr int kMessageVersion = 1;

constexpr std::array<std::string_view, 6> kStatusNames = {"queued",   "confirmed", "paid",
                                                          "rejected", "cancelled", "expired"};
constexpr std::array<std::string_view, 5> kReasonNames = {"none", "stock", "duplicate", "fenced",
                                                          "invalid"};
constexpr std::array<std::string_view, 3> kMoveNames = {"pay", "cancel", "expire"};

std::optional<std::int64_t> integer(const json& object, const char* member, std::int64_t min,
                                    std::int64_t max) {
  const auto it = object.find(member);
  if (it == object.end() || !it->is_number_integer()) return std::nullopt;
  if (it->is_number_unsigned() && it->get<std::uint64_t>() > static_cast<std::uint64_t>(max)) {
    return std::nullopt;
  }
  const auto value = it->get<std::int64_t>();
  if (value < min || value > max) return std::nullopt;
  return value;
}

const std::string* text(const json& object, const char* member) {
  const auto it = object.find(member);
  return it == object.end() ? nullptr : it->get_ptr<const std::string*>();
}

/// The object whose text is exactly `bytes`; null when there is none, or a member stands there
/// twice. What is nested in it is left out.
json parse_flat_object(std::string_view bytes) {
  // The parser would take a NUL for the end of the text.
  if (bytes.find('\0') != std::string_view::npos) return nullptr;
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
  if (!object.is_object() || repeated) return nullptr;
  return object;
}

}  // namespace

std::string_view name(OrderStatus status) noexcept {
  return kStatusNames[static_cast<std::size_t>(status)];
}

std::string_view name(Move move) noexcept { return kMoveNames[static_cast<std::size_t>(move)]; }

std::string_view name(RejectReason reason) noexcept {
  return kReasonNames[static_cast<std::size_t>(reason)];
}

std::optional<OrderStatus> parse_order_status(std::string_view text) noexcept {
  return find_name<OrderStatus>(kStatusNames, text);
}

std::optional<RejectReason> parse_reject_reason(std::string_view text) noexcept {
  return find_name<RejectReason>(kReasonNames, text);
}

std::string to_json(const OrderMessage& message) {
  // Every member is made of characters that JSON does not escape, so plain joining is exact.
  std::string out;
  out.reserve(200);
  out += R"({"v":1,"order_id":")";
  out += message.id.text();
  out += R"(","sale_id":)";
  out += std::to_string(message.lane.sale);
  out += R"(,"lane":)";
  out += std::to_string(message.lane.index);
  out += R"(,"epoch":)";
  out += std::to_string(message.epoch);
  out += R"(,"user":")";
  out += message.user.text();
  out += R"(","quantity":)";
  out += std::to_string(message.quantity);
  out += R"(,"reserved_at_ms":)";
  out += std::to_string(message.reserved_at.time_since_epoch().count());
  out += '}';
  return out;
}

std::optional<OrderMessage> parse_order_message(std::string_view bytes) {
  const auto object = parse_flat_object(bytes);
  if (!object.is_object()) return std::nullopt;
  if (integer(object, "v", kMessageVersion, kMessageVersion) != kMessageVersion) {
    return std::nullopt;
  }
  const auto* id_text = text(object, "order_id");
  const auto* user_text = text(object, "user");
  if (id_text == nullptr || user_text == nullptr) return std::nullopt;
  const auto id = OrderId::parse(*id_text);
  const auto user = UserId::parse(*user_text);
  const auto sale = integer(object, "sale_id", 1, INT64_MAX);
  const auto lane = integer(object, "lane", 0, kLanesMax - 1);
  const auto epoch = integer(object, "epoch", 1, kEpochMax);
  const auto quantity = integer(object, "quantity", 1, INT32_MAX);
  const auto reserved_at = integer(object, "reserved_at_ms", 0, INT64_MAX >> 16);
  if (!id || !user || !sale || !lane || !epoch || !quantity || !reserved_at) return std::nullopt;
  if (id->lane() != *lane || id->epoch() != *epoch) return std::nullopt;
  const LaneId lane_id{*sale, static_cast<std::uint32_t>(*lane)};
  return OrderMessage{*id,
                      lane_id,
                      static_cast<Epoch>(*epoch),
                      *user,
                      static_cast<std::uint32_t>(*quantity),
                      TimePoint(Millis(*reserved_at))};
}

std::string to_json(const Fence& fence) {
  return R"({"v":1,"fence":)" + std::to_string(fence.epoch) + R"(,"sale_id":)" +
         std::to_string(fence.lane.sale) + R"(,"lane":)" + std::to_string(fence.lane.index) + '}';
}

std::optional<Fence> parse_fence(std::string_view bytes) {
  const auto object = parse_flat_object(bytes);
  if (!object.is_object()) return std::nullopt;
  if (integer(object, "v", kMessageVersion, kMessageVersion) != kMessageVersion) {
    return std::nullopt;
  }
  const auto epoch = integer(object, "fence", 1, kEpochMax);
  const auto sale = integer(object, "sale_id", 1, INT64_MAX);
  const auto lane = integer(object, "lane", 0, kLanesMax - 1);
  if (!epoch || !sale || !lane) return std::nullopt;
  return Fence{{*sale, static_cast<std::uint32_t>(*lane)}, static_cast<Epoch>(*epoch)};
}

}  // namespace sluice
