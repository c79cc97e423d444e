#include "http/admin_routes.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <optional>
#include <stdexcept>
#include <utility>

#include "sluice/base/hash.hpp"

#include "http/json_body.hpp"
#include "http/listening_server.hpp"
#include "http/order_json.hpp"
#include "http/probes.hpp"
#include "http/recovery_json.hpp"
#include "http/sale_json.hpp"

namespace sluice::http {
namespace {

namespace asio = boost::asio;
using Kind = AdminTarget::Kind;

constexpr auto kRoute = RouteClass::admin;
constexpr std::string_view kSales = "/admin/sales";

bool reads(const Request& request) {
  return request.method == Method::get || request.method == Method::head;
}

std::optional<SaleState> target_state(std::string_view verb) {
  if (verb == "open") return SaleState::open;
  if (verb == "pause") return SaleState::paused;
  if (verb == "close") return SaleState::closed;
  return std::nullopt;
}

/// What follows `orders/`: an id and what to do with that order.
void match_order(std::string_view path, AdminTarget& target) {
  const auto slash = path.find('/');
  if (slash == path.npos) return;
  const auto verb = path.substr(slash + 1);
  if (verb == name(Move::pay)) {
    target.order_move = Move::pay;
  } else if (verb == name(Move::cancel)) {
    target.order_move = Move::cancel;
  } else {
    return;
  }
  target.kind = Kind::order_move;
  target.order = path.substr(0, slash);
}

/// What the Allow header says of a route.
std::string_view allowed(Kind kind) {
  switch (kind) {
    case Kind::sales:
    case Kind::mode:
      return "GET, HEAD, POST";
    case Kind::move:
    case Kind::rebuild:
    case Kind::order_move:
      return "POST";
    default:
      return "GET, HEAD";
  }
}

bool allows(Kind kind, const Request& request) {
  if (request.method == Method::post) return allowed(kind).ends_with("POST");
  return reads(request) && allowed(kind).starts_with("GET");
}

Answer sale_created(const Sale& sale) {
  auto answer = json_answer(201, operator_sale(sale));
  answer.headers += fmt::format("Location: {}/{}\r\n", kSales, sale.id);
  return answer;
}

Answer sale_shown(const Sale& sale) { return json_answer(200, operator_sale(sale)); }
Answer sales_listed(const std::vector<Sale>& sales) {
  return json_answer(200, operator_sales(sales));
}
Answer audit_shown(const SaleAudit& audit) { return json_answer(200, audit_json(audit)); }
Answer rebuild_begun(const SaleAudit& audit) { return json_answer(202, audit_json(audit)); }
Answer order_shown(const Order& order) { return json_answer(200, operator_order(order)); }
Answer flow_shown(const ModeReport& report) { return json_answer(200, flow_json(report)); }

/// Counts an operation while it is under way.
class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::size_t& count_;
};

}  // namespace

AdminTarget match_admin(std::string_view path) {
  AdminTarget target;
  if (path == "/healthz") target.kind = Kind::health;
  if (path == "/readyz") target.kind = Kind::ready;
  if (path == "/metrics") target.kind = Kind::metrics;
  if (path == "/admin/mode") target.kind = Kind::mode;
  if (path == kSales) target.kind = Kind::sales;
  if (!path.starts_with("/admin/sales/")) return target;

  path.remove_prefix(kSales.size() + 1);
  const auto slash = path.find('/');
  target.sale = path.substr(0, slash);
  if (slash == path.npos) {
    target.kind = Kind::sale;
    return target;
  }
  const auto verb = path.substr(slash + 1);
  if (verb == "audit") target.kind = Kind::audit;
  if (verb == "rebuild") target.kind = Kind::rebuild;
  constexpr std::string_view kOrders = "orders/";
  if (verb.starts_with(kOrders)) match_order(verb.substr(kOrders.size()), target);
  if (const auto state = target_state(verb)) {
    target.kind = Kind::move;
    target.state = *state;
  }
  return target;
}

Reply AdminRoutes::route(const Request& request, std::string_view) {
  const auto target = match_admin(request.path);
  if (target.kind == Kind::health) return answer_now(RouteClass::probe, health(request));
  if (target.kind == Kind::ready) {
    return answer_now(RouteClass::probe, readiness(request, readiness_.get(), true));
  }
  const bool open = target.kind == Kind::metrics && settings_.metrics_open;
  const auto token = bearer_token(request.authorization);
  if (!open && token.empty()) return answer_now(kRoute, http::refused(Code::missing_token));
  if (!open && !equal_secrets(token, settings_.key)) {
    return answer_now(kRoute, http::refused(Code::invalid_token));
  }
  if (target.kind == Kind::metrics) return answer_now(RouteClass::metrics, metrics(request));
  if (target.kind == Kind::none) return answer_now(kRoute, http::refused(Code::not_found));
  return operate(request, target);
}

Answer AdminRoutes::metrics(const Request& request) const {
  if (!reads(request)) return method_not_allowed(allowed(Kind::metrics));
  auto answer = json_answer(200, ports_.metrics.text());
  answer.type = "text/plain; version=0.0.4; charset=utf-8";
  return answer;
}

Reply AdminRoutes::operate(const Request& request, const AdminTarget& target) {
  if (!allows(target.kind, request)) {
    return answer_now(kRoute, method_not_allowed(allowed(target.kind)));
  }
  if (!request.query.empty()) return answer_now(kRoute, http::refused(Code::invalid_parameter));
  if (waiting_ >= settings_.waiting_max) {
    return answer_now(kRoute, http::refused(Code::busy));
  }
  const bool post = request.method == Method::post;
  if (target.kind == Kind::mode) {
    return post ? hold(request) : answer_with(ports_.desk.flow(), flow_shown);
  }
  if (target.kind == Kind::sales) {
    return post ? create(request) : answer_with(ports_.desk.list(), sales_listed);
  }
  const auto id = parse_sale_id(target.sale);
  if (!id) return answer_now(kRoute, http::refused(Code::unknown_sale));
  return operate_on_sale(request, target, *id);
}

Reply AdminRoutes::operate_on_sale(const Request& request, const AdminTarget& target, SaleId sale) {
  switch (target.kind) {
    case Kind::move:
      return answer_with(ports_.desk.set_state(sale, target.state), sale_shown);
    case Kind::audit:
      return answer_with(ports_.desk.audit(sale), audit_shown);
    case Kind::rebuild:
      return rebuild(request, sale);
    case Kind::order_move:
      return move_order(request, target, sale);
    default:
      return answer_with(ports_.desk.show(sale), sale_shown);
  }
}

Reply AdminRoutes::create(const Request& request) {
  if (!is_json(request.content_type)) {
    return answer_now(kRoute, http::refused(Code::unsupported_media_type));
  }
  auto parsed = parse_sale_draft(request.body);
  if (auto* answer = std::get_if<Answer>(&parsed)) return answer_now(kRoute, std::move(*answer));
  auto& draft = std::get<SaleDraft>(parsed);
  return answer_with(ports_.desk.create(std::move(draft)), sale_created);
}

Reply AdminRoutes::rebuild(const Request& request, SaleId sale) {
  bool force = false;
  if (request.has_body) {
    if (!is_json(request.content_type)) {
      return answer_now(kRoute, http::refused(Code::unsupported_media_type));
    }
    auto parsed = parse_force(request.body);
    if (auto* answer = std::get_if<Answer>(&parsed)) return answer_now(kRoute, std::move(*answer));
    force = std::get<bool>(parsed);
  }
  return answer_with(ports_.desk.rebuild(sale, force), rebuild_begun);
}

Reply AdminRoutes::move_order(const Request& request, const AdminTarget& target, SaleId sale) {
  if (!is_json(request.content_type)) {
    return answer_now(kRoute, http::refused(Code::unsupported_media_type));
  }
  auto parsed = parse_user(request.body);
  if (auto* answer = std::get_if<Answer>(&parsed)) return answer_now(kRoute, std::move(*answer));
  const auto id = OrderId::parse(target.order);
  if (!id) return answer_now(kRoute, http::refused(Code::unknown_order));
  auto& user = std::get<UserId>(parsed);
  return answer_with(ports_.desk.move(sale, *id, std::move(user), target.order_move), order_shown);
}

Reply AdminRoutes::hold(const Request& request) {
  if (!is_json(request.content_type)) {
    return answer_now(kRoute, http::refused(Code::unsupported_media_type));
  }
  auto parsed = parse_held_mode(request.body);
  if (auto* answer = std::get_if<Answer>(&parsed)) return answer_now(kRoute, std::move(*answer));
  const auto mode = std::get<std::optional<OperatingMode>>(parsed);
  return answer_with(ports_.desk.hold(mode), flow_shown);
}

template <class T, class Show>
Reply AdminRoutes::answer_with(boost::asio::awaitable<Operated<T>> work, Show show) {
  return answer_later(kRoute, work_at_the_desk(std::move(work), show));
}

template <class T, class Show>
AdminRoutes::Awaited AdminRoutes::work_at_the_desk(boost::asio::awaitable<Operated<T>> work,
                                                   Show show) {
  const Counted counted(waiting_);
  const auto done =
      co_await asio::co_spawn(ports_.desk_executor, std::move(work), asio::use_awaitable);
  if (done) co_return show(*done);
  co_return http::refused(done.error().code, done.error().detail);
}

}  // namespace sluice::http

namespace sluice {

std::unique_ptr<HttpServer> create_admin_server(boost::asio::any_io_executor executor,
                                                AdminSettings settings, AdminPorts ports) {
  constexpr std::size_t kKeyMin = 16;
  if (settings.key.size() < kKeyMin) {
    throw std::invalid_argument("admin: the key must have at least 16 bytes");
  }
  auto http = settings.http;
  auto connections = create_connection_limits(settings.connections);
  auto routes = std::make_unique<http::AdminRoutes>(std::move(settings), ports);
  return http::create_server(std::move(executor), std::move(http), "admin", ports.clock,
                             ports.metrics, std::move(connections), std::move(routes));
}

}  // namespace sluice
