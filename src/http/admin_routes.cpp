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
constexpr std::string_view kSales = "/admin/sales";

/// What was done, as its JSON says.
template <auto to_json, unsigned status = 200>
constexpr auto shown = [](const auto& done) { return json_answer(status, to_json(done)); };

Answer sale_created(const Sale& sale) {
  auto answer = json_answer(201, operator_sale(sale));
  answer.headers += fmt::format("Location: {}/{}\r\n", kSales, sale.id);
  return answer;
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

constexpr std::array<Route<AdminRoutes>, 15> AdminRoutes::kRoutes = {{
    {Method::get, "/healthz", RouteClass::probe, &AdminRoutes::health, true},
    {Method::get, "/readyz", RouteClass::probe, &AdminRoutes::readiness, true},
    {Method::get, "/metrics", RouteClass::metrics, &AdminRoutes::metrics, true},
    {Method::get, "/admin/mode", RouteClass::admin, &AdminRoutes::flow},
    {Method::post, "/admin/mode", RouteClass::admin, &AdminRoutes::hold},
    {Method::get, kSales, RouteClass::admin, &AdminRoutes::list},
    {Method::post, kSales, RouteClass::admin, &AdminRoutes::create},
    {Method::get, "/admin/sales/{sale}", RouteClass::admin, &AdminRoutes::show},
    {Method::get, "/admin/sales/{sale}/audit", RouteClass::admin, &AdminRoutes::audit},
    {Method::post, "/admin/sales/{sale}/rebuild", RouteClass::admin, &AdminRoutes::rebuild},
    {Method::post, "/admin/sales/{sale}/open", RouteClass::admin,
     &AdminRoutes::set_state<SaleState::open>},
    {Method::post, "/admin/sales/{sale}/pause", RouteClass::admin,
     &AdminRoutes::set_state<SaleState::paused>},
    {Method::post, "/admin/sales/{sale}/close", RouteClass::admin,
     &AdminRoutes::set_state<SaleState::closed>},
    {Method::post, "/admin/sales/{sale}/orders/{order}/pay", RouteClass::admin,
     &AdminRoutes::move_order<Move::pay>},
    {Method::post, "/admin/sales/{sale}/orders/{order}/cancel", RouteClass::admin,
     &AdminRoutes::move_order<Move::cancel>},
}};

Reply AdminRoutes::route(const Request& request, std::string_view) {
  const Match<AdminRoutes> match(kRoutes, request);
  const auto route = match ? match.counted_as() : RouteClass::admin;
  const bool open =
      route == RouteClass::probe || (route == RouteClass::metrics && settings_.metrics_open);
  const auto refuse = [](Code code) { return counted_as(RouteClass::admin, refused(code)); };
  const auto token = bearer_token(request.authorization);
  if (!open && token.empty()) return refuse(Code::missing_token);
  if (!open && !equal_secrets(token, settings_.key)) return refuse(Code::invalid_token);
  if (!match) return refuse(Code::not_found);
  if (match.names_sale() && !match.target().sale) return refuse(Code::unknown_sale);
  return match.answer(*this);
}

Reply AdminRoutes::health(const Request&, const Target&) { return http::health(); }

Reply AdminRoutes::readiness(const Request&, const Target&) {
  return http::readiness(readiness_.get(), true);
}

Reply AdminRoutes::metrics(const Request&, const Target&) {
  auto answer = json_answer(200, ports_.metrics.text());
  answer.type = "text/plain; version=0.0.4; charset=utf-8";
  return answer;
}

Reply AdminRoutes::flow(const Request&, const Target&) {
  return answer_with(ports_.desk.flow(), shown<flow_json>);
}

Reply AdminRoutes::hold(const Request& request, const Target&) {
  auto parsed = read_json(request, parse_held_mode);
  if (auto* answer = std::get_if<Answer>(&parsed)) return std::move(*answer);
  const auto mode = std::get<std::optional<OperatingMode>>(parsed);
  return answer_with(ports_.desk.hold(mode), shown<flow_json>);
}

Reply AdminRoutes::list(const Request&, const Target&) {
  return answer_with(ports_.desk.list(), shown<operator_sales>);
}

Reply AdminRoutes::create(const Request& request, const Target&) {
  auto parsed = read_json(request, parse_sale_draft);
  if (auto* answer = std::get_if<Answer>(&parsed)) return std::move(*answer);
  auto& draft = std::get<SaleDraft>(parsed);
  return answer_with(ports_.desk.create(std::move(draft)), sale_created);
}

Reply AdminRoutes::show(const Request&, const Target& target) {
  return answer_with(ports_.desk.show(*target.sale), shown<operator_sale>);
}

Reply AdminRoutes::audit(const Request&, const Target& target) {
  return answer_with(ports_.desk.audit(*target.sale), shown<audit_json>);
}

Reply AdminRoutes::rebuild(const Request& request, const Target& target) {
  bool force = false;
  if (request.has_body) {
    auto parsed = read_json(request, parse_force);
    if (auto* answer = std::get_if<Answer>(&parsed)) return std::move(*answer);
    force = std::get<bool>(parsed);
  }
  return answer_with(ports_.desk.rebuild(*target.sale, force), shown<audit_json, 202>);
}

template <SaleState state>
Reply AdminRoutes::set_state(const Request&, const Target& target) {
  return answer_with(ports_.desk.set_state(*target.sale, state), shown<operator_sale>);
}

template <Move move>
Reply AdminRoutes::move_order(const Request& request, const Target& target) {
  auto parsed = read_json(request, parse_user);
  if (auto* answer = std::get_if<Answer>(&parsed)) return std::move(*answer);
  if (!target.order) return refused(Code::unknown_order);
  auto& user = std::get<UserId>(parsed);
  return answer_with(ports_.desk.move(*target.sale, *target.order, std::move(user), move),
                     shown<operator_order>);
}

template <class T, class Show>
Reply AdminRoutes::answer_with(boost::asio::awaitable<Operated<T>> work, Show shown) {
  if (waiting_ >= settings_.waiting_max) return refused(Code::busy);
  return work_at_the_desk(std::move(work), shown);
}

template <class T, class Show>
AdminRoutes::Awaited AdminRoutes::work_at_the_desk(boost::asio::awaitable<Operated<T>> work,
                                                   Show shown) {
  const Counted counted(waiting_);
  const auto done =
      co_await asio::co_spawn(ports_.desk_executor, std::move(work), asio::use_awaitable);
  if (done) co_return shown(*done);
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
