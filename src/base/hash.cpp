#include "sluice/base/hash.hpp"

#include <sodium.h>

namespace sluice {
namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

static_assert(sizeof(HashKey) == crypto_shorthash_KEYBYTES);

// Before any thread: the library chooses its implementations and opens the system's entropy.
[[maybe_unused]] const int kSodium = sodium_init();

std::uint64_t keyed_hash(const HashKey& key, std::string_view text) noexcept {
  std::uint64_t hash = 0;
  static_assert(sizeof(hash) == crypto_shorthash_BYTES);
  crypto_shorthash(reinterpret_cast<unsigned char*>(&hash), bytes_of(text), text.size(),
                   key.data());
  return hash;
}

std::array<std::uint64_t, 2> keyed_hash_128(const HashKey& key, std::string_view text) noexcept {
  std::array<std::uint64_t, 2> hash{};
  static_assert(sizeof(hash) == crypto_shorthash_siphashx24_BYTES);
  crypto_shorthash_siphashx24(reinterpret_cast<unsigned char*>(hash.data()), bytes_of(text),
                              text.size(), key.data());
  return hash;
}

HashKey random_hash_key() {
  HashKey key;
  randombytes_buf(key.data(), key.size());
  return key;
}

HashKey derive_hash_key(std::string_view secret, std::string_view purpose) {
  // The length in front keeps (purpose, secret) pairs apart.
  const std::uint64_t length = purpose.size();
  std::string text(reinterpret_cast<const char*>(&length), sizeof(length));
  text.append(purpose).append(secret);
  HashKey key;
  crypto_generichash(key.data(), key.size(), bytes_of(text), text.size(), nullptr, 0);
  return key;
}

std::string random_hex(std::size_t bytes) {
  std::string random(bytes, '\0');
  randombytes_buf(random.data(), random.size());
  std::string text(bytes * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes_of(random), random.size());
  text.pop_back();
  return text;
}

bool equal_secrets(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace sluice
