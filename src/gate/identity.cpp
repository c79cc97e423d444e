#include "sluice/gate/identity.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <jwt.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "sluice/base/destroy.hpp"
#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

constexpr std::size_t kTokenBytesMax = 2048;

using Jwt = std::unique_ptr<jwt_t, Destroy<jwt_free>>;

const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// Null when the token is none, or not signed with the key; without a key that is not checked.
Jwt parse(const std::string& token, const VerifyingKey* key) {
  jwt_t* raw = nullptr;
  const auto* bytes = key == nullptr ? nullptr : bytes_of(key->key);
  const int size = key == nullptr ? 0 : static_cast<int>(key->key.size());
  return Jwt(jwt_decode(&raw, token.c_str(), bytes, size) == 0 ? raw : nullptr);
}

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

Refusal refusal(Code code) { return Refusal{code, Millis{0}}; }

}  // namespace

Identity::Identity(IdentitySettings settings) : settings_(std::move(settings)) {
  check_keys(settings_.keys);
  cache_.resize(std::bit_ceil(std::max(settings_.cache_slots, kWays)));
}

void Identity::use_keys(VerifyingKeys keys) {
  check_keys(keys);
  const auto stays = [&keys](const VerifyingKey& old) { return std::ranges::count(keys, old) > 0; };
  const bool all_stay = std::ranges::all_of(settings_.keys, stays);
  settings_.keys = std::move(keys);
  if (all_stay || mutant("reload.tokens_outlive_their_key")) return;
  std::ranges::fill(cache_, Remembered());
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

// The key that a token names, before anything in it is believed; null when there is none.
const VerifyingKey* Identity::key_of(const std::string& token) const {
  const auto& keys = settings_.keys;
  if (keys.front().id.empty()) return &keys.front();
  const auto jwt = parse(token, nullptr);
  if (!jwt) return nullptr;
  const char* id = jwt_get_header(jwt.get(), "kid");
  if (id == nullptr) {
    const bool absent = errno == ENOENT;  // Not there, rather than no text.
    const bool alone = keys.size() == 1 || mutant("identity.any_key_without_kid");
    return absent && alone ? &keys.front() : nullptr;
  }
  const auto named = std::ranges::find(keys, std::string_view(id), &VerifyingKey::id);
  return named == keys.end() ? nullptr : &*named;
}

Identified Identity::decode(const std::string& token, TimePoint now, TimePoint& expires_at) const {
  const auto* key = key_of(token);
  const auto jwt = key == nullptr ? Jwt() : parse(token, key);
  if (!jwt) return refusal(Code::invalid_token);
  // The library accepts any algorithm that fits the key: the pin is ours to check.
  const bool pinned = jwt_get_alg(jwt.get()) == jwt_str_alg(key->algorithm.c_str());
  if (!(pinned || mutant("identity.any_algorithm")) ||
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
  const auto key = std::ranges::find(settings.keys, "HS256", &VerifyingKey::algorithm);
  if (key == settings.keys.end()) throw std::invalid_argument("no identity secret to sign with");
  jwt_t* raw = nullptr;
  if (jwt_new(&raw) != 0) throw std::bad_alloc();
  const Jwt jwt(raw);
  jwt_add_grant(jwt.get(), "iss", settings.issuer.c_str());
  jwt_add_grant(jwt.get(), "aud", settings.audience.c_str());
  jwt_add_grant(jwt.get(), "sub", user.text().c_str());
  jwt_add_grant_int(jwt.get(), "iat", seconds(now));
  jwt_add_grant_int(jwt.get(), "exp", seconds(now + lifetime));
  if (!key->id.empty()) jwt_add_header(jwt.get(), "kid", key->id.c_str());
  const int size = static_cast<int>(key->key.size());
  if (jwt_set_alg(jwt.get(), JWT_ALG_HS256, bytes_of(key->key), size) != 0) {
    throw std::invalid_argument("the identity secret cannot sign");
  }
  const std::unique_ptr<char, void (*)(void*)> encoded(jwt_encode_str(jwt.get()), &std::free);
  if (!encoded) throw std::invalid_argument("the identity secret cannot sign");
  return encoded.get();
}

}  // namespace sluice
