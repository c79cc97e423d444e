#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sluice/http/public_server.hpp"

namespace sluice::http {

/// Use cases whose answers a test sets. The token "token-NAME" is that of the user NAME.
class FakeApi : public PublicApi {
 public:
  FakeApi() { sell(SaleState::open); }

  std::optional<Refusal> admit(std::string_view ip) override {
    ips.emplace_back(ip);
    return ip_refusal;
  }
  Identified identify(std::string_view token, std::string_view ip) override {
    ++identified;
    if (on_identify) on_identify();
    identified_from = ip;
    if (token.empty()) return Refusal{Code::missing_token, Millis{0}};
    if (token == "expired") return Refusal{Code::expired_token, Millis{0}};
    const auto user = UserId::parse(token.starts_with("token-") ? token.substr(6) : "");
    if (!user) return Refusal{Code::invalid_token, Millis{0}};
    if (user_refusal) return *user_refusal;
    return *user;
  }

  boost::asio::awaitable<FoundSale> look_up(SaleId sale, std::string ip) override {
    looked_up.push_back(ip + " " + std::to_string(sale));
    if (hold) co_await hold();
    if (look_up_refusal) co_return *look_up_refusal;
    const auto found = old_sales.find(sale);
    co_return found == old_sales.end() ? nullptr : std::make_shared<const Sale>(found->second);
  }

  boost::asio::awaitable<PurchaseAnswer> buy(const Sale& sale, UserId user, std::uint32_t quantity,
                                             std::string_view request_id) override {
    purchase_ids.emplace_back(request_id);
    bought.push_back(user.text() + " " + std::to_string(quantity) + " of " +
                     std::to_string(sale.id));
    if (hold) co_await hold();
    co_return purchase;
  }
  boost::asio::awaitable<LookUp> find(const Sale&, OrderId id, UserId user,
                                      Patience patience) override {
    patience_asked = patience.at_most;
    if (hold) co_await hold();
    const bool waits = patience.gone != nullptr && !patience.over() && patience.at_most > Millis{0};
    if (waits) co_await watch.changed(id, Ticks::max(), patience);
    if (user.text() != "owner") co_return Refusal{Code::unknown_order, Millis{0}};
    auto state = order;
    state.order.id = id;
    co_return state;
  }
  boost::asio::awaitable<LookUp> mine(const Sale&, UserId user) override {
    if (user.text() != "owner") co_return Refusal{Code::unknown_order, Millis{0}};
    co_return order;
  }

  boost::asio::awaitable<LookUp> cancel(const Sale& sale, OrderId id, UserId user) override {
    cancelled.push_back(user.text() + " " + id.text() + " of " + std::to_string(sale.id));
    if (user.text() != "owner") co_return Refusal{Code::unknown_order, Millis{0}};
    if (cancel_refusal) co_return *cancel_refusal;
    auto state = order;
    state.order.id = id;
    state.order.status = OrderStatus::cancelled;
    co_return state;
  }

  /// What the routes answer from.
  PublicPorts ports(Clock& clock, Metrics& metrics,
                    std::function<std::string(const UserId&)> demo_token = nullptr) {
    return {*this, book, clock, ready, metrics, nullptr, std::move(demo_token)};
  }

  void sell(SaleState state) {
    auto snapshot = std::make_shared<SaleSnapshot>();
    snapshot->loaded = true;
    snapshot->sales[7] = sale_of(7, state);
    book.publish(std::move(snapshot));
  }

  static Sale sale_of(SaleId id, SaleState state) {
    Sale sale;
    sale.id = id;
    sale.state = state;
    sale.terms.title = "Seven";
    sale.terms.unit_price_minor = 1999;
    sale.terms.limit_per_order = 3;
    sale.terms.stock = 10;
    sale.terms.ends_at = TimePoint(Millis(253402300799000));
    return sale;
  }

  std::vector<std::string> ips;
  std::function<void()> on_identify;   ///< Called meanwhile, when set.
  std::vector<std::string> looked_up;  ///< "ADDRESS SALE"
  std::map<SaleId, Sale> old_sales;    ///< That the snapshot does not have.
  std::optional<Refusal> look_up_refusal;
  std::vector<std::string> bought;
  std::vector<std::string> purchase_ids;  ///< The request of each.
  std::vector<std::string> cancelled;
  int identified = 0;
  std::string identified_from;
  std::optional<Refusal> ip_refusal;
  std::optional<Refusal> user_refusal;
  std::optional<Refusal> cancel_refusal;
  SaleBook book{std::make_shared<SaleSnapshot>()};
  Readiness ready{std::make_shared<ReadyState>(ReadyState{false, {ReadyCheck{"store", ""}}})};
  PurchaseAnswer purchase;
  OrderState order;
  Millis patience_asked{-1};
  OrderWatch watch{1000};                              ///< Where look-ups wait that a session made.
  std::function<boost::asio::awaitable<void>()> hold;  ///< Awaited before an answer, when set.
};

}  // namespace sluice::http
