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
#include "http/probes.hpp"
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

Answer refused(const OperatorRefusal& refusal) {
  return http::refused(refusal.code, refusal.detail);
}

Answer sale_answer(unsigned status, const Operated<Sale>& done) {
  return done ? json_answer(status, operator_sale(*done)) : refused(done.error());
}

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
  if (path == kSales) target.kind = Kind::sales;
  if (!path.starts_with("/admin/sales/")) return target;

  path.remove_prefix(kSales.size() + 1);
  const auto slash = path.find('/');
  target.sale = path.substr(0, slash);
  if (slash == path.npos) {
    target.kind = Kind::sale;
  } else if (const auto state = target_state(path.substr(slash + 1))) {
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
  if (!reads(request)) return method_not_allowed("GET, HEAD");
  auto answer = json_answer(200, ports_.metrics.text());
  answer.type = "text/plain; version=0.0.4; charset=utf-8";
  return answer;
}

Reply AdminRoutes::operate(const Request& request, const AdminTarget& target) {
  const bool post = request.method == Method::post;
  if (target.kind == Kind::sales && !post && !reads(request)) {
    return answer_now(kRoute, method_not_allowed("GET, HEAD, POST"));
  }
  if (target.kind == Kind::sale && !reads(request)) {
    return answer_now(kRoute, method_not_allowed("GET, HEAD"));
  }
  if (target.kind == Kind::move && !post) return answer_now(kRoute, method_not_allowed("POST"));
  if (!request.query.empty()) return answer_now(kRoute, http::refused(Code::invalid_parameter));
  if (waiting_ >= settings_.waiting_max) {
    return answer_now(kRoute, http::refused(Code::busy));
  }
  if (target.kind == Kind::sales && post) return create(request);
  if (target.kind == Kind::sales) return answer_later(kRoute, list_sales());

  const auto id = parse_sale_id(target.sale);
  if (!id) return answer_now(kRoute, http::refused(Code::unknown_sale));
  if (target.kind == Kind::sale) return answer_later(kRoute, show_sale(*id));
  return answer_later(kRoute, move_sale(*id, target.state));
}

Reply AdminRoutes::create(const Request& request) {
  if (!is_json(request.content_type)) {
    return answer_now(kRoute, http::refused(Code::unsupported_media_type));
  }
  auto parsed = parse_sale_draft(request.body);
  if (auto* answer = std::get_if<Answer>(&parsed)) return answer_now(kRoute, std::move(*answer));
  return answer_later(kRoute, create_sale(std::move(std::get<SaleDraft>(parsed))));
}

AdminRoutes::Awaited AdminRoutes::create_sale(SaleDraft draft) {
  const Counted counted(waiting_);
  auto work = ports_.desk.create(std::move(draft));
  const auto done =
      co_await asio::co_spawn(ports_.desk_executor, std::move(work), asio::use_awaitable);
  auto answer = sale_answer(201, done);
  if (done) answer.headers += fmt::format("Location: {}/{}\r\n", kSales, done->id);
  co_return answer;
}

AdminRoutes::Awaited AdminRoutes::list_sales() {
  const Counted counted(waiting_);
  auto work = ports_.desk.list();
  const auto done =
      co_await asio::co_spawn(ports_.desk_executor, std::move(work), asio::use_awaitable);
  co_return done ? json_answer(200, operator_sales(*done)) : refused(done.error());
}

AdminRoutes::Awaited AdminRoutes::show_sale(SaleId sale) {
  const Counted counted(waiting_);
  auto work = ports_.desk.show(sale);
  const auto done =
      co_await asio::co_spawn(ports_.desk_executor, std::move(work), asio::use_awaitable);
  co_return sale_answer(200, done);
}

AdminRoutes::Awaited AdminRoutes::move_sale(SaleId sale, SaleState state) {
  const Counted counted(waiting_);
  auto work = ports_.desk.set_state(sale, state);
  const auto done =
      co_await asio::co_spawn(ports_.desk_executor, std::move(work), asio::use_awaitable);
  co_return sale_answer(200, done);
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
