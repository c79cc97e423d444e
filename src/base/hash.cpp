#include "sluice/base/hash.hpp"

#include <sodium.h>
#include <vector>

namespace sluice {

static_assert(sizeof(HashKey) == crypto_shorthash_KEYBYTES);

// Before any thread: the library chooses its implementations and opens the system's entropy.
[[maybe_unused]] const int kSodium = sodium_init();

std::uint64_t keyed_hash(const HashKey& key, std::string_view text) noexcept {
  std::uint64_t hash = 0;
  static_assert(sizeof(hash) == crypto_shorthash_BYTES);
  crypto_shorthash(reinterpret_cast<unsigned char*>(&hash),
                   reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.data());
  return hash;
}

HashKey random_hash_key() {
  HashKey key;
  randombytes_buf(key.data(), key.size());
  return key;
}

HashKey derive_hash_key(std::string_view secret, std::string_view purpose) {
  HashKey key;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, key.size());
  // The length in front keeps (purpose, secret) pairs apart.
  const std::uint64_t length = purpose.size();
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&length),
                            sizeof(length));
  for (const auto part : {purpose, secret}) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()),
                              part.size());
  }
  crypto_generichash_final(&state, key.data(), key.size());
  return key;
}

std::string random_hex(std::size_t bytes) {
  // An empty vector has no memory to hand to the library.
  if (bytes == 0) return {};
  std::vector<unsigned char> random(bytes);
  randombytes_buf(random.data(), random.size());
  std::string text(bytes * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), random.data(), random.size());
  text.pop_back();
  return text;
}

bool equal_secrets(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace sluice
