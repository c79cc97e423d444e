#include "http/probes.hpp"

#include <nlohmann/json.hpp>

namespace sluice::http {

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
