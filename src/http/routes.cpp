#include "http/routes.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "sluice/base/text.hpp"

namespace sluice::http {

std::string_view name(RouteClass route) noexcept {
  constexpr std::array<std::string_view, kRouteClasses> kNames = {
      "purchase", "order", "sales", "probe", "file", "demo", "metrics", "admin", "none"};
  return kNames[static_cast<std::size_t>(route)];
}

Reply counted_as(RouteClass route, Reply reply) {
  reply.route = route;
  return reply;
}

bool fits(std::string_view path, std::string_view pattern, Target& target) {
  const auto end = [](std::string_view text) { return std::min(text.find('/', 1), text.size()); };
  target = Target();
  while (!pattern.empty() && !path.empty()) {
    const auto wanted = pattern.substr(0, end(pattern));
    const auto given = path.substr(0, end(path));
    if (wanted == "/{sale}") {
      target.sale = parse_sale_id(given.substr(1));
    } else if (wanted == "/{order}") {
      target.order = OrderId::parse(given.substr(1));
    } else if (wanted != given) {
      return false;
    }
    pattern.remove_prefix(wanted.size());
    path.remove_prefix(given.size());
  }
  return path.empty() && pattern.empty();
}

std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (!equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) return {};
  return trimmed(authorization.substr(kScheme.size()));
}

Answer health() { return json_answer(200, R"({"status":"ok"})"); }

Answer readiness(const ReadyState& state, bool with_problems) {
  using Json = nlohmann::ordered_json;
  Json checks = Json::array();
  for (const auto& check : state.checks) {
    Json entry = {{"name", check.name}, {"ok", check.problem.empty()}};
    if (check.tolerated) entry["tolerated"] = true;
    if (with_problems && !check.problem.empty()) entry["problem"] = check.problem;
    checks.push_back(std::move(entry));
  }
  const Json json = {
      {"ready", state.ready()}, {"draining", state.draining}, {"checks", std::move(checks)}};
  return json_answer(state.ready() ? 200 : 503,
                     json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace sluice::http
