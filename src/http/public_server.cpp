#include "sluice/http/public_server.hpp"

#include <utility>

#include "http/listening_server.hpp"
#include "http/public_routes.hpp"

namespace sluice {
namespace {

class Api final : public PublicApi {
 public:
  Api(FrontGate& gate, const SaleBook& sales, PurchaseService& purchases, OrderService& orders,
      Clock& clock, const Readiness& readiness)
      : gate_(gate),
        sales_(sales),
        purchases_(purchases),
        orders_(orders),
        clock_(clock),
        readiness_(readiness) {}

  std::optional<Refusal> admit(std::string_view ip) override {
    Admission admission{clock_.now(), clock_.ticks(), ip};
    return sluice::admit(gate_.addresses, admission);
  }
  Identified identify(std::string_view token) override {
    return gate_.identity.verify(token, clock_.now());
  }
  std::optional<Refusal> admit_user(const UserId& user) override {
    Admission admission{clock_.now(), clock_.ticks(), {}, &user};
    return sluice::admit(gate_.users, admission);
  }
  std::shared_ptr<const SaleSnapshot> sales() override { return sales_.hold(); }
  const ReadyState& readiness() override { return readiness_.get(); }

  boost::asio::awaitable<PurchaseAnswer> buy(const Sale& sale, UserId user,
                                             std::uint32_t quantity) override {
    return purchases_.buy(sale, std::move(user), quantity);
  }
  boost::asio::awaitable<LookUp> find(const Sale& sale, OrderId id, UserId user,
                                      Millis patience) override {
    if (patience == Millis{0}) return orders_.find(sale, id, std::move(user));
    return orders_.wait(sale, id, std::move(user), patience);
  }
  boost::asio::awaitable<LookUp> mine(const Sale& sale, UserId user) override {
    return orders_.mine(sale, std::move(user));
  }
  boost::asio::awaitable<LookUp> cancel(const Sale& sale, OrderId id, UserId user) override {
    return orders_.move(sale, id, std::move(user), Move::cancel);
  }

 private:
  FrontGate& gate_;
  SaleBook::Reader sales_;
  PurchaseService& purchases_;
  OrderService& orders_;
  Clock& clock_;
  Readiness::Reader readiness_;
};

}  // namespace

std::unique_ptr<PublicApi> create_public_api(FrontGate& gate, const SaleBook& sales,
                                             PurchaseService& purchases, OrderService& orders,
                                             Clock& clock, const Readiness& readiness) {
  return std::make_unique<Api>(gate, sales, purchases, orders, clock, readiness);
}

std::unique_ptr<HttpServer> create_public_server(boost::asio::any_io_executor executor,
                                                 PublicSettings settings, PublicPorts ports) {
  auto http = settings.http;
  http::PublicRoutes::Ports needed{ports.api, ports.clock, std::move(ports.demo_token)};
  auto routes = std::make_unique<http::PublicRoutes>(std::move(settings), std::move(needed));
  return http::create_server(std::move(executor), std::move(http), "public", ports.clock,
                             ports.metrics, std::move(ports.connections), std::move(routes));
}

}  // namespace sluice
