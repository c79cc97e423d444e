#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// A key that signatures are checked with, and the one algorithm that it is for.
struct VerifyingKey {
  std::string id;  ///< The `kid` of tokens that it signs; empty: the only key, for any token.
  std::string algorithm;  ///< HS256, RS256 or ES256.
  std::string key;        ///< The shared secret (32 bytes or more), or the public key as PEM.

  friend bool operator==(const VerifyingKey&, const VerifyingKey&) = default;
};

using VerifyingKeys = std::vector<VerifyingKey>;

/// Throws std::invalid_argument when signatures cannot be checked with these.
void check_keys(const VerifyingKeys& keys);

/// What a JSON Web Key Set holds.
struct KeySet {
  VerifyingKeys keys;                ///< One or more.
  std::vector<std::string> skipped;  ///< A sentence for each key that is for something else.
};

/// Reads a JSON Web Key Set (RFC 7517) of at most 32 keys: P-256 (ES256), RSA of 2,048 to 8,192
/// bits (RS256) and shared secrets (HS256). Keys for another use, curve or algorithm are skipped.
/// Throws std::invalid_argument for what is malformed or weak, for private keys, for a `kid` that
/// is there twice, for one that is missing beside other keys, and when no key is left.
KeySet parse_key_set(std::string_view json);

}  // namespace sluice
