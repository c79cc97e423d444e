#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

using HashKey = std::array<unsigned char, 16>;

/// SipHash-2-4 (libsodium's crypto_shorthash): keyed, so that clients cannot aim at a slot.
std::uint64_t keyed_hash(const HashKey& key, std::string_view text) noexcept;

/// The same with 128 bits, for what must not collide.
std::array<std::uint64_t, 2> keyed_hash_128(const HashKey& key, std::string_view text) noexcept;

/// A key from the operating system's entropy.
HashKey random_hash_key();

/// A key derived from a secret of any length and a purpose, by BLAKE2b.
HashKey derive_hash_key(std::string_view secret, std::string_view purpose);

/// `bytes` random bytes as lower-case hexadecimal.
std::string random_hex(std::size_t bytes);

/// Compares in time that depends on the lengths alone.
bool equal_secrets(std::string_view a, std::string_view b) noexcept;

}  // namespace sluice
