#include "adapters/redis/result_message.hpp"

#include <nlohmann/json.hpp>

namespace sluice::redis {
namespace {

using nlohmann::json;

constexpr std::size_t kMessageBytesMax = 64 * 1024;
constexpr int kVersion = 1;

/// Throws when a part is no string or missing.
std::optional<Outcome> parse_outcome(const json& entry) {
  const auto part = [&](std::size_t i) -> const std::string& {
    return entry.at(i).get_ref<const std::string&>();
  };
  const auto id = OrderId::parse(part(0));
  const auto status = parse_name<OrderStatus>(part(1));
  const auto reason = entry.size() == 2 ? RejectReason::none : parse_name<RejectReason>(part(2));
  if (!id || !status || !reason || entry.size() > 3) return std::nullopt;
  return Outcome{*id, *status, *reason};
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

std::optional<std::vector<Outcome>> parse_outcomes(std::string_view text) try {
  if (text.size() > kMessageBytesMax) return std::nullopt;
  const json message = json::parse(text);
  const auto& entries = message.at("outcomes").get_ref<const json::array_t&>();
  const bool known = message.size() == 2 && message.at("v") == kVersion;
  if (!known || entries.size() > kOutcomesMax) return std::nullopt;
  std::vector<Outcome> outcomes;
  outcomes.reserve(entries.size());
  for (const auto& entry : entries) {
    const auto outcome = parse_outcome(entry);
    if (!outcome) return std::nullopt;
    outcomes.push_back(*outcome);
  }
  return outcomes;
} catch (const json::exception&) {
  return std::nullopt;
}

}  // namespace sluice::redis
