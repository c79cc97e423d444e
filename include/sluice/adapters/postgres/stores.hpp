#pragma once

#include <memory>
#include <optional>
#include <string>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_store.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/recovery/control_store.hpp"

namespace sluice {

struct PostgresSettings {
  /// `postgresql://user@host:port/database?…`; libpq's parameters are allowed, several hosts too.
  /// A host name is resolved by the system's blocking resolver: give an address where that matters.
  std::string url;
  Millis connect_timeout{2000};
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

/// Whether the database answers.
class StoreHealth {
 public:
  virtual ~StoreHealth() = default;

  /// Connects if necessary and asks for an answer. `Errc::unavailable` or `Errc::unknown` without
  /// one.
  virtual Task<> ping(Ticks deadline) = 0;
};

/// The stores on one connection, which opens at the first call and again after it was lost. They
/// belong to one thread together: calls block it until their deadline at most, and while the server
/// cannot be reached they fail at once until the next attempt is due.
struct PostgresStores {
  std::unique_ptr<OrderStore> orders;
  std::unique_ptr<OrderTransitions> moves;
  std::unique_ptr<SaleStore> sales;
  std::unique_ptr<ControlStore> control;
  std::unique_ptr<StoreHealth> health;
};

PostgresStores create_postgres_stores(PostgresSettings settings);

}  // namespace sluice
