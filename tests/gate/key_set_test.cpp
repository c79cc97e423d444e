#include "sluice/gate/key_set.hpp"

#include <array>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <jwt.h>
#include <memory>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdexcept>
#include <string>

#include "sluice/gate/identity.hpp"

namespace sluice {
namespace {

using testing::HasSubstr;

constexpr TimePoint kNow{Millis{1'800'000'000'000}};
const std::string kClaims = R"({"iss":"sluice","aud":"sluice","sub":"alice","exp":1800000060})";
const std::string kSecret = "0123456789abcdef0123456789abcdef";

std::string base64(std::string_view bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), kVariant);
  text.pop_back();  // The terminating NUL.
  return text;
}

std::string member(const std::string& name, const std::string& value) {
  return ",\"" + name + "\":\"" + value + '"';
}

std::string set_of(const std::string& keys) { return "{\"keys\":[" + keys + "]}"; }

/// A shop's login with a key pair of its own.
class Login {
 public:
  explicit Login(EVP_PKEY* key) : key_(key, &EVP_PKEY_free) {}

  static Login ec(const char* curve = "P-256") { return Login(EVP_EC_gen(curve)); }
  static Login rsa(unsigned bits = 2048) { return Login(EVP_RSA_gen(bits)); }

  /// Its public key; `more`: further members.
  std::string jwk(const std::string& more) const {
    if (EVP_PKEY_base_id(key_.get()) == EVP_PKEY_RSA) {
      return "{\"kty\":\"RSA\"" + member("n", number("n")) + member("e", number("e")) + more + '}';
    }
    std::array<unsigned char, 256> point{};
    std::size_t size = 0;
    EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(),
                                    &size);
    const std::string both(reinterpret_cast<const char*>(point.data()) + 1, size - 1);
    const auto half = both.size() / 2;
    return R"({"kty":"EC","crv":"P-256")" + member("x", base64(both.substr(0, half))) +
           member("y", base64(both.substr(half))) + more + '}';
  }

  /// A token of alice; without a `kid` when `id` is empty.
  std::string token(const std::string& id, jwt_alg_t algorithm) const {
    const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), &BIO_free);
    PEM_write_bio_PrivateKey(out.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    char* text = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(out.get(), &text));
    return sign(id, algorithm, {text, size});
  }

  static std::string sign(const std::string& id, jwt_alg_t algorithm, const std::string& key) {
    return sign_with(id.empty() ? "{}" : R"({"kid":")" + id + "\"}", algorithm, key);
  }

  static std::string sign_with(const std::string& header, jwt_alg_t algorithm,
                               const std::string& key) {
    jwt_t* jwt = nullptr;
    if (jwt_new(&jwt) != 0) throw std::bad_alloc();
    const std::unique_ptr<jwt_t, void (*)(jwt_t*)> owner(jwt, &jwt_free);
    jwt_add_grants_json(jwt, kClaims.c_str());
    jwt_add_headers_json(jwt, header.c_str());
    jwt_set_alg(jwt, algorithm, reinterpret_cast<const unsigned char*>(key.data()),
                static_cast<int>(key.size()));
    const std::unique_ptr<char, void (*)(void*)> text(jwt_encode_str(jwt), &std::free);
    if (!text) throw std::invalid_argument("cannot sign");
    return text.get();
  }

 private:
  std::string number(const char* name) const {
    BIGNUM* value = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &value);
    std::string bytes(static_cast<std::size_t>(BN_num_bytes(value)), '\0');
    BN_bn2bin(value, reinterpret_cast<unsigned char*>(bytes.data()));
    BN_free(value);
    return base64(bytes);
  }

  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
};

std::string shared(const std::string& id, const std::string& secret = kSecret) {
  return "{\"kty\":\"oct\"" + member("kid", id) + member("k", base64(secret)) + '}';
}

Identity identity_of(const std::string& keys) {
  IdentitySettings settings;
  settings.keys = parse_key_set(set_of(keys)).keys;
  settings.cache_slots = 64;
  return Identity(settings);
}

std::string said(Identity& identity, const std::string& token) {
  const auto user = identity.verify(token, kNow);
  return user ? user->text() : std::string(problem(user.error().code).name);
}

/// Why a set is refused.
std::string problem_of(const std::string& text) {
  try {
    parse_key_set(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

TEST(IdentityOfKeySets, ATokenIsCheckedWithTheKeyThatItNames) {
  const auto ec = Login::ec();
  const auto other = Login::ec();
  const auto rsa = Login::rsa();
  auto identity = identity_of(ec.jwk(member("kid", "e1") + member("alg", "ES256")) + ',' +
                              other.jwk(member("kid", "e2") + member("use", "sig")) + ',' +
                              rsa.jwk(member("kid", "r")) + ',' + shared("s"));
  EXPECT_EQ(said(identity, ec.token("e1", JWT_ALG_ES256)), "alice");
  EXPECT_EQ(said(identity, other.token("e2", JWT_ALG_ES256)), "alice");
  EXPECT_EQ(said(identity, rsa.token("r", JWT_ALG_RS256)), "alice");
  EXPECT_EQ(said(identity, Login::sign("s", JWT_ALG_HS256, kSecret)), "alice");
  for (const auto& bad :
       {ec.token("e2", JWT_ALG_ES256), ec.token("e3", JWT_ALG_ES256), ec.token("r", JWT_ALG_ES256),
        rsa.token("r", JWT_ALG_RS384), Login::sign("s", JWT_ALG_HS512, kSecret),
        Login::sign("E1", JWT_ALG_HS256, kSecret)}) {
    EXPECT_EQ(said(identity, bad), "invalid_token") << bad;
  }
}

TEST(IdentityOfKeySets, APublicKeyIsNoSharedSecret) {
  const auto rsa = Login::rsa();
  const auto keys = parse_key_set(set_of(rsa.jwk(member("kid", "r")) + ',' + shared("s"))).keys;
  IdentitySettings settings;
  settings.keys = keys;
  Identity identity(settings);
  EXPECT_EQ(said(identity, Login::sign("r", JWT_ALG_HS256, keys[0].key)), "invalid_token");
}

TEST(IdentityOfKeySets, ATokenWithoutAKidIsCheckedWithTheOnlyKeyAlone) {
  const auto ec = Login::ec();
  const auto token = ec.token("", JWT_ALG_ES256);
  auto one = identity_of(ec.jwk(member("kid", "e")));
  EXPECT_EQ(said(one, token), "alice");
  EXPECT_EQ(said(one, ec.token("other", JWT_ALG_ES256)), "invalid_token");
  const std::string odd_ids[] = {R"({"kid":1})", R"({"kid":null})", R"({"kid":["e"]})"};
  auto secret = identity_of(shared("e"));
  EXPECT_EQ(said(secret, Login::sign("", JWT_ALG_HS256, kSecret)), "alice");
  for (const auto& header : odd_ids) {
    EXPECT_EQ(said(secret, Login::sign_with(header, JWT_ALG_HS256, kSecret)), "invalid_token")
        << header;
  }
  auto two = identity_of(ec.jwk(member("kid", "e")) + ',' + shared("s"));
  EXPECT_EQ(said(two, token), "invalid_token");
  EXPECT_EQ(said(two, Login::sign("", JWT_ALG_HS256, kSecret)), "invalid_token");
}

TEST(IdentityOfKeySets, AnOnlyKeyWithoutAKidTakesEveryToken) {
  const auto ec = Login::ec();
  auto identity = identity_of(ec.jwk(""));
  EXPECT_EQ(said(identity, ec.token("", JWT_ALG_ES256)), "alice");
  EXPECT_EQ(said(identity, ec.token("any", JWT_ALG_ES256)), "alice");
}

TEST(IdentityOfKeySets, KeysOverlapWhileTheLoginChangesOver) {
  const std::string other(32, 'o');
  const auto former = Login::sign("a", JWT_ALG_HS256, kSecret);
  const auto latter = Login::sign("b", JWT_ALG_HS256, other);
  auto identity = identity_of(shared("a"));
  EXPECT_EQ(said(identity, former), "alice");
  EXPECT_EQ(said(identity, latter), "invalid_token");

  identity.use_keys(parse_key_set(set_of(shared("a") + ',' + shared("b", other))).keys);
  EXPECT_TRUE(identity.recall(former, kNow)) << "its key is still there";
  EXPECT_EQ(said(identity, latter), "alice");

  identity.use_keys(parse_key_set(set_of(shared("b", other))).keys);
  EXPECT_EQ(said(identity, former), "invalid_token");
  EXPECT_EQ(said(identity, latter), "alice");
}

TEST(IdentityOfKeySets, SignTokenNamesItsKey) {
  IdentitySettings settings;
  settings.keys =
      parse_key_set(set_of(Login::ec().jwk(member("kid", "e")) + ',' + shared("s"))).keys;
  Identity identity(settings);
  EXPECT_EQ(said(identity, sign_token(settings, *UserId::parse("bob"), kNow, Millis{60'000})),
            "bob");
  settings.keys.pop_back();
  EXPECT_THROW(sign_token(settings, *UserId::parse("bob"), kNow, Millis{60'000}),
               std::invalid_argument);
}

TEST(KeySets, SkipKeysThatAreForSomethingElse) {
  const auto ec = Login::ec();
  const auto odd = ec.jwk(member("kid", "1") + member("use", "enc")) + ',' +
                   ec.jwk(member("kid", "2") + member("alg", "ES384")) + ',' +
                   ec.jwk(member("kid", "3") + R"(,"key_ops":["sign"])") + ',' +
                   R"({"kty":"OKP","crv":"Ed25519","x":"AA"},{"kty":"EC","crv":"P-384"})";
  const auto set =
      parse_key_set(set_of(odd + ',' + ec.jwk(member("kid", "4") + R"(,"key_ops":["verify"])")));
  ASSERT_EQ(set.keys.size(), 1U);
  EXPECT_EQ(set.keys[0].id, "4");
  EXPECT_EQ(set.keys[0].algorithm, "ES256");
  ASSERT_EQ(set.skipped.size(), 5U);
  EXPECT_THAT(set.skipped[4], HasSubstr("key 5"));
  EXPECT_THAT(problem_of(set_of(odd)), HasSubstr("no identity key"));
}

TEST(KeySets, RefuseWhatIsNone) {
  for (const auto* text : {"", "{", "[]", "null", "{}", R"({"keys":{}})", R"({"keys":null})",
                           R"({"kty":"oct","k":"AA"})", "{\"keys\":[\xff]}"}) {
    EXPECT_THAT(problem_of(text), HasSubstr("is no JSON Web Key Set")) << text;
  }
  EXPECT_THAT(problem_of(R"({"keys":[]})"), HasSubstr("no identity key"));
  EXPECT_THAT(problem_of(std::string(60'000, '[')), HasSubstr("is no JSON Web Key Set"));
}

TEST(KeySets, RefuseMalformedKeysByTheirPlace) {
  const std::string coordinate(43, 'A');
  const auto refused = [](const std::string& key, const std::string& why) {
    const auto said = problem_of(set_of(shared("s") + ',' + key));
    EXPECT_THAT(said, HasSubstr("key 2: ")) << key;
    EXPECT_THAT(said, HasSubstr(why)) << key;
  };
  const auto ec = [](const std::string& x, const std::string& y) {
    return R"({"kid":"e","kty":"EC","crv":"P-256")" + member("x", x) + member("y", y) + '}';
  };
  refused("1", "is no object");
  refused("{}", "\"kty\" is missing");
  refused(R"({"kty":1})", "\"kty\" is no text");
  refused(R"({"kty":"oct","kid":7,"k":"AA"})", "\"kid\" is no text");
  refused(R"({"kty":"oct","kid":"a"})", "\"k\" is missing");
  refused(R"({"kty":"oct","kid":"a","k":"AA=="})", "\"k\" is missing, or no base64url");
  refused(R"({"kty":"oct","kid":"a","k":"A+/A"})", "\"k\" is missing, or no base64url");
  refused(shared("a", "short"), "at least 32 bytes");
  refused(R"({"kty":"oct","kid":"a","key_ops":"verify","k":"AA"})", "\"key_ops\" is no list");
  refused(ec("AAAA", coordinate), "32 bytes each");
  refused(ec(coordinate, coordinate), "no valid public key");
  refused(R"({"kid":"r","kty":"RSA","n":"AQAB","e":"AQAB"})", "\"n\" has 17 bits");
  refused(shared(std::string(257, 'i')), "more than 256 bytes");
}

TEST(KeySets, RefuseWeakExponents) {
  const std::string n = member("n", base64(std::string(256, '\xff')));
  for (const auto* e : {"AQ", "AA", "Ag", "AAAAAAAAAAAB", "AQAAAAAAAAABAQ"}) {
    EXPECT_THAT(problem_of(set_of("{\"kty\":\"RSA\"" + n + member("e", e) + '}')),
                HasSubstr("no exponent"))
        << e;
  }
}

TEST(KeySets, RefusePrivateKeys) {
  EXPECT_THAT(problem_of(set_of(Login::ec().jwk(member("d", std::string(43, 'A'))))),
              HasSubstr("private key"));
}

TEST(KeySets, RefuseKeysThatNoTokenCouldName) {
  EXPECT_THAT(problem_of(set_of(shared("a") + ',' + shared("a", std::string(32, 'o')))),
              HasSubstr("\"kid\" a is there twice"));
  EXPECT_THAT(problem_of(set_of(shared("a") + ',' + shared(""))), HasSubstr("needs a \"kid\""));
  std::string many = shared("0");
  for (int i = 1; i <= 32; ++i) many += ',' + shared(std::to_string(i));
  EXPECT_THAT(problem_of(set_of(many)), HasSubstr("has 33 keys and may have 32"));
}

}  // namespace
}  // namespace sluice
