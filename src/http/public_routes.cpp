#include "http/public_routes.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "sluice/base/text.hpp"

#include "http/json_body.hpp"
#include "http/order_json.hpp"
#include "http/probes.hpp"
#include "http/sale_json.hpp"
#include "http/static_files.hpp"
#include "http/time_text.hpp"

namespace sluice::http {
namespace {

constexpr std::string_view kSales = "/v1/sales";

/// A node that has not read the sales yet must not deny one: somebody may hold an order in it.
Answer no_sale(const SaleSnapshot& snapshot) {
  constexpr Millis kRetryAfter{1000};
  if (snapshot.loaded) return refused(Code::unknown_sale);
  return refused(Refusal{Code::not_ready, kRetryAfter});
}

/// The quantity that a body asks for; without a body or the member it is 1.
std::variant<std::uint32_t, Answer> parse_quantity(const Request& request, std::uint32_t limit) {
  if (!request.has_body) return 1U;
  auto parsed = read_json(request, parse_json_object);
  if (auto* answer = std::get_if<Answer>(&parsed)) return std::move(*answer);
  std::uint32_t quantity = 1;
  for (const auto& [name, value] : std::get<JsonMembers>(parsed)) {
    if (name != "quantity") return unknown_member(name, {"quantity"});
    const auto* number = std::get_if<std::int64_t>(&value);
    if (number == nullptr || *number < 1) return refused(Code::invalid_quantity);
    if (*number > limit) return refused(Code::quantity_over_limit);
    quantity = static_cast<std::uint32_t>(*number);
  }
  return quantity;
}

/// A body may be an object without members. Empty when it is; else the refusal.
std::optional<Answer> refuse_members(const Request& request) {
  if (!request.has_body) return std::nullopt;
  auto parsed = read_json(request, parse_json_object);
  if (auto* answer = std::get_if<Answer>(&parsed)) return std::move(*answer);
  const auto& members = std::get<JsonMembers>(parsed);
  if (members.empty()) return std::nullopt;
  return unknown_member(members.front().first, {});
}

/// The one parameter `wait`, at most once: milliseconds up to `wait_max`. Empty when it is invalid.
std::optional<Millis> parse_wait(std::string_view query, Millis wait_max) {
  constexpr std::string_view kName = "wait=";
  if (query.empty()) return Millis{0};
  if (!query.starts_with(kName)) return std::nullopt;
  const auto digits = query.substr(kName.size());
  const auto wait_ms = parse_number<std::uint64_t>(digits);
  if (!wait_ms || *wait_ms > static_cast<std::uint64_t>(wait_max.count())) return std::nullopt;
  return Millis{static_cast<std::int64_t>(*wait_ms)};
}

/// A few questions over the time that a backlogged order waits: a crowd that asks more often only
/// lengthens the wait.
Millis poll_after(const PurchaseAnswer& bought, const PublicSettings& settings) {
  constexpr Millis kPollAfterMax{30'000};
  if (!bought.backlogged) return settings.poll_after;
  return std::max(settings.poll_after_backlogged, std::min<Millis>(bought.wait / 4, kPollAfterMax));
}

}  // namespace

// What the crowd asks for stands first.
constexpr std::array<Route<PublicRoutes>, 9> PublicRoutes::kRoutes = {{
    {Method::post, "/v1/sales/{sale}/orders", RouteClass::purchase, &PublicRoutes::purchase},
    {Method::get, "/v1/sales/{sale}/orders/mine", RouteClass::order, &PublicRoutes::mine, true},
    {Method::get, "/v1/sales/{sale}/orders/{order}", RouteClass::order, &PublicRoutes::order, true},
    {Method::post, "/v1/sales/{sale}/orders/{order}/cancel", RouteClass::order,
     &PublicRoutes::cancel},
    {Method::get, "/v1/sales/{sale}", RouteClass::sales, &PublicRoutes::one_sale},
    {Method::get, kSales, RouteClass::sales, &PublicRoutes::all_sales},
    {Method::post, "/demo/token", RouteClass::demo, &PublicRoutes::demo_token},
    {Method::get, "/healthz", RouteClass::probe, &PublicRoutes::health, true},
    {Method::get, "/readyz", RouteClass::probe, &PublicRoutes::readiness, true},
}};

Reply PublicRoutes::route(const Request& request, std::string_view ip) {
  const Match<PublicRoutes> match(kRoutes, request);
  // Whoever watches this server must not be kept out by the crowd.
  if (!match || match.counted_as() != RouteClass::probe) {
    if (const auto refusal = ports_.api.admit(ip)) return refused(*refusal);
  }
  const bool is_off = match && match.counted_as() == RouteClass::demo && !ports_.demo_token;
  if (!match || is_off) return counted_as(RouteClass::file, static_file(request));
  return match.answer(*this);
}

Reply PublicRoutes::health(const Request&, const Target&) { return http::health(); }

Reply PublicRoutes::readiness(const Request&, const Target&) {
  return http::readiness(ports_.api.readiness(), false);
}

Reply PublicRoutes::all_sales(const Request&, const Target&) {
  const auto snapshot = ports_.api.sales();
  if (!snapshot->loaded) return no_sale(*snapshot);
  std::vector<const Sale*> sales;
  for (const auto& [id, sale] : snapshot->sales) sales.push_back(&sale);
  auto answer = json_answer(200, public_sales(std::move(sales), ports_.clock.now()));
  answer.headers = "Cache-Control: public, max-age=1\r\n";
  return answer;
}

Reply PublicRoutes::one_sale(const Request&, const Target& target) {
  const auto snapshot = ports_.api.sales();
  const auto* sale = target.sale ? snapshot->find(*target.sale) : nullptr;
  if (sale == nullptr) return no_sale(*snapshot);
  auto answer = json_answer(200, public_sale(*sale, ports_.clock.now()));
  answer.headers = "Cache-Control: public, max-age=1\r\n";
  return answer;
}

Reply PublicRoutes::demo_token(const Request& request, const Target&) {
  auto parsed = read_json(request, parse_user);
  if (auto* answer = std::get_if<Answer>(&parsed)) return std::move(*answer);
  const auto token = ports_.demo_token(std::get<UserId>(parsed));
  return json_answer(200, fmt::format(R"({{"token":"{}"}})", token));
}

std::variant<PublicRoutes::Asked, Answer> PublicRoutes::identify(const Request& request,
                                                                 const Target& target) {
  auto user = ports_.api.identify(bearer_token(request.authorization));
  if (!user) return refused(user.error());
  if (const auto refusal = ports_.api.admit_user(*user)) return refused(*refusal);
  Asked asked;
  asked.sales = ports_.api.sales();
  asked.sale = target.sale ? asked.sales->find(*target.sale) : nullptr;
  if (asked.sale == nullptr) return no_sale(*asked.sales);
  asked.user = std::move(*user);
  return asked;
}

Reply PublicRoutes::purchase(const Request& request, const Target& target) {
  auto asked = identify(request, target);
  if (auto* answer = std::get_if<Answer>(&asked)) return std::move(*answer);
  auto& who = std::get<Asked>(asked);
  auto quantity = parse_quantity(request, who.sale->terms.limit_per_order);
  if (auto* answer = std::get_if<Answer>(&quantity)) return std::move(*answer);
  return buy(std::move(who), std::get<std::uint32_t>(quantity));
}

Reply PublicRoutes::mine(const Request& request, const Target& target) {
  auto asked = identify(request, target);
  if (auto* answer = std::get_if<Answer>(&asked)) return std::move(*answer);
  if (!request.query.empty()) return refused(Code::invalid_parameter);
  return look_up_mine(std::move(std::get<Asked>(asked)));
}

Reply PublicRoutes::order(const Request& request, const Target& target) {
  auto asked = identify(request, target);
  if (auto* answer = std::get_if<Answer>(&asked)) return std::move(*answer);
  if (!target.order) return refused(Code::unknown_order);
  const auto patience = parse_wait(request.query, settings_.wait_max);
  if (!patience) {
    return refused(Code::invalid_parameter, fmt::format("the one parameter is wait, 0 to {} ms",
                                                        settings_.wait_max.count()));
  }
  return look_up(std::move(std::get<Asked>(asked)), *target.order, *patience);
}

Reply PublicRoutes::cancel(const Request& request, const Target& target) {
  auto asked = identify(request, target);
  if (auto* answer = std::get_if<Answer>(&asked)) return std::move(*answer);
  if (auto refusal = refuse_members(request)) return std::move(*refusal);
  if (!target.order) return refused(Code::unknown_order);
  return call_off(std::move(std::get<Asked>(asked)), *target.order);
}

PublicRoutes::Awaited PublicRoutes::buy(Asked asked, std::uint32_t quantity) {
  const auto bought = co_await ports_.api.buy(*asked.sale, asked.user, quantity);
  if (bought.kind == PurchaseAnswer::Kind::refused) co_return refused(bought.refusal);

  const auto& order = bought.order;
  const auto id = order.id.text();
  const bool accepted = bought.kind == PurchaseAnswer::Kind::queued;
  auto body = fmt::format(R"({{"order_id":"{}","sale_id":{},"status":"{}","quantity":{})", id,
                          asked.sale->id, name(order.status), order.quantity);
  auto out = std::back_inserter(body);
  if (order.status == OrderStatus::queued) {
    fmt::format_to(out, R"(,"poll_after_ms":{})", poll_after(bought, settings_).count());
  }
  if (accepted) {
    fmt::format_to(out, R"(,"backlogged":{},"decide_by":"{}")", bought.backlogged,
                   rfc3339(order.id.created_at() + settings_.decide_within + bought.wait));
  }
  body += '}';

  const unsigned status = accepted                                         ? 202
                          : bought.kind == PurchaseAnswer::Kind::confirmed ? 201
                                                                           : 200;
  auto answer = json_answer(status, std::move(body));
  answer.headers += fmt::format("Location: {}/{}/orders/{}\r\n", kSales, asked.sale->id, id);
  co_return answer;
}

PublicRoutes::Awaited PublicRoutes::look_up(Asked asked, OrderId id, Millis patience) {
  const auto found = co_await ports_.api.find(*asked.sale, id, asked.user, patience);
  co_return order_answer(*asked.sale, found);
}

PublicRoutes::Awaited PublicRoutes::look_up_mine(Asked asked) {
  const auto found = co_await ports_.api.mine(*asked.sale, asked.user);
  co_return order_answer(*asked.sale, found);
}

PublicRoutes::Awaited PublicRoutes::call_off(Asked asked, OrderId id) {
  const auto cancelled = co_await ports_.api.cancel(*asked.sale, id, asked.user);
  auto answer = order_answer(*asked.sale, cancelled);
  if (!cancelled && cancelled.error().code == Code::outcome_unknown) {
    answer.body = "The order may have been cancelled; ask again.";
  }
  co_return answer;
}

Answer PublicRoutes::order_answer(const Sale& sale, const LookUp& found) const {
  if (!found) return refused(found.error());
  const auto& [order, reason, pay_by] = *found;
  auto body = fmt::format(R"({{"order_id":"{}","sale_id":{},"status":"{}")", order.id.text(),
                          sale.id, name(order.status));
  auto out = std::back_inserter(body);
  if (order.status == OrderStatus::rejected) {
    fmt::format_to(out, R"(,"reason":"{}")", name(reason));
  }
  fmt::format_to(out, R"(,"quantity":{},"amount_minor":{},"currency":"{}")", order.quantity,
                 sale.terms.unit_price_minor * order.quantity, sale.terms.currency);
  if (order.status == OrderStatus::queued) {
    fmt::format_to(out, R"(,"poll_after_ms":{})", settings_.poll_after.count());
  }
  if (pay_by) fmt::format_to(out, R"(,"pay_by":"{}")", rfc3339(*pay_by));
  body += '}';
  return json_answer(200, std::move(body));
}

}  // namespace sluice::http
