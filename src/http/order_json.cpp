#include "http/order_json.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "http/json_body.hpp"
#include "http/time_text.hpp"

namespace sluice::http {

std::string operator_order(const Order& order) {
  nlohmann::ordered_json json = {
      {"order_id", order.id.text()}, {"sale_id", order.lane.sale},
      {"user", order.user.text()},   {"status", name(order.status)},
      {"quantity", order.quantity},  {"amount_minor", order.unit_price_minor * order.quantity},
      {"currency", order.currency}};
  if (order.status == OrderStatus::confirmed && order.pay_by) {
    json["pay_by"] = rfc3339(*order.pay_by);
  }
  return json.dump();
}

std::variant<UserId, Answer> parse_user(std::string_view body) {
  auto parsed = parse_json_object(body);
  if (auto* answer = std::get_if<Answer>(&parsed)) return std::move(*answer);
  std::optional<UserId> user;
  for (const auto& [name, value] : std::get<JsonMembers>(parsed)) {
    if (name != "user") return unknown_member(name, {"user"});
    if (const auto* text = std::get_if<std::string>(&value)) user = UserId::parse(*text);
  }
  if (user) return std::move(*user);
  return refused(Code::invalid_parameter, "user must be 1 to 64 characters of [A-Za-z0-9._-]");
}

}  // namespace sluice::http
