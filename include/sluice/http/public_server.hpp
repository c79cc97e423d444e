#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/metrics.hpp"
#include "sluice/base/readiness.hpp"
#include "sluice/catalog/sale_book.hpp"
#include "sluice/gate/identity.hpp"
#include "sluice/http/server.hpp"
#include "sluice/orders/order_service.hpp"
#include "sluice/orders/purchase_service.hpp"

namespace sluice {

/// Null: there is no such sale.
using FoundSale = boost::system::result<std::shared_ptr<const Sale>, Refusal>;

/// The use cases behind the public routes, as one thread sees them. Tests put a fake in its place.
class PublicApi {
 public:
  virtual ~PublicApi() = default;

  virtual std::optional<Refusal> admit(std::string_view ip) = 0;
  /// Whose token it is, if that user is admitted. `ip`: who sends it, as limits count.
  virtual Identified identify(std::string_view token, std::string_view ip) = 0;

  /// Looks up a sale that the snapshot does not have, for that address.
  virtual boost::asio::awaitable<FoundSale> look_up(SaleId sale, std::string ip) = 0;

  virtual boost::asio::awaitable<PurchaseAnswer> buy(const Sale& sale, UserId user,
                                                     std::uint32_t quantity,
                                                     std::string_view request_id) = 0;
  virtual boost::asio::awaitable<LookUp> find(const Sale& sale, OrderId id, UserId user,
                                              Patience patience) = 0;
  virtual boost::asio::awaitable<LookUp> mine(const Sale& sale, UserId user) = 0;
  virtual boost::asio::awaitable<LookUp> cancel(const Sale& sale, OrderId id, UserId user) = 0;
};

struct PublicPorts {
  PublicApi& api;
  const SaleBook& sales;
  Clock& clock;
  const Readiness& readiness;
  Metrics& metrics;
  std::shared_ptr<ConnectionLimits> connections;

  /// Makes a token for a user; when empty, `POST /demo/token` does not exist.
  std::function<std::string(const UserId&)> demo_token;
};

/// Binds and listens. Throws boost::system::system_error when the address cannot be bound, and
/// std::invalid_argument when a trusted proxy is no address. Ranges are the settings' table's.
std::unique_ptr<HttpServer> create_public_server(boost::asio::any_io_executor executor,
                                                 PublicSettings settings, PublicPorts ports);

}  // namespace sluice
