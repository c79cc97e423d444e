#include "http/operator_json.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "http/time_text.hpp"

namespace sluice::http {
namespace {

using Json = nlohmann::ordered_json;

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

Json copy_json(const std::optional<CopyProgress>& copy) {
  if (!copy) return nullptr;
  return {{"staged_units", copy->staged_units}, {"units", copy->units}};
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
          {"copy", copy_json(lane.copy)},
          {"drift", lane.drift ? Json(*lane.drift) : Json()}};
}

}  // namespace

std::string order_json(const Order& order) {
  Json json = {
      {"order_id", order.id.text()}, {"sale_id", order.lane.sale},
      {"user", order.user.text()},   {"status", name(order.status)},
      {"quantity", order.quantity},  {"amount_minor", order.unit_price_minor * order.quantity},
      {"currency", order.currency}};
  if (order.status == OrderStatus::confirmed && order.pay_by) {
    json["pay_by"] = rfc3339(*order.pay_by);
  }
  return json.dump();
}

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
      {"held", state.held ? name(*state.held) : "auto"},
      {"leads", report.leads},
      {"backlogged", state.backlogged},
      {"lag_messages", state.behind},
      {"wait_ms", state.wait.count()},
      {"admitted_per_s", state.admitted_per_s ? Json(*state.admitted_per_s) : Json()},
      {"store_lanes", state.store_lanes.size()}};
  return json.dump();
}

}  // namespace sluice::http
