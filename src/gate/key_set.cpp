#include "sluice/gate/key_set.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <optional>
#include <set>
#include <sodium.h>
#include <stdexcept>

#include "sluice/base/destroy.hpp"
#include "sluice/base/log.hpp"

namespace sluice {
namespace {

using nlohmann::json;

constexpr std::size_t kKeysMax = 32;
constexpr std::size_t kIdBytesMax = 256;
constexpr std::size_t kSecretBytesMin = 32;
constexpr std::size_t kCoordinateBytes = 32;
constexpr std::size_t kExponentBytesMax = 8;
constexpr int kEcBits = 256;
constexpr int kRsaBitsMin = 2'048;
constexpr int kRsaBitsMax = 8'192;

using Bytes = std::unique_ptr<BIO, Destroy<BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Destroy<EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Destroy<EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Destroy<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Destroy<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Destroy<OSSL_PARAM_free>>;

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument(why); }

/// True for a public key, as PEM, that signatures of the algorithm can be checked with.
bool is_public_key(const std::string& pem, bool rsa) {
  const Bytes text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Key key(PEM_read_bio_PUBKEY(text.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!key) return false;
  if (rsa) return EVP_PKEY_base_id(key.get()) == EVP_PKEY_RSA;
  return EVP_PKEY_base_id(key.get()) == EVP_PKEY_EC && EVP_PKEY_bits(key.get()) == kEcBits;
}

void check_key(const VerifyingKey& key) {
  if (key.algorithm == "HS256") {
    if (key.key.size() < kSecretBytesMin) {
      refuse("the identity secret must have at least 32 bytes");
    }
    return;
  }
  if (key.algorithm != "RS256" && key.algorithm != "ES256") {
    refuse("identity.algorithm must be HS256, RS256 or ES256");
  }
  if (!is_public_key(key.key, key.algorithm == "RS256")) {
    refuse("the identity key must be a public key for " + key.algorithm + " as PEM");
  }
}

/// A member that is a text, empty when it is not there.
std::string text_of(const json& jwk, const char* name) {
  const auto found = jwk.find(name);
  if (found == jwk.end()) return {};
  if (!found->is_string()) refuse(fmt::format("\"{}\" is no text", name));
  return found->get<std::string>();
}

/// A member that holds bytes as base64url without padding.
std::string bytes_of(const json& jwk, const char* name) {
  const auto text = text_of(jwk, name);
  std::string bytes(text.size(), '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  const int bad = sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                    text.data(), text.size(), nullptr, &size, &end,
                                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  if (text.empty() || bad != 0 || end != text.data() + text.size()) {
    refuse(fmt::format("\"{}\" is missing, or no base64url without padding", name));
  }
  bytes.resize(size);
  return bytes;
}

/// The public key with these parameters, which OpenSSL checks.
Key public_key(const char* type, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* made = nullptr;
  if (parameters && context && EVP_PKEY_fromdata_init(context.get()) == 1) {
    EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get());
  }
  ERR_clear_error();
  if (made == nullptr) refuse("is no valid public key");
  return Key(made);
}

std::string to_pem(const Key& key) {
  const Bytes out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PUBKEY(out.get(), key.get()) != 1) refuse("is no valid public key");
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string ec_pem(const json& jwk) {
  const auto x = bytes_of(jwk, "x");
  const auto y = bytes_of(jwk, "y");
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) {
    refuse("\"x\" and \"y\" must have 32 bytes each");
  }
  const auto point = '\x04' + x + y;  // Uncompressed.
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  return to_pem(public_key("EC", builder.get()));
}

Number number_of(const std::string& bytes) {
  return Number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                          static_cast<int>(bytes.size()), nullptr));
}

std::string rsa_pem(const json& jwk) {
  const auto modulus = number_of(bytes_of(jwk, "n"));
  const auto exponent_bytes = bytes_of(jwk, "e");
  const auto exponent = number_of(exponent_bytes);
  const int bits = BN_num_bits(modulus.get());
  if (bits < kRsaBitsMin || bits > kRsaBitsMax) {
    refuse(fmt::format("\"n\" has {} bits and must have {} to {}", bits, kRsaBitsMin, kRsaBitsMax));
  }
  // With 1 every signature would be its own message.
  if (exponent_bytes.size() > kExponentBytesMax || BN_is_odd(exponent.get()) == 0 ||
      BN_is_one(exponent.get()) == 1) {
    refuse("\"e\" is no exponent of RSA");
  }
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return to_pem(public_key("RSA", builder.get()));
}

/// The algorithm that a key is for; empty when Sluice has no use for it.
std::string algorithm_of(const json& jwk) {
  const auto type = text_of(jwk, "kty");
  if (type.empty()) refuse("\"kty\" is missing");
  std::string algorithm;
  if (type == "oct") algorithm = "HS256";
  if (type == "RSA") algorithm = "RS256";
  if (type == "EC" && text_of(jwk, "crv") == "P-256") algorithm = "ES256";
  const auto declared = text_of(jwk, "alg");
  const auto use = text_of(jwk, "use");
  const bool fits = (declared.empty() || declared == algorithm) && (use.empty() || use == "sig");
  const auto uses = jwk.find("key_ops");
  if (uses != jwk.end() && !uses->is_array()) refuse("\"key_ops\" is no list");
  const bool verifies = uses == jwk.end() || std::ranges::find(*uses, "verify") != uses->end();
  return fits && verifies ? algorithm : "";
}

/// Empty for a key that is for something else.
std::optional<VerifyingKey> parse_key(const json& jwk) {
  if (!jwk.is_object()) refuse("is no object");
  // It belongs to the login alone, which must know that it lies here.
  if (jwk.contains("d")) refuse("is a private key: leave out all but the public members");
  VerifyingKey key{text_of(jwk, "kid"), algorithm_of(jwk), ""};
  if (key.id.size() > kIdBytesMax) refuse("\"kid\" has more than 256 bytes");
  if (key.algorithm.empty()) return std::nullopt;
  if (key.algorithm == "HS256") key.key = bytes_of(jwk, "k");
  if (key.algorithm == "RS256") key.key = rsa_pem(jwk);
  if (key.algorithm == "ES256") key.key = ec_pem(jwk);
  check_key(key);
  return key;
}

}  // namespace

void check_keys(const VerifyingKeys& keys) {
  if (keys.empty()) refuse("there is no identity key");
  std::set<std::string_view> ids;
  for (const auto& key : keys) {
    check_key(key);
    if (key.id.empty() && keys.size() > 1) refuse("each of several keys needs a \"kid\"");
    if (!ids.insert(key.id).second) {
      refuse(fmt::format("the \"kid\" {} is there twice", printable(key.id)));
    }
  }
}

KeySet parse_key_set(std::string_view json_text) {
  const auto set = json::parse(json_text, nullptr, false);
  const auto listed = set.is_object() ? set.find("keys") : set.end();
  if (!set.is_object() || listed == set.end() || !listed->is_array()) {
    refuse("is no JSON Web Key Set: {\"keys\": [...]}");
  }
  if (listed->size() > kKeysMax) {
    refuse(fmt::format("has {} keys and may have {}", listed->size(), kKeysMax));
  }
  KeySet read;
  for (std::size_t at = 0; at < listed->size(); ++at) {
    try {
      auto key = parse_key((*listed)[at]);
      if (key) {
        read.keys.push_back(std::move(*key));
      } else {
        read.skipped.push_back(
            fmt::format("key {} is for no signature of ES256, RS256 or HS256", at + 1));
      }
    } catch (const std::invalid_argument& error) {
      refuse(fmt::format("key {}: {}", at + 1, error.what()));
    }
  }
  check_keys(read.keys);
  return read;
}

}  // namespace sluice
