#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/hash.hpp"
#include "sluice/base/problem.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"

namespace sluice {

struct IdentitySettings {
  std::string algorithm = "HS256";  ///< The one accepted: HS256, RS256 or ES256.
  std::string key;  ///< The shared secret (32 bytes or more), or the public key as PEM.
  std::string issuer = "sluice";    ///< The `iss` that a token must have.
  std::string audience = "sluice";  ///< Must be the token's `aud`, or one of them.
  std::size_t cache_slots =
      65536;  ///< Verified tokens remembered by each verifier; a power of two, 4 or more.
};

/// The user of a verified token, or why it is refused.
using Identified = boost::system::result<UserId, Refusal>;

/// Verifies JSON Web Tokens of the shop's own login: one pinned algorithm, `iss`, `aud`, `exp` (and
/// `nbf` if there), `sub` as the user. It remembers tokens it verified, by a keyed 128-bit hash,
/// until they expire. One per thread.
class Identity {
 public:
  /// Throws std::invalid_argument when the settings cannot work.
  explicit Identity(IdentitySettings settings);

  /// Takes another key for the same algorithm, and forgets the tokens that the former one verified;
  /// the same key changes nothing. Throws std::invalid_argument, and changes nothing, when the key
  /// cannot work.
  void use_key(std::string key);

  /// The user of a token that was verified before and holds now; empty for any other.
  std::optional<UserId> recall(std::string_view token, TimePoint now);

  /// `token`: what follows "Bearer ", at most 2,048 bytes; empty means missing.
  Identified verify(std::string_view token, TimePoint now);

 private:
  static constexpr std::size_t kWays = 4;  ///< With one, two tokens would evict each other.
  using Mark = std::array<std::uint64_t, 2>;

  struct Remembered {
    Mark mark{};  ///< Of the whole token.
    TimePoint expires_at{};
    UserId user;
  };

  const UserId* find(const Mark& mark, TimePoint now);
  std::span<Remembered, kWays> slots_of(const Mark& mark);
  void remember(Remembered fresh, TimePoint now);
  Identified decode(const std::string& token, TimePoint now, TimePoint& expires_at) const;

  IdentitySettings settings_;
  HashKey key_ = random_hash_key();  ///< Clients cannot aim at a slot.
  std::vector<Remembered> cache_;
  std::size_t turn_ = 0;
};

/// Throws std::invalid_argument when no `Identity` can work with these settings.
void check_identity(const IdentitySettings& settings);

/// A token that `Identity` with these settings accepts; HS256 only. For tests and the demo.
std::string sign_token(const IdentitySettings& settings, const UserId& user, TimePoint now,
                       Millis lifetime);

}  // namespace sluice
