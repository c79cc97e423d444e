#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/http/admin_keys.hpp"

#include "cli/parts.hpp"

namespace sluice {

using Json = nlohmann::ordered_json;

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

/// The server that `flag` names by `cli.url`; without one, the one that listens as `otherwise`
/// says. Throws UsageError.
Endpoint server_of(const std::string& flag, const Cli& cli, const HttpSettings& otherwise);

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
struct AdminClient {
  Endpoint server;
  std::string key;  ///< May be empty for what needs none.
  Millis timeout;

  /// Any status is a reply. Throws `ClientError` without one. `body` is JSON, or empty for none.
  ClientReply ask(std::string_view method, std::string_view path, std::string body = {}) const;
};

/// What a reply other than 2xx says, on one line: "HTTP 409, invalid_state: …".
std::string describe_refusal(const ClientReply& reply);

/// A client for a command of the admin API that needs that role: with the first key that is good
/// for it, else the first there is. Throws SettingsError or UsageError.
AdminClient admin_client(const Cli& cli, AdminRole role);

/// The JSON object that the server replied. Throws ClientError, which says why there is none.
Json json_of(const ClientReply& reply);

/// What the server said, with `--json`, or the text made from it. The exit code is 0.
int print(const Cli& cli, const Json& reply, const std::string& text);

inline constexpr const char* kSalesPath = "/admin/sales";

/// Where the sale of that number is. Throws UsageError when it is none.
std::string sale_path(const std::string& sale);

/// A member of an object as text for a terminal; empty without it.
std::string field(const Json& object, const char* name);

/// One line for each name and text, the texts below each other; none for an empty text.
std::string aligned(std::initializer_list<std::pair<const char*, std::string>> lines);

}  // namespace sluice
