#include "sluice/gate/identity.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <jwt.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdexcept>
#include <utility>

#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

constexpr std::size_t kTokenBytesMax = 2048;
constexpr int kEcBits = 256;

struct FreeJwt {
  void operator()(jwt_t* jwt) const { jwt_free(jwt); }
};
using Jwt = std::unique_ptr<jwt_t, FreeJwt>;

std::int64_t seconds(TimePoint when) {
  return std::chrono::floor<std::chrono::seconds>(when.time_since_epoch()).count();
}

std::string_view grant(jwt_t* jwt, const char* name) {
  const char* text = jwt_get_grant(jwt, name);
  return text == nullptr ? std::string_view() : std::string_view(text);
}

/// `aud` is one audience or a list of them (RFC 7519, 4.1.3).
bool names_audience(jwt_t* jwt, const std::string& audience) {
  if (grant(jwt, "aud") == audience) return true;
  const std::unique_ptr<char, void (*)(void*)> text(jwt_get_grants_json(jwt, "aud"), &std::free);
  if (!text) return false;
  const auto list = nlohmann::json::parse(text.get(), nullptr, false);
  const auto is_text = [](const nlohmann::json& one) { return one.is_string(); };
  return list.is_array() && std::ranges::all_of(list, is_text) &&
         std::ranges::find(list, nlohmann::json(audience)) != list.end();
}

/// True for a public key, as PEM, that signatures of the algorithm can be checked with.
bool is_public_key(const std::string& pem, jwt_alg_t algorithm) {
  const std::unique_ptr<BIO, int (*)(BIO*)> text(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      PEM_read_bio_PUBKEY(text.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  ERR_clear_error();
  if (!key) return false;
  if (algorithm == JWT_ALG_RS256) return EVP_PKEY_base_id(key.get()) == EVP_PKEY_RSA;
  return EVP_PKEY_base_id(key.get()) == EVP_PKEY_EC && EVP_PKEY_bits(key.get()) == kEcBits;
}

Refusal refusal(Code code) { return Refusal{code, Millis{0}}; }

}  // namespace

void check_identity(const IdentitySettings& settings) {
  const auto algorithm = jwt_str_alg(settings.algorithm.c_str());
  if (algorithm != JWT_ALG_HS256 && algorithm != JWT_ALG_RS256 && algorithm != JWT_ALG_ES256) {
    throw std::invalid_argument("identity.algorithm must be HS256, RS256 or ES256");
  }
  if (algorithm == JWT_ALG_HS256 && settings.key.size() < 32) {
    throw std::invalid_argument("the identity secret must have at least 32 bytes");
  }
  if (algorithm != JWT_ALG_HS256 && !is_public_key(settings.key, algorithm)) {
    throw std::invalid_argument("the identity key must be a public key for " + settings.algorithm +
                                " as PEM");
  }
}

Identity::Identity(IdentitySettings settings) : settings_(std::move(settings)) {
  check_identity(settings_);
  cache_.resize(std::bit_ceil(std::max(settings_.cache_slots, kWays)));
}

void Identity::use_key(std::string key) {
  if (key == settings_.key) return;
  auto changed = settings_;
  changed.key = std::move(key);
  check_identity(changed);
  settings_ = std::move(changed);
  if (!mutant("reload.tokens_outlive_their_key")) std::ranges::fill(cache_, Remembered());
}

std::optional<UserId> Identity::recall(std::string_view token, TimePoint now) {
  if (token.empty() || token.size() > kTokenBytesMax) return std::nullopt;
  const auto* user = find(keyed_hash_128(key_, token), now);
  return user == nullptr ? std::nullopt : std::optional(*user);
}

const UserId* Identity::find(const Mark& mark, TimePoint now) {
  for (const auto& known : slots_of(mark)) {
    if (known.mark == mark && now < known.expires_at) return &known.user;
  }
  return nullptr;
}

Identified Identity::verify(std::string_view token, TimePoint now) {
  if (token.empty()) return refusal(Code::missing_token);
  // The library reads a C string: what is behind a NUL would go unread.
  if (token.size() > kTokenBytesMax || token.find('\0') != std::string_view::npos) {
    return refusal(Code::invalid_token);
  }
  const auto mark = keyed_hash_128(key_, token);
  if (const auto* user = find(mark, now)) return *user;
  TimePoint expires_at{};
  auto user = decode(std::string(token), now, expires_at);
  if (user) remember({mark, expires_at, *user}, now);
  return user;
}

std::span<Identity::Remembered, Identity::kWays> Identity::slots_of(const Mark& mark) {
  const auto set = mark[0] & (cache_.size() / kWays - 1);
  return std::span<Remembered, kWays>(&cache_[set * kWays], kWays);
}

// Takes the slot of an expired token, or else of any: users who come round in turn would always
// evict each other if it were the oldest.
void Identity::remember(Remembered fresh, TimePoint now) {
  const auto slots = slots_of(fresh.mark);
  auto slot =
      std::ranges::find_if(slots, [now](const Remembered& old) { return old.expires_at <= now; });
  if (slot == slots.end()) slot = slots.begin() + static_cast<std::ptrdiff_t>(turn_++ % kWays);
  *slot = std::move(fresh);
}

Identified Identity::decode(const std::string& token, TimePoint now, TimePoint& expires_at) const {
  jwt_t* raw = nullptr;
  const auto* key = reinterpret_cast<const unsigned char*>(settings_.key.data());
  if (jwt_decode(&raw, token.c_str(), key, static_cast<int>(settings_.key.size())) != 0) {
    return refusal(Code::invalid_token);
  }
  const Jwt jwt(raw);
  // The library accepts any algorithm that fits the key: the pin is ours to check.
  if (jwt_get_alg(jwt.get()) != jwt_str_alg(settings_.algorithm.c_str()) ||
      grant(jwt.get(), "iss") != settings_.issuer ||
      !names_audience(jwt.get(), settings_.audience)) {
    return refusal(Code::invalid_token);
  }
  auto user = UserId::parse(grant(jwt.get(), "sub"));
  const auto expires = jwt_get_grant_int(jwt.get(), "exp");
  if (!user || expires <= 0) return refusal(Code::invalid_token);
  if (expires <= seconds(now)) return refusal(Code::expired_token);
  const auto not_before = jwt_get_grant_int(jwt.get(), "nbf");
  const bool absent = errno == ENOENT;
  // The library reads one that is no whole number as 0.
  if (!absent && (not_before <= 0 || not_before > seconds(now))) {
    return refusal(Code::invalid_token);
  }
  // Far beyond any sale, and small enough not to overflow in milliseconds.
  const auto bounded = std::min<std::int64_t>(expires, INT64_C(1) << 40);
  expires_at = TimePoint(std::chrono::seconds(bounded));
  return std::move(*user);
}

std::string sign_token(const IdentitySettings& settings, const UserId& user, TimePoint now,
                       Millis lifetime) {
  jwt_t* raw = nullptr;
  if (jwt_new(&raw) != 0) throw std::bad_alloc();
  const Jwt jwt(raw);
  jwt_add_grant(jwt.get(), "iss", settings.issuer.c_str());
  jwt_add_grant(jwt.get(), "aud", settings.audience.c_str());
  jwt_add_grant(jwt.get(), "sub", user.text().c_str());
  jwt_add_grant_int(jwt.get(), "iat", seconds(now));
  jwt_add_grant_int(jwt.get(), "exp", seconds(now + lifetime));
  const auto* key = reinterpret_cast<const unsigned char*>(settings.key.data());
  if (jwt_set_alg(jwt.get(), JWT_ALG_HS256, key, static_cast<int>(settings.key.size())) != 0) {
    throw std::invalid_argument("the identity secret cannot sign");
  }
  const std::unique_ptr<char, void (*)(void*)> encoded(jwt_encode_str(jwt.get()), &std::free);
  if (!encoded) throw std::invalid_argument("the identity secret cannot sign");
  return encoded.get();
}

}  // namespace sluice
