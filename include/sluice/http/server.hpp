#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>

#include "sluice/base/time.hpp"
#include "sluice/http/settings.hpp"

namespace sluice {

/// Counts the connections of a process, in all and by address. Thread-safe.
class ConnectionLimits;
std::shared_ptr<ConnectionLimits> create_connection_limits(const ConnectionSettings& settings);

/// One listener of one thread, with its connections. Several threads may listen on the same port
/// (each has its own acceptor, SO_REUSEPORT). Use it on its executor only. What it serves must
/// outlive it and every connection: destroy in the order drain, server, io_context run to its end,
/// ports.
class HttpServer {
 public:
  virtual ~HttpServer() = default;

  /// The port it is bound to, from construction on.
  virtual std::uint16_t port() const = 0;

  /// Begins to accept. Connections wait in the kernel until then.
  virtual void start() = 0;

  /// Stops accepting, closes idle connections and answers what is in flight with
  /// `Connection: close`. Returns when the last connection is gone, or false after `bound`, when
  /// what is left was cut off.
  virtual boost::asio::awaitable<bool> drain(Millis bound) = 0;

  /// Connections open now.
  virtual std::size_t connections() const = 0;
};

/// Throws boost::system::system_error when somebody listens on that address already. Sharing a port
/// between the threads of a process would otherwise share it with a second process, silently.
void refuse_taken_address(const HttpSettings& settings);

}  // namespace sluice
