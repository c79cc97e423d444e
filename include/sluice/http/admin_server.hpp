#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "sluice/base/metrics.hpp"
#include "sluice/base/readiness.hpp"
#include "sluice/http/admin_keys.hpp"
#include "sluice/http/server.hpp"
#include "sluice/operations/operations.hpp"
#include "sluice/operations/shop.hpp"

namespace sluice {

/// The listener for operators. `AdminSettings()` has its own defaults where they differ.
struct AdminSettings {
  AdminSettings() {
    http.address = "127.0.0.1";
    http.port = 8081;
    http.body_max = 16384;
  }

  HttpSettings http;
  ConnectionSettings connections{256, 256};
  bool metrics_open = false;     ///< `/metrics` without a key.
  std::size_t waiting_max = 64;  ///< Operations of operators at once. Above: 503.
};

struct AdminPorts {
  Operations& desk;
  boost::asio::any_io_executor desk_executor;  ///< Where `desk` lives.
  Shop& shop;                                  ///< Lives where the server does.
  Clock& clock;
  const Readiness& readiness;
  Metrics& metrics;
  const AdminKeys& keys;  ///< Who may do what. Changed where the server lives alone.
};

/// Binds and listens; throws as `create_public_server` does, also without a key and for
/// a short one. Drain it while the desk's executor still runs.
std::unique_ptr<HttpServer> create_admin_server(boost::asio::any_io_executor executor,
                                                AdminSettings settings, AdminPorts ports);

}  // namespace sluice
