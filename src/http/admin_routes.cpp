#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <optional>
#include <stdexcept>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/gate/concurrency_limit.hpp"

#include "http/json_body.hpp"
#include "http/listening_server.hpp"
#include "http/operator_json.hpp"
#include "http/page_query.hpp"
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

/// The routes of operators.
class AdminRoutes final : public Routes {
 public:
  AdminRoutes(AdminSettings settings, AdminPorts ports)
      : settings_(std::move(settings)), ports_(ports) {}

  Reply route(const Request& request, const Sender& sender) override;

 private:
  /// Lets `handle` answer whoever has a key for that role. Who changes something is named in the
  /// log, the shop's payments only at its finest level.
  template <AdminRole role, Reply (AdminRoutes::*handle)(const Request&, const Target&)>
  Reply allowed(const Request& request, const Target& target) {
    if (const auto refusal = forbidden(role, request)) return *refusal;
    return (this->*handle)(request, target);
  }

  std::optional<Answer> forbidden(AdminRole role, const Request& request) const;

  Reply health(const Request&, const Target&) { return http::health(); }

  Reply readiness(const Request&, const Target&) {
    return http::readiness(*ports_.readiness.get(), true);
  }

  Reply metrics(const Request&, const Target&) {
    auto answer = json_answer(200, ports_.metrics.text());
    answer.type = "text/plain; version=0.0.4; charset=utf-8";
    return answer;
  }

  Reply flow(const Request&, const Target&) {
    return answer_with(ports_.desk.flow(), shown<flow_json>);
  }

  Reply hold(const Request& request, const Target&) {
    const auto members = read_members(request, {"mode"});
    if (!members) return members.error();
    const auto* name = get_member<std::string>(*members, "mode");
    const auto mode = name != nullptr ? parse_name<OperatingMode>(*name) : std::nullopt;
    if (!mode && (name == nullptr || *name != "auto")) {
      return refused(Code::invalid_parameter, "mode must be auto, normal, bypass or database");
    }
    return answer_with(ports_.desk.hold(mode), shown<flow_json>);
  }

  Reply list(const Request& request, const Target&) {
    const auto query = read_page_query(request.query);
    if (!query) return query.error();
    const auto limit = query->limit;
    const auto show = [limit](const auto& sales) {
      return json_answer(200, operator_sales(sales, limit));
    };
    return answer_with(ports_.desk.list(SaleFilter::all, query->before, limit + 1), show);
  }

  Reply create(const Request& request, const Target&) {
    auto draft = read_sale_draft(request);
    if (!draft) return draft.error();
    return answer_with(ports_.desk.create(std::move(*draft)), sale_created);
  }

  Reply show(const Request&, const Target& target) {
    return answer_with(ports_.desk.show(*target.sale), shown<operator_sale>);
  }

  Reply audit(const Request&, const Target& target) {
    return answer_with(ports_.desk.audit(*target.sale), shown<audit_json>);
  }

  Reply rebuild(const Request& request, const Target& target) {
    const auto members = request.body.empty() ? JsonMembers() : read_members(request, {"force"});
    if (!members) return members.error();
    const auto* force = get_member<bool>(*members, "force");
    if (force == nullptr && !members->empty()) {
      return refused(Code::invalid_parameter, "force must be true or false");
    }
    return answer_with(ports_.desk.rebuild(*target.sale, force != nullptr && *force),
                       shown<audit_json, 202>);
  }

  template <SaleState state>
  Reply set_state(const Request&, const Target& target) {
    return answer_with(ports_.desk.set_state(*target.sale, state), shown<operator_sale>);
  }

  template <Move move>
  Reply move_order(const Request& request, const Target& target) {
    const auto user = read_user(request);
    if (!user) return user.error();
    if (!target.order) return refused(Code::unknown_order);
    return shown_when_done(ports_.shop.move(*target.sale, *target.order, *user, move),
                           shown<order_json>);
  }

  template <class T, class Show>
  static asio::awaitable<Answer> shown_when_done(asio::awaitable<Operated<T>> work, Show shown) {
    const auto done = co_await std::move(work);
    if (done) co_return shown(*done);
    co_return refused(done.error().code, done.error().detail);
  }

  /// Does `work` where the desk lives, and answers what `shown` makes of its result.
  template <class T, class Show>
  Reply answer_with(asio::awaitable<Operated<T>> work, Show shown) {
    auto permit = waiting_.take();
    if (!permit) return refused(Code::busy);
    return work_at_the_desk(std::move(permit), std::move(work), shown);
  }

  template <class T, class Show>
  asio::awaitable<Answer> work_at_the_desk([[maybe_unused]] ConcurrencyLimit::Permit permit,
                                           asio::awaitable<Operated<T>> work, Show shown) {
    auto crossing = asio::co_spawn(ports_.desk_executor, std::move(work), asio::use_awaitable);
    co_return co_await shown_when_done(std::move(crossing), shown);
  }

  AdminSettings settings_;
  AdminPorts ports_;
  const AdminKey* caller_ = nullptr;  ///< Who sent the request that is routed now; null: anybody.
  ConcurrencyLimit waiting_{static_cast<std::int64_t>(settings_.waiting_max)};
};

std::optional<Answer> AdminRoutes::forbidden(AdminRole role, const Request& request) const {
  const bool may = caller_ == nullptr || permits(*caller_, role);
  if (may && (caller_ == nullptr || role == AdminRole::read)) return std::nullopt;
  const auto path = printable(request.path);
  if (!may) {
    log().warn("admin key {} is not good for {} {} (request {})", caller_->name,
               name(request.method), path, request.request_id);
    return refused(Code::forbidden, fmt::format("it needs one with the role {}", name(role)));
  }
  const auto level = role == AdminRole::pay ? spdlog::level::debug : spdlog::level::info;
  log().log(level, "admin key {}: {} {} (request {})", caller_->name, name(request.method), path,
            request.request_id);
  return std::nullopt;
}

Reply AdminRoutes::route(const Request& request, const Sender&) {
  using Self = AdminRoutes;
  using enum AdminRole;
  static constexpr Route<Self> kRoutes[] = {
      {Method::get, "/healthz", RouteClass::probe, &Self::health, true},
      {Method::get, "/readyz", RouteClass::probe, &Self::readiness, true},
      {Method::get, "/metrics", RouteClass::metrics, &Self::allowed<read, &Self::metrics>, true},
      {Method::get, "/admin/mode", RouteClass::admin, &Self::allowed<read, &Self::flow>},
      {Method::post, "/admin/mode", RouteClass::admin, &Self::allowed<operate, &Self::hold>},
      {Method::get, kSales, RouteClass::admin, &Self::allowed<read, &Self::list>, true},
      {Method::post, kSales, RouteClass::admin, &Self::allowed<operate, &Self::create>},
      {Method::get, "/admin/sales/{sale}", RouteClass::admin, &Self::allowed<read, &Self::show>},
      {Method::get, "/admin/sales/{sale}/audit", RouteClass::admin,
       &Self::allowed<read, &Self::audit>},
      {Method::post, "/admin/sales/{sale}/rebuild", RouteClass::admin,
       &Self::allowed<operate, &Self::rebuild>},
      {Method::post, "/admin/sales/{sale}/open", RouteClass::admin,
       &Self::allowed<operate, &Self::set_state<SaleState::open>>},
      {Method::post, "/admin/sales/{sale}/pause", RouteClass::admin,
       &Self::allowed<operate, &Self::set_state<SaleState::paused>>},
      {Method::post, "/admin/sales/{sale}/close", RouteClass::admin,
       &Self::allowed<operate, &Self::set_state<SaleState::closed>>},
      {Method::post, "/admin/sales/{sale}/orders/{order}/pay", RouteClass::admin,
       &Self::allowed<pay, &Self::move_order<Move::pay>>},
      {Method::post, "/admin/sales/{sale}/orders/{order}/cancel", RouteClass::admin,
       &Self::allowed<pay, &Self::move_order<Move::cancel>>},
  };
  const Match<Self> match(kRoutes, request);
  const auto route = match ? match.counted_as() : RouteClass::admin;
  const bool open =
      route == RouteClass::probe || (route == RouteClass::metrics && settings_.metrics_open);
  const auto refuse = [](Code code) { return counted_as(RouteClass::admin, refused(code)); };
  const auto token = bearer_token(request.authorization);
  if (!open && token.empty()) return refuse(Code::missing_token);
  caller_ = open ? nullptr : find_key(ports_.keys, token);
  if (!open && caller_ == nullptr) return refuse(Code::invalid_token);
  if (!match) return refuse(Code::not_found);
  if (match.names_sale() && !match.target().sale) return refuse(Code::unknown_sale);
  return match.answer(*this);
}

}  // namespace

std::unique_ptr<Routes> create_admin_routes(AdminSettings settings, AdminPorts ports) {
  return std::make_unique<AdminRoutes>(std::move(settings), ports);
}

}  // namespace sluice::http

namespace sluice {

std::unique_ptr<HttpServer> create_admin_server(boost::asio::any_io_executor executor,
                                                AdminSettings settings, AdminPorts ports) {
  const auto is_short = [](const AdminKey& key) { return key.key.size() < kAdminKeyBytesMin; };
  if (ports.keys.empty() || std::ranges::any_of(ports.keys, is_short)) {
    throw std::invalid_argument(
        "admin: each key must have at least 16 bytes, and there must be one");
  }
  auto routes = http::create_admin_routes(settings, ports);
  return http::create_server(std::move(executor), std::move(settings.http), "admin", ports.clock,
                             ports.metrics, create_connection_limits(settings.connections),
                             std::move(routes));
}

}  // namespace sluice
