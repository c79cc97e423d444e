// A token as a client sends it, and one whose header and claims (a line each) the shop signed.
#include <array>
#include <sodium.h>
#include <string>
#include <string_view>

#include "sluice/gate/identity.hpp"

#include "fuzz/fuzz.hpp"

using sluice::test::require;

namespace {

const std::string kSecret = "0123456789abcdef0123456789abcdef";
const sluice::TimePoint kNow{sluice::Millis{1'700'000'000'000}};

std::string base64(std::string_view bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), kVariant);
  text.pop_back();  // The terminating NUL.
  return text;
}

std::string signed_token(std::string_view text) {
  const auto line = std::min(text.find('\n'), text.size());
  const auto claims = line < text.size() ? text.substr(line + 1) : std::string_view();
  const auto content = base64(text.substr(0, line)) + '.' + base64(claims);
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> mac;
  crypto_auth_hmacsha256(mac.data(), reinterpret_cast<const unsigned char*>(content.data()),
                         content.size(), reinterpret_cast<const unsigned char*>(kSecret.data()));
  return content + '.' + base64({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

sluice::Identity make_identity() {
  sluice::IdentitySettings settings;
  settings.keys = {{"", "HS256", kSecret}};
  settings.cache_slots = 4;
  return sluice::Identity(settings);
}

void verify(std::string_view token) {
  static auto identity = make_identity();
  const auto first = identity.verify(token, kNow);
  const auto second = identity.verify(token, kNow);
  require(first.has_value() == second.has_value(), "a token is accepted each time, or never");
  if (!first) return;
  require(sluice::UserId::parse(first->text()) == *first && *second == *first,
          "an accepted token names a valid user");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  verify(text);
  verify(signed_token(text));
  return 0;
}
