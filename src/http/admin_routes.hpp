#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "sluice/http/admin_server.hpp"

#include "http/routes.hpp"

namespace sluice::http {

/// The routes of operators.
class AdminRoutes final : public Routes {
 public:
  AdminRoutes(AdminSettings settings, AdminPorts ports)
      : settings_(std::move(settings)), ports_(ports), readiness_(ports.readiness) {}

  Reply route(const Request& request, std::string_view ip) override;

 private:
  using Awaited = boost::asio::awaitable<Answer>;

  Reply health(const Request& request, const Target& target);
  Reply readiness(const Request& request, const Target& target);
  Reply metrics(const Request& request, const Target& target);
  Reply flow(const Request& request, const Target& target);
  Reply hold(const Request& request, const Target& target);
  Reply list(const Request& request, const Target& target);
  Reply create(const Request& request, const Target& target);
  Reply show(const Request& request, const Target& target);
  Reply audit(const Request& request, const Target& target);
  Reply rebuild(const Request& request, const Target& target);
  template <SaleState state>
  Reply set_state(const Request& request, const Target& target);
  template <Move move>
  Reply move_order(const Request& request, const Target& target);

  /// Does `work` where the desk lives, and answers what `shown` makes of its result.
  template <class T, class Show>
  Reply answer_with(boost::asio::awaitable<Operated<T>> work, Show shown);
  template <class T, class Show>
  Awaited work_at_the_desk(boost::asio::awaitable<Operated<T>> work, Show shown);

  static const std::array<Route<AdminRoutes>, 15> kRoutes;

  AdminSettings settings_;
  AdminPorts ports_;
  Readiness::Reader readiness_;
  std::size_t waiting_ = 0;  ///< Operations under way on the desk's executor.
};

}  // namespace sluice::http
