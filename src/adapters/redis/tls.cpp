#include "adapters/redis/tls.hpp"

// The functions of Asio's TLS that its headers only declare under BOOST_ASIO_SEPARATE_COMPILATION.
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdexcept>

#include "sluice/base/mutation.hpp"

namespace sluice::redis {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

void refuse_if(const error_code& error, const std::string& setting, const std::string& file) {
  if (error) throw std::invalid_argument(setting + " = " + file + ": " + error.message());
}

}  // namespace

std::shared_ptr<TlsContext> make_tls_context(const RedisSettings& settings) {
  auto context = std::make_shared<TlsContext>(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  context->set_verify_mode(ssl::verify_peer);
  error_code error;
  if (settings.tls_ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(settings.tls_ca_file, error);
  }
  refuse_if(error, "redis.tls_ca_file", settings.tls_ca_file);
  if (settings.tls_cert_file.empty()) return context;
  context->use_certificate_chain_file(settings.tls_cert_file, error);
  refuse_if(error, "redis.tls_cert_file", settings.tls_cert_file);
  // Also refused when it does not belong to the certificate.
  context->use_private_key_file(settings.tls_key_file, ssl::context::pem, error);
  refuse_if(error, "redis.tls_key_file", settings.tls_key_file);
  return context;
}

void expect_host(TlsStream& stream, const std::string& host) {
  auto* const handle = stream.native_handle();
  error_code no_address;
  boost::asio::ip::make_address(host, no_address);
  if (no_address) {
    SSL_set_tlsext_host_name(handle, host.c_str());
    SSL_set_hostflags(handle, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  }
  if (mutant("redis.any_host")) return;
  auto* const wanted = SSL_get0_param(handle);
  const int set = no_address ? SSL_set1_host(handle, host.c_str())
                             : X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str());
  // Without it every host's certificate would do.
  if (set != 1) throw std::runtime_error("TLS cannot expect the host " + host);
}

std::string certificate_problem(TlsStream& stream) {
  const auto found = SSL_get_verify_result(stream.native_handle());
  return found == X509_V_OK ? "" : X509_verify_cert_error_string(found);
}

}  // namespace sluice::redis
