#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sluice/base/time.hpp"

namespace sluice {

/// Where a server listens.
struct Endpoint {
  std::string host;  ///< A name or an address, IPv6 without brackets.
  std::string port;
};

/// Reads http://HOST[:PORT][/]. Empty for anything else: no TLS, user, path or query.
std::optional<Endpoint> parse_url(std::string_view url);

/// Where a server that listens on `address` is reached from this host: the loopback address for
/// 0.0.0.0 and "::".
Endpoint endpoint_of(const std::string& address, unsigned port);

struct ClientReply {
  unsigned status = 0;
  std::string body;
};

/// Why there is no reply, or why it is none; `what()` is one line that names the server.
class ClientError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A client of the admin API: one connection for each request, one deadline for all of it, replies
/// of at most 8 MiB, no redirects. Blocks.
class AdminClient {
 public:
  /// `key` may be empty for what needs none.
  AdminClient(Endpoint server, std::string key, Millis timeout);

  /// Any status is a reply. Throws `ClientError` without one.
  ClientReply get(std::string_view path);

  /// As `get`; `body` is JSON, or empty for none.
  ClientReply post(std::string_view path, std::string body);

 private:
  ClientReply exchange(std::string_view method, std::string_view path, std::string body);

  Endpoint server_;
  std::string key_;
  Millis timeout_;
};

/// What a reply other than 2xx says, on one line: "HTTP 409, invalid_state: …".
std::string describe_refusal(const ClientReply& reply);

}  // namespace sluice
