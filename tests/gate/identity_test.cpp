#include "sluice/gate/identity.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <jwt.h>
#include <memory>
#include <stdexcept>
#include <string>

#include "gate/signed_tokens.hpp"

namespace sluice {
namespace {

constexpr TimePoint kNow{Millis{1'800'000'000'000}};
constexpr std::int64_t kNowSeconds = 1'800'000'000;
const std::string kSecret = "0123456789abcdef0123456789abcdef";

/// A token with these claims, signed with any algorithm and key.
std::string signed_token(const std::string& claims, jwt_alg_t algorithm = JWT_ALG_HS256,
                         const std::string& key = kSecret) {
  jwt_t* jwt = nullptr;
  if (jwt_new(&jwt) != 0) throw std::bad_alloc();
  const std::unique_ptr<jwt_t, void (*)(jwt_t*)> owner(jwt, &jwt_free);
  if (jwt_add_grants_json(jwt, claims.c_str()) != 0) throw std::invalid_argument("claims");
  const auto* bytes = reinterpret_cast<const unsigned char*>(key.data());
  const bool none = algorithm == JWT_ALG_NONE;
  const int size = none ? 0 : static_cast<int>(key.size());
  if (jwt_set_alg(jwt, algorithm, none ? nullptr : bytes, size) != 0) {
    throw std::invalid_argument("key");
  }
  const std::unique_ptr<char, void (*)(void*)> text(jwt_encode_str(jwt), &std::free);
  if (!text) throw std::invalid_argument("cannot sign");
  return text.get();
}

std::string claims(std::string_view sub = R"("alice")", std::string_view exp = "1800000060",
                   std::string_view more = "") {
  return R"({"iss":"sluice","aud":"sluice","sub":)" + std::string(sub) + R"(,"exp":)" +
         std::string(exp) + std::string(more) + "}";
}

VerifyingKeys one_key(const std::string& secret) { return {{"", "HS256", secret}}; }

IdentitySettings settings() {
  IdentitySettings settings;
  settings.keys = {{"", "HS256", kSecret}};
  settings.cache_slots = 64;
  return settings;
}

/// The user, or the name of the refusal's code.
std::string said(const Identified& identified) {
  return identified ? identified->text() : std::string(problem(identified.error().code).name);
}

class IdentityTest : public testing::Test {
 protected:
  std::string verify(std::string_view token, TimePoint now = kNow) {
    return said(identity_.verify(token, now));
  }

  Identity identity_{settings()};
};

TEST_F(IdentityTest, AcceptsATokenOfTheShop) {
  const auto token = signed_token(claims());
  EXPECT_EQ(verify(token), "alice");
  EXPECT_EQ(verify(token), "alice") << "again, from memory";
}

TEST_F(IdentityTest, AcceptsWhatSignTokenMakes) {
  const auto user = *UserId::parse("bob.1_2-3");
  EXPECT_EQ(verify(sign_token(settings(), user, kNow, Millis{60'000})), "bob.1_2-3");
}

TEST_F(IdentityTest, TheAudienceMayBeOneOfAList) {
  const auto verify_list = [this](const std::string& list) {
    return verify(
        signed_token(R"({"iss":"sluice","sub":"alice","exp":1800000060,"aud":)" + list + "}"));
  };
  EXPECT_EQ(verify_list(R"(["sluice"])"), "alice");
  EXPECT_EQ(verify_list(R"(["other","sluice"])"), "alice");
  for (const std::string list : {R"([])", R"(["other"])", R"(["sluice",1])", R"([["sluice"]])",
                                 R"({"sluice":"sluice"})", R"(["sluice "])", "null", "true"}) {
    EXPECT_EQ(verify_list(list), "invalid_token") << list;
  }
}

TEST_F(IdentityTest, EndsExactlyAtTheSecondItExpires) {
  const auto token = signed_token(claims(R"("alice")", "1800000060"));
  EXPECT_EQ(verify(token, kNow + Millis{59'999}), "alice");
  EXPECT_EQ(verify(token, kNow + Millis{60'000}), "expired_token") << "also when remembered";
  Identity fresh(settings());
  EXPECT_EQ(said(fresh.verify(token, kNow + Millis{60'000})), "expired_token");
  EXPECT_EQ(said(fresh.verify(token, kNow + Millis{59'999})), "alice");
}

TEST_F(IdentityTest, RefusesATokenBeforeItsTime) {
  EXPECT_EQ(verify(signed_token(claims(R"("alice")", "1800000060", R"(,"nbf":1800000001)"))),
            "invalid_token");
  EXPECT_EQ(verify(signed_token(claims(R"("alice")", "1800000060", R"(,"nbf":1800000000)"))),
            "alice");
}

TEST_F(IdentityTest, RefusesABeginThatIsNoWholeNumber) {
  for (const auto* nbf : {"1900000000.5", "\"1900000000\"", "1e10", "null", "[1]"}) {
    const auto more = std::string(R"(,"nbf":)") + nbf;
    EXPECT_EQ(verify(signed_token(claims(R"("alice")", "1800000060", more))), "invalid_token")
        << nbf;
  }
}

TEST_F(IdentityTest, RefusesAnotherIssuerOrAudience) {
  const std::string rest = R"("sub":"alice","exp":1800000060})";
  for (const auto* head :
       {R"({"iss":"other","aud":"sluice",)", R"({"iss":"sluice","aud":"other",)",
        R"({"aud":"sluice",)", R"({"iss":"sluice",)", R"({"iss":1,"aud":"sluice",)",
        R"({"iss":"sluice","aud":["other"],)", R"({"iss":"sluice ","aud":"sluice",)"}) {
    EXPECT_EQ(verify(signed_token(head + rest)), "invalid_token") << head;
  }
}

TEST_F(IdentityTest, RefusesASubjectThatIsNoUser) {
  for (const auto* sub : {R"("")", R"("al ice")", R"("al\nice")", "1", "null", R"(["alice"])",
                          R"({"a":1})", "true", R"("\u00e4")"}) {
    EXPECT_EQ(verify(signed_token(claims(sub))), "invalid_token") << sub;
  }
  const auto too_long = '"' + std::string(65, 'a') + '"';
  EXPECT_EQ(verify(signed_token(claims(too_long))), "invalid_token");
  EXPECT_EQ(verify(signed_token(R"({"iss":"sluice","aud":"sluice","exp":1800000060})")),
            "invalid_token");
}

TEST_F(IdentityTest, RefusesAnEndThatIsNoTime) {
  for (const auto* exp : {"0", "-1", "\"1800000060\"", "null", "1800000060.5"}) {
    EXPECT_EQ(verify(signed_token(claims(R"("alice")", exp))), "invalid_token") << exp;
  }
  EXPECT_EQ(verify(signed_token(R"({"iss":"sluice","aud":"sluice","sub":"alice"})")),
            "invalid_token");
  EXPECT_EQ(verify(signed_token(claims(R"("alice")", "9223372036854775807"))), "alice");
}

TEST_F(IdentityTest, RefusesEveryOtherAlgorithm) {
  EXPECT_EQ(verify(signed_token(claims(), JWT_ALG_HS384)), "invalid_token");
  EXPECT_EQ(verify(signed_token(claims(), JWT_ALG_HS512)), "invalid_token");
  const auto none = signed_token(claims(), JWT_ALG_NONE);
  EXPECT_EQ(verify(none), "invalid_token");
  EXPECT_EQ(verify(none + "AAAA"), "invalid_token");
  EXPECT_EQ(verify(test::kRs256Token), "invalid_token");
}

TEST_F(IdentityTest, RefusesABadSignature) {
  const auto token = signed_token(claims());
  EXPECT_EQ(verify(signed_token(claims(), JWT_ALG_HS256, std::string(32, 'x'))), "invalid_token");
  const auto body = token.find('.') + 1;
  for (const auto at : {body, body + 5, token.rfind('.') + 1, token.rfind('.') + 10}) {
    auto bad = token;
    bad[at] = bad[at] == 'A' ? 'B' : 'A';
    EXPECT_EQ(verify(bad), "invalid_token") << at;
  }
  const auto other = signed_token(claims(R"("bob")"));
  EXPECT_EQ(verify(other.substr(0, other.rfind('.')) + token.substr(token.rfind('.'))),
            "invalid_token")
      << "the signature of another token";
}

TEST_F(IdentityTest, RefusesWhatIsNoToken) {
  EXPECT_EQ(verify(""), "missing_token");
  for (const auto* text : {".", "..", "...", "a.b.c", "eyJ.eyJ.", "x", " ", "{}"}) {
    EXPECT_EQ(verify(text), "invalid_token") << text;
  }
  const auto token = signed_token(claims());
  EXPECT_EQ(verify(token.substr(0, token.rfind('.'))), "invalid_token");
  EXPECT_EQ(verify(token.substr(0, token.rfind('.') + 1)), "invalid_token");
  EXPECT_EQ(verify(std::string(10, '\0')), "invalid_token");
  EXPECT_EQ(verify(token + std::string("\0and more", 9)), "invalid_token");
}

TEST_F(IdentityTest, RefusesATokenOverItsLength) {
  const auto padded = [](std::size_t size) {
    return signed_token(
        claims(R"("alice")", "1800000060", R"(,"pad":")" + std::string(size, 'x') + '"'));
  };
  const auto fits = padded(1300);
  ASSERT_LE(fits.size(), 2048U);
  EXPECT_EQ(verify(fits), "alice");
  const auto over = padded(1600);
  ASSERT_GT(over.size(), 2048U);
  EXPECT_EQ(verify(over), "invalid_token");
}

TEST_F(IdentityTest, ManyTokensInFewSlotsKeepTheirUsers) {
  auto few = settings();
  few.cache_slots = 1;
  Identity identity(few);
  const auto alice = signed_token(claims());
  const auto bob = signed_token(claims(R"("bob")"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(said(identity.verify(alice, kNow)), "alice");
    EXPECT_EQ(said(identity.verify(bob, kNow)), "bob");
  }
}

TEST_F(IdentityTest, WorksAfterAMove) {
  Identity moved(std::move(identity_));
  EXPECT_EQ(said(moved.verify(signed_token(claims()), kNow)), "alice");
}

TEST_F(IdentityTest, AnotherKeyEndsTheTokensOfTheFormerOne) {
  const std::string other(32, 'o');
  const auto old_token = signed_token(claims());
  const auto new_token = signed_token(claims(), JWT_ALG_HS256, other);
  EXPECT_EQ(verify(old_token), "alice");
  EXPECT_EQ(verify(new_token), "invalid_token");
  identity_.use_keys(one_key(kSecret));
  EXPECT_TRUE(identity_.recall(old_token, kNow)) << "the same key: nothing is forgotten";

  identity_.use_keys(one_key(other));
  EXPECT_EQ(verify(old_token), "invalid_token");
  EXPECT_EQ(verify(new_token), "alice");
  EXPECT_THROW(identity_.use_keys(one_key("short")), std::invalid_argument);
  EXPECT_EQ(verify(new_token), "alice");
}

IdentitySettings with_key(std::string algorithm, std::string key) {
  auto changed = settings();
  changed.keys = {{"", std::move(algorithm), std::move(key)}};
  return changed;
}

TEST(IdentityOfPublicKeys, RefusesWhatIsNoPublicKeyOfTheAlgorithm) {
  EXPECT_THROW(check_keys(with_key("RS256", test::kEcPublicKey).keys), std::invalid_argument);
  EXPECT_THROW(check_keys(with_key("ES256", test::kRsaPublicKey).keys), std::invalid_argument);
  const auto cut = test::kEcPublicKey.substr(0, 80) + "\n-----END PUBLIC KEY-----\n";
  EXPECT_THROW(check_keys(with_key("ES256", cut).keys), std::invalid_argument);
}

TEST(IdentityOfPublicKeys, AcceptsTheirOwnAlgorithmAlone) {
  Identity rsa(with_key("RS256", test::kRsaPublicKey));
  EXPECT_EQ(said(rsa.verify(test::kRs256Token, kNow)), "alice");
  EXPECT_EQ(said(rsa.verify(test::kRs384Token, kNow)), "invalid_token");
  EXPECT_EQ(said(rsa.verify(test::kEs256Token, kNow)), "invalid_token");
  EXPECT_EQ(said(rsa.verify(signed_token(claims(), JWT_ALG_NONE), kNow)), "invalid_token");

  Identity ec(with_key("ES256", test::kEcPublicKey));
  EXPECT_EQ(said(ec.verify(test::kEs256Token, kNow)), "alice");
  EXPECT_EQ(said(ec.verify(test::kRs256Token, kNow)), "invalid_token");
}

TEST(IdentityOfPublicKeys, RefuseTheirKeyUsedAsASharedSecret) {
  Identity rsa(with_key("RS256", test::kRsaPublicKey));
  for (const auto algorithm : {JWT_ALG_HS256, JWT_ALG_HS384, JWT_ALG_HS512}) {
    const auto forged = signed_token(claims(), algorithm, test::kRsaPublicKey);
    EXPECT_EQ(said(rsa.verify(forged, kNow)), "invalid_token");
  }
  Identity ec(with_key("ES256", test::kEcPublicKey));
  const auto forged = signed_token(claims(), JWT_ALG_HS256, test::kEcPublicKey);
  EXPECT_EQ(said(ec.verify(forged, kNow)), "invalid_token");
}

TEST(IdentitySettings, ThatCannotWorkAreRefused) {
  EXPECT_NO_THROW(Identity(with_key("HS256", std::string(32, 'k'))));
  for (const auto& bad :
       {with_key("HS256", std::string(31, 'k')), with_key("HS256", ""), with_key("HS384", kSecret),
        with_key("none", kSecret), with_key("", kSecret), with_key("HS1", kSecret),
        with_key("RS256", ""), with_key("RS256", kSecret), with_key("ES256", kSecret)}) {
    EXPECT_THROW(Identity{bad}, std::invalid_argument)
        << bad.keys[0].algorithm << ' ' << bad.keys[0].key;
  }
}

}  // namespace
}  // namespace sluice
