#pragma once

#include <array>
#include <memory>
#include <variant>

#include "sluice/http/public_server.hpp"

#include "http/routes.hpp"

namespace sluice::http {

/// The public routes: gate, strict parameters and bodies, use cases, answers.
class PublicRoutes final : public Routes {
 public:
  struct Ports {
    PublicApi& api;
    Clock& clock;
    std::function<std::string(const UserId&)> demo_token;
  };

  PublicRoutes(PublicSettings settings, Ports ports)
      : settings_(std::move(settings)), ports_(std::move(ports)) {}

  Reply route(const Request& request, std::string_view ip) override;

 private:
  using Snapshot = std::shared_ptr<const SaleSnapshot>;
  using Awaited = boost::asio::awaitable<Answer>;

  /// Who asks, and about which sale; `sales` keeps it alive.
  struct Asked {
    UserId user;
    Snapshot sales;
    const Sale* sale = nullptr;
  };

  Reply health(const Request& request, const Target& target);
  Reply readiness(const Request& request, const Target& target);
  Reply all_sales(const Request& request, const Target& target);
  Reply one_sale(const Request& request, const Target& target);
  Reply demo_token(const Request& request, const Target& target);
  Reply purchase(const Request& request, const Target& target);
  Reply order(const Request& request, const Target& target);
  Reply mine(const Request& request, const Target& target);
  Reply cancel(const Request& request, const Target& target);
  std::variant<Asked, Answer> identify(const Request& request, const Target& target);

  Awaited buy(Asked asked, std::uint32_t quantity);
  Awaited look_up(Asked asked, OrderId id, Millis patience);
  Awaited look_up_mine(Asked asked);
  Awaited call_off(Asked asked, OrderId id);
  Answer order_answer(const Sale& sale, const LookUp& found) const;

  static const std::array<Route<PublicRoutes>, 9> kRoutes;

  PublicSettings settings_;
  Ports ports_;
};

}  // namespace sluice::http
