#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "sluice/http/admin_server.hpp"

#include "http/routes.hpp"

namespace sluice::http {

/// Where a path of the admin listener leads.
struct AdminTarget {
  enum class Kind : std::uint8_t {
    none,
    health,
    ready,
    metrics,
    mode,
    sales,
    sale,
    move,
    audit,
    rebuild,
    order_move,
  };
  Kind kind = Kind::none;
  std::string_view sale;
  SaleState state = SaleState::draft;  ///< With `move`: where to.
  std::string_view order;              ///< With `order_move`.
  Move order_move = Move::pay;         ///< The same.
};
AdminTarget match_admin(std::string_view path);

/// The routes of operators.
class AdminRoutes final : public Routes {
 public:
  AdminRoutes(AdminSettings settings, AdminPorts ports)
      : settings_(std::move(settings)), ports_(ports), readiness_(ports.readiness) {}

  Reply route(const Request& request, std::string_view ip) override;

 private:
  using Awaited = boost::asio::awaitable<Answer>;

  Answer metrics(const Request& request) const;
  Reply operate(const Request& request, const AdminTarget& target);
  Reply operate_on_sale(const Request& request, const AdminTarget& target, SaleId sale);
  Reply create(const Request& request);
  Reply rebuild(const Request& request, SaleId sale);
  Reply move_order(const Request& request, const AdminTarget& target, SaleId sale);
  Reply hold(const Request& request);

  /// Does `work` where the desk lives, and answers what `show` makes of its result.
  template <class T, class Show>
  Reply answer_with(boost::asio::awaitable<Operated<T>> work, Show show);
  template <class T, class Show>
  Awaited work_at_the_desk(boost::asio::awaitable<Operated<T>> work, Show show);

  AdminSettings settings_;
  AdminPorts ports_;
  Readiness::Reader readiness_;
  std::size_t waiting_ = 0;  ///< Operations under way on the desk's executor.
};

}  // namespace sluice::http
