#include "adapters/postgres/tls.hpp"

#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace sluice::postgres {
namespace {

/// Null for a plain connection.
SSL* tls_of(PGconn* connection) { return static_cast<SSL*>(PQsslStruct(connection, "OpenSSL")); }

}  // namespace

bool take_input(PGconn* connection) {
  do {
    if (PQconsumeInput(connection) == 0) return false;
  } while (tls_of(connection) != nullptr && SSL_pending(tls_of(connection)) > 0);
  return true;
}

TlsKeeper::TlsKeeper(PGconn* connection) : tls_(tls_of(connection)) {
  if (tls_) SSL_up_ref(tls_.get());
}

std::string TlsKeeper::refusal() const {
  const auto found = tls_ ? SSL_get_verify_result(tls_.get()) : X509_V_OK;
  if (found == X509_V_OK) return {};
  return std::string(" (") + X509_verify_cert_error_string(found) + ")";
}

void TlsKeeper::Free::operator()(SSL* tls) const { SSL_free(tls); }

}  // namespace sluice::postgres
