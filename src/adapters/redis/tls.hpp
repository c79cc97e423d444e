#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <string>

#include "sluice/adapters/redis/redis.hpp"

namespace sluice::redis {

using TlsContext = boost::asio::ssl::context;
using TlsStream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>;

/// What every TLS connection with these settings needs: TLS 1.2 or newer, whom to trust, and the
/// own certificate if there is one. Reads the files now. Throws std::invalid_argument, which names
/// the setting, when one cannot be used.
std::shared_ptr<TlsContext> make_tls_context(const RedisSettings& settings);

/// Has the handshake tell the server which host is meant, and accept its certificate only when it
/// is trusted, valid now and for that host (a name or an address).
void expect_host(TlsStream& stream, const std::string& host);

/// Why the handshake refused the server's certificate; empty when it did not.
std::string certificate_problem(TlsStream& stream);

}  // namespace sluice::redis
