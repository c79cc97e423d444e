#include "adapters/redis/result_message.hpp"

#include <nlohmann/json.hpp>

namespace sluice::redis {
namespace {

using nlohmann::json;

constexpr std::size_t kMessageBytesMax = 64 * 1024;
constexpr int kVersion = 1;

const std::string* as_string(const json& value) { return value.get_ptr<const std::string*>(); }

std::optional<Outcome> parse_outcome(const json& entry) {
  if (!entry.is_array() || entry.size() < 2 || entry.size() > 3) return std::nullopt;
  const auto* id = as_string(entry[0]);
  const auto* status = as_string(entry[1]);
  const auto* reason = entry.size() == 3 ? as_string(entry[2]) : nullptr;
  if (!id || !status || (entry.size() == 3 && !reason)) return std::nullopt;
  const auto order = OrderId::parse(*id);
  const auto known_status = parse_name<OrderStatus>(*status);
  const auto known_reason = reason ? parse_name<RejectReason>(*reason) : RejectReason::none;
  if (!order || !known_status || !known_reason) return std::nullopt;
  return Outcome{*order, *known_status, *known_reason};
}

}  // namespace

std::string to_json(In<Outcome> outcomes) {
  // No JSON library: no part needs escaping, and this runs once for each decided order.
  std::string out = "{\"v\":1,\"outcomes\":[";
  out.reserve(24 + outcomes.size() * 64);
  for (const auto& outcome : outcomes) {
    if (out.back() != '[') out += ',';
    out.append("[\"").append(outcome.id.text()).append("\",\"").append(name(outcome.status));
    if (outcome.reason != RejectReason::none) out.append("\",\"").append(name(outcome.reason));
    out += "\"]";
  }
  return out + "]}";
}

std::optional<std::vector<Outcome>> parse_outcomes(std::string_view text) {
  if (text.size() > kMessageBytesMax) return std::nullopt;
  const json message = json::parse(text, nullptr, false);
  if (!message.is_object() || message.size() != 2) return std::nullopt;
  const auto version = message.find("v");
  const auto entries = message.find("outcomes");
  if (version == message.end() || *version != kVersion) return std::nullopt;
  if (entries == message.end() || !entries->is_array() || entries->size() > kOutcomesMax) {
    return std::nullopt;
  }
  std::vector<Outcome> outcomes;
  outcomes.reserve(entries->size());
  for (const auto& entry : *entries) {
    const auto outcome = parse_outcome(entry);
    if (!outcome) return std::nullopt;
    outcomes.push_back(*outcome);
  }
  return outcomes;
}

}  // namespace sluice::redis
