#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "sluice/base/metrics.hpp"
#include "sluice/base/time.hpp"
#include "sluice/http/admin_server.hpp"
#include "sluice/http/public_server.hpp"
#include "sluice/http/server.hpp"

#include "http/routes.hpp"

namespace sluice::http {

/// What the two listeners answer.
std::unique_ptr<Routes> create_public_routes(PublicSettings settings, PublicPorts ports);
std::unique_ptr<Routes> create_admin_routes(AdminSettings settings, AdminPorts ports);

/// Binds and listens; see `create_public_server`. `name`: of the listener in metrics.
std::unique_ptr<HttpServer> create_server(boost::asio::any_io_executor executor,
                                          HttpSettings settings, const std::string& name,
                                          Clock& clock, Metrics& metrics,
                                          std::shared_ptr<ConnectionLimits> connections,
                                          std::unique_ptr<Routes> routes);

}  // namespace sluice::http
