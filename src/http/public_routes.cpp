#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <span>
#include <utility>

#include "sluice/base/text.hpp"

#include "http/json_body.hpp"
#include "http/listening_server.hpp"
#include "http/page_query.hpp"
#include "http/sale_pages.hpp"
#include "http/static_files.hpp"
#include "http/time_text.hpp"

namespace sluice::http {
namespace {

constexpr std::string_view kSales = "/v1/sales";

/// A node that has not read the sales yet must not deny one: somebody may hold an order in it.
Answer no_sale(bool loaded) {
  constexpr Millis kRetryAfter{1000};
  if (loaded) return refused(Code::unknown_sale);
  return refused(Refusal{Code::not_ready, kRetryAfter});
}

/// The quantity that a body asks for; without a body or the member it is 1.
Parsed<std::uint32_t> read_quantity(const Request& request, std::uint32_t limit) {
  if (request.body.empty()) return 1U;
  const auto members = read_members(request, {"quantity"});
  if (!members) return members.error();
  if (members->empty()) return 1U;
  const auto* quantity = get_member<std::int64_t>(*members, "quantity");
  if (quantity == nullptr || *quantity < 1) return refused(Code::invalid_quantity);
  if (*quantity > limit) return refused(Code::quantity_over_limit);
  return static_cast<std::uint32_t>(*quantity);
}

/// The one parameter `wait`, at most once: milliseconds up to `wait_max`. Empty when it is invalid.
std::optional<Millis> parse_wait(std::string_view query, Millis wait_max) {
  constexpr std::string_view kName = "wait=";
  if (query.empty()) return Millis{0};
  if (!query.starts_with(kName)) return std::nullopt;
  const auto wait_ms = parse_number<std::uint64_t>(query.substr(kName.size()));
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

/// The public routes: gate, strict parameters and bodies, use cases, answers.
class PublicRoutes final : public Routes {
 public:
  PublicRoutes(PublicSettings settings, PublicPorts ports)
      : settings_(std::move(settings)), ports_(std::move(ports)) {}

  Reply route(const Request& request, const Sender& sender) override;

 private:
  using Awaited = boost::asio::awaitable<Answer>;

  /// Who asks, and about which sale.
  struct Asked {
    UserId user;
    std::shared_ptr<const Sale> sale;
  };

  Reply health(const Request&, const Target&) { return http::health(); }

  Reply readiness(const Request&, const Target&) {
    return http::readiness(*ports_.readiness.get(), false);
  }

  Reply all_sales(const Request& request, const Target&) {
    const auto query = read_page_query(request.query);
    if (!query) return query.error();
    const auto snapshot = sales_.hold();
    if (!snapshot->loaded) return no_sale(false);
    const auto now = ports_.clock.now();
    return answer_with(pages_.list(snapshot, *query, now), request, now);
  }

  Reply one_sale(const Request& request, const Target& target) {
    if (!target.known) return no_sale(loaded_);
    const auto snapshot = sales_.hold();
    const auto now = ports_.clock.now();
    const bool listed = snapshot->find(target.known->id) == target.known.get();
    auto page = listed ? pages_.one(snapshot, *target.known, now)
                       : std::make_shared<const SalePage>(render_sale(*target.known, now));
    return answer_with(std::move(page), request, now);
  }

  Reply demo_token(const Request& request, const Target&) {
    const auto user = read_user(request);
    if (!user) return user.error();
    return json_answer(200, fmt::format(R"({{"token":"{}"}})", ports_.demo_token(*user)));
  }

  /// Lets `handle` answer once it is known who asks.
  template <Reply (PublicRoutes::*handle)(const Request&, const Target&, Asked)>
  Reply identified(const Request& request, const Target& target) {
    auto user = ports_.api.identify(bearer_token(request.authorization), sender_.ip);
    if (!user) return refused(user.error());
    if (!target.known) return no_sale(loaded_);
    Asked asked{std::move(*user), target.known};
    return (this->*handle)(request, target, std::move(asked));
  }

  Reply purchase(const Request& request, const Target&, Asked asked) {
    const auto quantity = read_quantity(request, asked.sale->terms.limit_per_order);
    if (!quantity) return quantity.error();
    return buy(std::move(asked), *quantity, request.request_id);
  }

  Reply mine(const Request& request, const Target&, Asked asked) {
    if (!request.query.empty()) return refused(Code::invalid_parameter);
    auto found = ports_.api.mine(*asked.sale, asked.user);
    return show(std::move(asked), std::move(found));
  }

  Reply order(const Request& request, const Target& target, Asked asked) {
    if (!target.order) return refused(Code::unknown_order);
    const auto patience = parse_wait(request.query, settings_.wait_max);
    if (!patience) {
      return refused(Code::invalid_parameter, fmt::format("the one parameter is wait, 0 to {} ms",
                                                          settings_.wait_max.count()));
    }
    const Patience waits{*patience, sender_.gone};
    auto found = ports_.api.find(*asked.sale, *target.order, asked.user, waits);
    return show(std::move(asked), std::move(found));
  }

  Reply cancel(const Request& request, const Target& target, Asked asked) {
    const auto members = request.body.empty() ? JsonMembers() : read_members(request, {});
    if (!members) return members.error();
    if (!target.order) return refused(Code::unknown_order);
    auto cancelled = ports_.api.cancel(*asked.sale, *target.order, asked.user);
    return show(std::move(asked), std::move(cancelled),
                "The order may have been cancelled; ask again.");
  }

  static std::span<const Route<PublicRoutes>> table();
  Awaited buy(Asked asked, std::uint32_t quantity, std::string_view request_id);
  /// Answers a request about a sale that the snapshot does not have.
  Awaited look_up(KeptRequest request, SaleId sale, std::string ip, const bool* gone);
  Awaited show(Asked asked, boost::asio::awaitable<LookUp> work, std::string if_unknown = {});

  PublicSettings settings_;
  PublicPorts ports_;
  Sender sender_;        ///< Who sent the request that is routed now.
  bool loaded_ = false;  ///< Whether the sales were known when it came.
  SaleBook::Reader sales_{ports_.sales};
  SalePages pages_;
};

std::span<const Route<PublicRoutes>> PublicRoutes::table() {
  using Self = PublicRoutes;
  // What the crowd asks for stands first.
  static constexpr Route<Self> kRoutes[] = {
      {Method::post, "/v1/sales/{sale}/orders", RouteClass::purchase,
       &Self::identified<&Self::purchase>},
      {Method::get, "/v1/sales/{sale}/orders/mine", RouteClass::order,
       &Self::identified<&Self::mine>, true},
      {Method::get, "/v1/sales/{sale}/orders/{order}", RouteClass::order,
       &Self::identified<&Self::order>, true},
      {Method::post, "/v1/sales/{sale}/orders/{order}/cancel", RouteClass::order,
       &Self::identified<&Self::cancel>},
      {Method::get, "/v1/sales/{sale}", RouteClass::sales, &Self::one_sale},
      {Method::get, kSales, RouteClass::sales, &Self::all_sales, true},
      {Method::post, "/demo/token", RouteClass::demo, &Self::demo_token},
      {Method::get, "/healthz", RouteClass::probe, &Self::health, true},
      {Method::get, "/readyz", RouteClass::probe, &Self::readiness, true},
  };
  return kRoutes;
}

Reply PublicRoutes::route(const Request& request, const Sender& sender) {
  sender_ = sender;
  Match<PublicRoutes> match(table(), request);
  // Whoever watches this server must not be kept out by the crowd.
  if (!match || match.counted_as() != RouteClass::probe) {
    if (const auto refusal = ports_.api.admit(sender.ip)) return refused(*refusal);
  }
  const bool is_off = match && match.counted_as() == RouteClass::demo && !ports_.demo_token;
  if (!match || is_off) return counted_as(RouteClass::file, static_file(request));
  auto& target = match.target();
  const auto snapshot = sales_.hold();
  loaded_ = snapshot->loaded;
  if (target.sale) {
    if (const auto* sale = snapshot->find(*target.sale)) {
      target.known = {snapshot, sale};
    } else if (loaded_) {
      KeptRequest kept(request);
      return counted_as(match.counted_as(), look_up(std::move(kept), *target.sale,
                                                    std::string(sender.ip), sender.gone));
    }
  }
  return match.answer(*this);
}

PublicRoutes::Awaited PublicRoutes::look_up(KeptRequest request, SaleId sale, std::string ip,
                                            const bool* gone) {
  const auto found = co_await ports_.api.look_up(sale, ip);
  if (!found) co_return refused(found.error());
  sender_ = {ip, gone};
  loaded_ = true;
  Match<PublicRoutes> match(table(), request.get());
  match.target().known = *found;
  auto reply = match.answer(*this);
  if (reply.later.valid()) co_return co_await std::move(reply.later);
  co_return std::move(reply.answer);
}

PublicRoutes::Awaited PublicRoutes::buy(Asked asked, std::uint32_t quantity,
                                        std::string_view request_id) {
  const auto bought = co_await ports_.api.buy(*asked.sale, asked.user, quantity, request_id);
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

/// Answers with the order as `work` finds it. `if_unknown`: what the client is told when the work
/// may or may not have been done.
PublicRoutes::Awaited PublicRoutes::show(Asked asked, boost::asio::awaitable<LookUp> work,
                                         std::string if_unknown) {
  const auto found = co_await std::move(work);
  if (!found) {
    auto answer = refused(found.error());
    if (found.error().code == Code::outcome_unknown) answer.body = std::move(if_unknown);
    co_return answer;
  }
  const auto& [order, reason, pay_by] = *found;
  const auto& sale = *asked.sale;
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
  co_return json_answer(200, std::move(body));
}

}  // namespace

std::unique_ptr<Routes> create_public_routes(PublicSettings settings, PublicPorts ports) {
  return std::make_unique<PublicRoutes>(std::move(settings), std::move(ports));
}

}  // namespace sluice::http

namespace sluice {

std::unique_ptr<HttpServer> create_public_server(boost::asio::any_io_executor executor,
                                                 PublicSettings settings, PublicPorts ports) {
  auto routes = http::create_public_routes(settings, ports);
  return http::create_server(std::move(executor), std::move(settings.http), "public", ports.clock,
                             ports.metrics, std::move(ports.connections), std::move(routes));
}

}  // namespace sluice
