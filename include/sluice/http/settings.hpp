#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/base/time.hpp"

namespace sluice {

/// How large a request may be.
struct RequestLimits {
  std::size_t header_max = 8192;  ///< Bytes of request line and fields, 256 or more. Above: 431.
  std::size_t body_max = 4096;    ///< Bytes of a request's body. Above: 413.
  std::size_t fields_max = 64;    ///< Header fields of one request. Above: 431.
};

/// One HTTP listener. The defaults are those of the public one; `AdminSettings` has its own.
struct HttpSettings : RequestLimits {
  std::string address = "0.0.0.0";  ///< An IPv4 or IPv6 address; "::" takes both.
  std::uint16_t port = 8080;        ///< 0: any free one, see `HttpServer::port`.
  int listen_backlog = 4096;        ///< Connections that wait in the kernel to be accepted.

  std::size_t pipelined_max = 128;  ///< Answers joined in one write before more are read.

  Millis header_timeout{5000};  ///< From a request's first byte to the end of its header.
  Millis body_timeout{5000};    ///< From the end of the header to the end of the body.
  Millis idle_timeout{60000};   ///< Between requests, and before the first.
  Millis write_timeout{10000};  ///< For the client to take an answer.
  Millis linger_timeout{2000};  ///< For the client to read a last answer before the close.
  Millis sweep_interval{250};   ///< How often deadlines are looked at; their precision.

  /// For so long browsers shall reach this host by HTTPS alone (HSTS, RFC 6797), said in every
  /// answer. 0: not said.
  std::chrono::seconds hsts_max_age{0};

  /// Peers whose X-Forwarded-For is believed: addresses or CIDR blocks.
  std::vector<std::string> trusted_proxies;
};

/// Connections of one thread's listener beyond the limits that are kept open a moment, to tell them
/// "too many". What comes beyond these is closed without a word.
inline constexpr std::size_t kRefusedConnectionsMax = 256;

/// The bounds on connections that all threads of a process share.
struct ConnectionSettings {
  std::size_t connections_max = 20000;  ///< Open at once.
  /// Open at once from one IPv4 address or IPv6 /64. Generous, because whole companies and mobile
  /// networks share an address. Trusted proxies are exempt.
  std::size_t connections_per_ip_max = 1000;
  std::size_t connections_per_site_max = 4000;  ///< The same from one IPv6 /48.
};

/// What clients of the public API are told.
struct PublicSettings {
  HttpSettings http;
  Millis poll_after{300};              ///< When to ask again for a queued order.
  Millis poll_after_backlogged{2000};  ///< The least of it while the order is backlogged.
  Millis decide_within{30000};         ///< From the purchase to `decide_by`, without a backlog.
  Millis wait_max{30000};              ///< The longest `?wait=`; at most 30,000.
};

}  // namespace sluice
