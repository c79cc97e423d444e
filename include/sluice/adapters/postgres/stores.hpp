#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_store.hpp"
#include "sluice/dependency/dependency.hpp"
#include "sluice/orders/late_orders.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/recovery/control_store.hpp"

namespace sluice {

struct PostgresSettings {
  /// `postgresql://user@host:port/database?…`; libpq's parameters are allowed, several hosts too,
  /// and TLS as `sslmode`, `sslrootcert`, `sslcert` and `sslkey` say.
  /// A host name is resolved by the system's blocking resolver: give an address where that matters.
  std::string url;
  Millis connect_timeout{2000};
  std::size_t pool_size = 2;  ///< Connections of one set of stores; 1 or more.
  /// The server gives a statement up after this long, also when its caller is gone.
  Millis statement_timeout{30'000};
  /// The server gives up waiting for a row's lock after this long.
  Millis lock_timeout{10'000};
  /// A connection whose peer acknowledges nothing for this long is dead.
  Millis tcp_user_timeout{10'000};
  /// Between attempts to connect: the first pause, doubled up to the last.
  Millis backoff_min{50};
  Millis backoff_max{2000};
};

/// Empty when `url` can be used, else what is wrong with it. The text holds no secret.
std::optional<std::string> check_postgres_url(const std::string& url);

/// A sentence about a URL, which `check_postgres_url` takes, whose connections leave this machine
/// without a check of the server's certificate and name; else empty. It holds no secret.
std::optional<std::string> postgres_url_warning(const std::string& url);

/// The stores on one pool of connections, which open as calls need them and again after they were
/// lost. They belong to one executor together and outlive their calls; nothing blocks. Calls end by
/// their deadline, and while the server cannot be reached they fail at once until the next attempt
/// is due.
struct PostgresStores {
  std::unique_ptr<OrderStore> orders;
  std::unique_ptr<OrderTransitions> moves;
  std::unique_ptr<LateOrders> late;
  std::unique_ptr<SaleStore> sales;
  std::unique_ptr<ControlStore> control;
  /// Connects if necessary and asks for an answer. `Errc::unavailable` or `Errc::unknown` without
  /// one; `Errc::not_found` when the schema is not this program's.
  std::function<Task<>(Ticks)> ping;
};

/// `dependency` belongs to the same executor and outlives the stores.
PostgresStores create_postgres_stores(boost::asio::any_io_executor executor,
                                      PostgresSettings settings, Dependency& dependency);

}  // namespace sluice
