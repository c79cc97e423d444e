#include "http/recovery_json.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "http/json_body.hpp"

namespace sluice::http {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kAutomatic = "auto";

std::string_view name(Authority authority) {
  return authority == Authority::store ? "store" : "inventory";
}

Json inventory_json(const std::optional<LaneView>& view) {
  if (!view) return nullptr;
  return {{"ready", view->ready},
          {"epoch", view->epoch},
          {"stock", view->stock},
          {"pending", view->pending},
          {"held", view->held}};
}

Json lane_json(const LaneAudit& lane) {
  const auto& figures = lane.figures;
  const auto& head = figures.head;
  return {{"lane", figures.lane.index},
          {"authority", name(head.authority())},
          {"stage", name(lane.stage)},
          {"fence_epoch", head.fence},
          {"newest_epoch", head.newest},
          {"suspect_epoch", head.suspect},
          {"initial", figures.initial},
          {"stock", figures.stock},
          {"live_units", figures.live_units},
          {"live_orders", figures.live_orders},
          {"returning", figures.returning},
          {"rejected_stock", figures.rejected_stock},
          {"rejected_duplicate", figures.rejected_duplicate},
          {"conserved", figures.conserved()},
          {"inventory", inventory_json(lane.inventory)},
          {"drift", lane.drift ? Json(*lane.drift) : Json()}};
}

}  // namespace

std::string audit_json(const SaleAudit& audit) {
  Json lanes = Json::array();
  for (const auto& lane : audit.lanes) lanes.push_back(lane_json(lane));
  const Json json = {
      {"sale_id", audit.sale}, {"holds", audit.holds()}, {"lanes", std::move(lanes)}};
  return json.dump();
}

std::string flow_json(const ModeReport& report) {
  const auto& state = report.state;
  const Json json = {
      {"mode", name(report.mode)},
      {"held", state.held ? name(*state.held) : kAutomatic},
      {"leads", report.leads},
      {"backlogged", state.backlogged},
      {"lag_messages", state.behind},
      {"wait_ms", state.wait.count()},
      {"admitted_per_s", state.admitted_per_s ? Json(*state.admitted_per_s) : Json()},
      {"store_lanes", state.store_lanes.size()}};
  return json.dump();
}

std::variant<bool, Answer> parse_force(std::string_view body) {
  auto parsed = parse_json_object(body);
  if (auto* answer = std::get_if<Answer>(&parsed)) return std::move(*answer);
  bool force = false;
  for (const auto& [member, value] : std::get<JsonMembers>(parsed)) {
    if (member != "force") return unknown_member(member, {"force"});
    const auto* given = std::get_if<bool>(&value);
    if (given == nullptr) return refused(Code::invalid_parameter, "force must be true or false");
    force = *given;
  }
  return force;
}

std::variant<std::optional<OperatingMode>, Answer> parse_held_mode(std::string_view body) {
  auto parsed = parse_json_object(body);
  if (auto* answer = std::get_if<Answer>(&parsed)) return std::move(*answer);
  std::string wanted;
  for (const auto& [member, value] : std::get<JsonMembers>(parsed)) {
    if (member != "mode") return unknown_member(member, {"mode"});
    if (const auto* text = std::get_if<std::string>(&value)) wanted = *text;
  }
  if (wanted == kAutomatic) return std::optional<OperatingMode>{};
  if (const auto mode = parse_name<OperatingMode>(wanted)) return mode;
  return refused(Code::invalid_parameter, "mode must be auto, normal, bypass or database");
}

}  // namespace sluice::http
