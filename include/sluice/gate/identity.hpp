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
#include "sluice/gate/key_set.hpp"

namespace sluice {

struct IdentitySettings {
  VerifyingKeys keys;               ///< As `check_keys` wants them.
  std::string issuer = "sluice";    ///< The `iss` that a token must have.
  std::string audience = "sluice";  ///< Must be the token's `aud`, or one of them.
  std::size_t cache_slots =
      65536;  ///< Verified tokens remembered by each verifier; a power of two, 4 or more.
};

/// The user of a verified token, or why it is refused.
using Identified = boost::system::result<UserId, Refusal>;

/// Verifies JSON Web Tokens of the shop's own login: the key by `kid`, its one algorithm, `iss`,
/// `aud`, `exp` (and `nbf` if there), `sub` as the user. A token without a `kid` is checked with
/// the only key, or refused. It remembers tokens it verified, by a keyed 128-bit hash, until they
/// expire. One per thread.
class Identity {
 public:
  /// Throws std::invalid_argument when the settings cannot work.
  explicit Identity(IdentitySettings settings);

  /// Takes other keys, and forgets the tokens it verified unless all former keys are among them.
  /// Throws std::invalid_argument, and changes nothing, when they cannot work.
  void use_keys(VerifyingKeys keys);

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
  const VerifyingKey* key_of(const std::string& token) const;
  Identified decode(const std::string& token, TimePoint now, TimePoint& expires_at) const;

  IdentitySettings settings_;
  HashKey key_ = random_hash_key();  ///< Clients cannot aim at a slot.
  std::vector<Remembered> cache_;
  std::size_t turn_ = 0;
};

/// A token that `Identity` with these settings accepts, signed with the first of the keys for
/// HS256. For tests and the demo. Throws std::invalid_argument when there is none.
std::string sign_token(const IdentitySettings& settings, const UserId& user, TimePoint now,
                       Millis lifetime);

}  // namespace sluice
