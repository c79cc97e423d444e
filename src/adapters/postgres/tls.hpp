#pragma once

#include <memory>
#include <string>

struct pg_conn;
struct ssl_st;

namespace sluice::postgres {

/// Takes all that has come on a connection. A record of TLS may be larger than libpq's room for it,
/// and what stays in OpenSSL makes the socket readable no more. False when the connection is lost.
bool take_input(pg_conn* connection);

/// Keeps the TLS of a connection, if it has any, while libpq takes a step of the handshake: libpq
/// forgets it, and why it refused the server's certificate, when that fails.
class TlsKeeper {
 public:
  explicit TlsKeeper(pg_conn* connection);

  /// " (why)" when the server's certificate was refused, else empty.
  std::string refusal() const;

 private:
  struct Free {
    void operator()(ssl_st* tls) const;
  };
  std::unique_ptr<ssl_st, Free> tls_;
};

}  // namespace sluice::postgres
