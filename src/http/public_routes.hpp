#pragma once

#include <memory>
#include <variant>

#include "sluice/http/public_server.hpp"

#include "http/routes.hpp"

namespace sluice::http {

/// Where a path of the public listener leads.
struct PublicTarget {
  enum class Kind : std::uint8_t {
    sales,
    sale,
    orders,
    mine,
    order,
    cancel,
    health,
    ready,
    demo,
    file,
  };
  Kind kind = Kind::file;
  std::string_view sale;
  std::string_view order;
};
PublicTarget match_public(std::string_view path);

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

  Answer all_sales(const Request& request);
  Answer one_sale(const Request& request, const PublicTarget& target);
  Answer demo_token(const Request& request);
  Reply purchase(const Request& request, const PublicTarget& target);
  Reply order(const Request& request, const PublicTarget& target);
  Reply cancel(const Request& request, const PublicTarget& target);
  std::variant<Asked, Answer> identify(const Request& request, const PublicTarget& target);

  Awaited buy(Asked asked, std::uint32_t quantity);
  Awaited look_up(Asked asked, OrderId id, Millis patience);
  Awaited look_up_mine(Asked asked);
  Awaited call_off(Asked asked, OrderId id);
  Answer order_answer(const Sale& sale, const LookUp& found) const;

  PublicSettings settings_;
  Ports ports_;
};

}  // namespace sluice::http
