#include "http/routes.hpp"

namespace sluice::http {

std::string_view name(RouteClass route) noexcept {
  switch (route) {
    case RouteClass::purchase:
      return "purchase";
    case RouteClass::order:
      return "order";
    case RouteClass::sales:
      return "sales";
    case RouteClass::probe:
      return "probe";
    case RouteClass::file:
      return "file";
    case RouteClass::demo:
      return "demo";
    case RouteClass::metrics:
      return "metrics";
    case RouteClass::admin:
      return "admin";
    case RouteClass::none:
      break;
  }
  return "none";
}

std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (!equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) return {};
  return trimmed(authorization.substr(kScheme.size()));
}

}  // namespace sluice::http
