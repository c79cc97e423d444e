#include "sluice/settings/secrets.hpp"

#include <gtest/gtest.h>
#include <thread>

#include "gate/signed_tokens.hpp"
#include "support/log_spy.hpp"
#include "support/temp_folder.hpp"

namespace sluice {
namespace {

using test::LogSpy;
using test::mode_of;
using test::read_all;
using test::TempFolder;

const std::string kLong = "0123456789abcdef0123456789abcdef";

Settings embedded_in(const TempFolder& folder) {
  Settings settings;
  settings.data_dir = folder.path("data");
  return settings;
}

Settings services() {
  Settings settings;
  settings.mode = Mode::services;
  return settings;
}

template <class Step>
std::vector<std::string> problems_of(Step step) {
  try {
    step();
  } catch (const SettingsError& error) {
    return error.problems;
  }
  return {};
}

TEST(Secrets, EmbeddedModeMakesItsOwnOnceForItsOwnerAlone) {
  const TempFolder folder;
  const auto settings = embedded_in(folder);
  const LogSpy spy;
  const auto first = load_secrets(settings, {});
  EXPECT_EQ(first.identity_keys[0].key.size(), 64U);
  EXPECT_EQ(first.orders_secret.size(), 64U);
  ASSERT_EQ(first.admin_keys.size(), 1U);
  EXPECT_EQ(first.admin_keys[0].key.size(), 64U);
  EXPECT_NE(first.identity_keys[0].key, first.orders_secret);
  EXPECT_NE(first.identity_keys[0].key, first.admin_keys[0].key);
  const auto secrets = settings.data_dir + "/secrets";
  EXPECT_EQ(mode_of(settings.data_dir), 0700U);
  EXPECT_EQ(mode_of(secrets), 0700U);
  for (const char* name : {"identity_secret", "orders_secret", "admin_key"}) {
    EXPECT_EQ(mode_of(secrets + "/" + name), 0600U) << name;
    EXPECT_NE(spy.text().find("in " + secrets + "/" + name), std::string::npos) << spy.text();
  }
  EXPECT_EQ(spy.text().find(first.admin_keys[0].key), std::string::npos);

  const auto second = load_secrets(settings, {});
  EXPECT_EQ(second.identity_keys, first.identity_keys);
  EXPECT_EQ(second.orders_secret, first.orders_secret);
  EXPECT_EQ(second.admin_keys, first.admin_keys);
  const auto entries = std::filesystem::directory_iterator(secrets);
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 3) << "drafts were left";
}

TEST(Secrets, ThoseWhoMakeThemAtOnceAgree) {
  const TempFolder folder;
  const auto settings = embedded_in(folder);
  std::vector<Secrets> made(4);
  std::vector<std::thread> threads;
  for (auto& one : made) {
    threads.emplace_back([&settings, &one] { one = load_secrets(settings, {}); });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& one : made) EXPECT_EQ(one.orders_secret, made[0].orders_secret);
}

TEST(Secrets, AClientMakesNone) {
  const TempFolder folder;
  const auto settings = embedded_in(folder);
  const auto path = settings.data_dir + "/secrets/admin_key";
  EXPECT_EQ(
      problems_of([&] { load_secret(Secret::admin, settings, {}); }),
      std::vector<std::string>{path + ": there is no admin key yet; the server makes it at its "
                                      "first start (or set data_dir, admin.key_file or "
                                      "SLUICE_ADMIN_KEY)"});
  EXPECT_FALSE(std::filesystem::exists(settings.data_dir));
}

TEST(Secrets, VariableBeatsFileAndFileBeatsTheMadeOne) {
  const TempFolder folder;
  auto settings = embedded_in(folder);
  load_secrets(settings, {});
  settings.orders_secret_file = folder.write("orders", "\n  " + kLong + "file \r\n");
  EXPECT_EQ(load_secret(Secret::orders, settings, {}), kLong + "file");
  const Environment environment = {{"SLUICE_ORDERS_SECRET", kLong + "variable"}};
  EXPECT_EQ(load_secret(Secret::orders, settings, environment), kLong + "variable");
}

TEST(Secrets, ServicesModeRefusesToStartWithoutThemAndSaysHowToMakeThem) {
  const auto problems = problems_of([] { load_secrets(services(), {}); });
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_EQ(problems[0],
            "identity.secret_file: services mode needs the identity secret: openssl rand -hex 32 > "
            "FILE; chmod 600 FILE; then name FILE here, or set SLUICE_IDENTITY_SECRET");
}

TEST(Secrets, TooShortOnesAreRefusedWithoutShowingThem) {
  const Environment environment = {{"SLUICE_IDENTITY_SECRET", kLong.substr(1)},
                                   {"SLUICE_ORDERS_SECRET", ""},
                                   {"SLUICE_ADMIN_KEY", "fifteen_bytes_x"}};
  const auto problems = problems_of([&] { load_secrets(services(), environment); });
  EXPECT_EQ(
      problems,
      (std::vector<std::string>{
          "SLUICE_IDENTITY_SECRET: the identity secret has 31 bytes and needs 32 or more; openssl "
          "rand -hex 32 makes one",
          "SLUICE_ORDERS_SECRET: the orders secret has 0 bytes and needs 32 or more; openssl rand "
          "-hex 32 makes one",
          "SLUICE_ADMIN_KEY: the admin key has 15 bytes and needs 16 or more; openssl rand -hex "
          "32 makes one"}));
}

TEST(Secrets, AKeyThatNoHeaderCanCarryIsRefused) {
  const Environment environment = {{"SLUICE_ADMIN_KEY", "sixteen bytes\nor more"}};
  EXPECT_EQ(problems_of([&] { load_secret(Secret::admin, services(), environment); }),
            (std::vector<std::string>{"SLUICE_ADMIN_KEY:1: must be NAME ROLE KEY",
                                      "SLUICE_ADMIN_KEY:2: must be NAME ROLE KEY"}));
  const Environment accented = {{"SLUICE_ADMIN_KEY", "sixteen_bytes_\xc3\xa9"}};
  EXPECT_EQ(problems_of([&] { load_secret(Secret::admin, services(), accented); }),
            std::vector<std::string>{"SLUICE_ADMIN_KEY: the admin key must be printable ASCII; "
                                     "openssl rand -hex 32 makes one"});
}

TEST(AdminKeys, OneBareKeyIsGoodForEverything) {
  const AdminKeys admin = {{"admin", std::nullopt, kLong}};
  for (const std::string& text : {kLong, "\n " + kLong + "\r\n", "# the key\n\n" + kLong}) {
    EXPECT_EQ(parse_admin_keys(text, "f"), admin) << text;
  }
  for (const auto role : {AdminRole::read, AdminRole::operate, AdminRole::pay}) {
    EXPECT_TRUE(permits(admin[0], role));
  }
}

TEST(AdminKeys, ATableNamesWhoMayDoWhat) {
  const auto keys =
      parse_admin_keys("# who   what  key\n\nprometheus read " + kLong +
                           "\r\n\tnight-ops  operate\t" + kLong + "o \nshop pay " + kLong + "p",
                       "f");
  EXPECT_EQ(keys, (AdminKeys{{"prometheus", AdminRole::read, kLong},
                             {"night-ops", AdminRole::operate, kLong + "o"},
                             {"shop", AdminRole::pay, kLong + "p"}}));
  EXPECT_EQ(find_key(keys, kLong + "o"), &keys[1]);
  EXPECT_EQ(find_key(keys, kLong + "q"), nullptr);
  EXPECT_EQ(find_key(keys, ""), nullptr);
  EXPECT_TRUE(permits(keys[1], AdminRole::read));
  EXPECT_FALSE(permits(keys[1], AdminRole::pay));
  EXPECT_FALSE(permits(keys[0], AdminRole::operate));
  EXPECT_FALSE(permits(keys[2], AdminRole::read));
}

TEST(AdminKeys, EveryBadLineIsToldByItsNumberAndNoKeyIs) {
  const std::string text = "ops operate " + kLong + "\n\n" +      // 1
                           kLong + "\n" +                         // 3
                           "shop pay " + kLong + " more\n" +      // 4
                           "shop " + kLong + " pay\n" +           // 5
                           kLong + "x read " + kLong + "x\n" +    // 6
                           "b@b read " + kLong + "x\n" +          // 7
                           "bob read short\n" +                   // 8
                           "bob read sixteen_bytes_\xc3\xa9\n" +  // 9
                           "ops read " + kLong + "x\n" +          // 10
                           "eve read " + kLong;                   // 11
  const auto problems = problems_of([&] { parse_admin_keys(text, "keys"); });
  const std::string make = "; openssl rand -hex 32 makes one";
  EXPECT_EQ(problems,
            (std::vector<std::string>{
                "keys:3: must be NAME ROLE KEY", "keys:4: must be NAME ROLE KEY",
                "keys:5: the role must be read, operate or pay",
                "keys:6: the name must be 1 to 32 of [A-Za-z0-9._-]",
                "keys:7: the name must be 1 to 32 of [A-Za-z0-9._-]",
                "keys:8: the key has 5 bytes and needs 16 or more" + make,
                "keys:9: the key must be printable ASCII" + make,
                "keys:10: the name stands there twice", "keys:11: the key is that of ops"}));
  for (const std::string none : {"", "\n", "# nothing\n"}) {
    EXPECT_EQ(
        problems_of([&] { parse_admin_keys(none, "keys"); }),
        std::vector<std::string>{"keys: the admin key has 0 bytes and needs 16 or more" + make});
  }
}

TEST(Secrets, FilesThatAreMissingOrTooLargeAreRefused) {
  const TempFolder folder;
  auto settings = services();
  settings.admin_key_file = folder.path("none");
  EXPECT_EQ(problems_of([&] { load_secret(Secret::admin, settings, {}); }),
            std::vector<std::string>{folder.path("none") +
                                     ": there is no such file; it should hold the admin key"});
  settings.admin_key_file = folder.write("big", std::string(20'000, 'x'));
  EXPECT_EQ(problems_of([&] { load_secret(Secret::admin, settings, {}); }),
            std::vector<std::string>{folder.path("big") + ": too large for a secret"});
}

TEST(Secrets, AFileThatOthersMayReadIsUsedWithAWarning) {
  const TempFolder folder;
  auto settings = services();
  settings.admin_key_file = folder.write("key", kLong, 0644);
  const LogSpy spy;
  EXPECT_EQ(load_secret(Secret::admin, settings, {}), kLong);
  EXPECT_NE(spy.text().find("chmod 600 " + settings.admin_key_file), std::string::npos);
  EXPECT_EQ(spy.text().find(kLong), std::string::npos);
}

TEST(Secrets, PublicKeysComeFromTheirFile) {
  const TempFolder folder;
  auto settings = services();
  settings.identity_algorithm = "ES256";
  settings.identity_public_key_file = folder.write("pem", test::kEcPublicKey);
  EXPECT_EQ(load_identity_keys(settings, {}), (VerifyingKeys{{"", "ES256", test::kEcPublicKey}}));
  for (const auto* other :
       {"-----BEGIN PRIVATE KEY-----\nx\n", "-----BEGIN PUBLIC KEY-----\nx\n"}) {
    settings.identity_public_key_file = folder.write("other", other);
    EXPECT_EQ(problems_of([&] { load_identity_keys(settings, {}); }).size(), 1U) << other;
  }
}

const std::string kSharedKey =
    R"({"kty":"oct","kid":"a","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"})";

TEST(Secrets, AKeySetComesFromItsFile) {
  const TempFolder folder;
  auto settings = services();
  settings.identity_jwks_file = folder.write(
      "keys", R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"},)" + kSharedKey + "]}", 0644);
  const LogSpy spy;
  EXPECT_EQ(load_identity_keys(settings, {}), (VerifyingKeys{{"a", "HS256", kLong}}));
  EXPECT_NE(spy.text().find(settings.identity_jwks_file + ": key 1 is for no signature"),
            std::string::npos);
  EXPECT_NE(spy.text().find("chmod 600 " + settings.identity_jwks_file), std::string::npos);
  EXPECT_EQ(spy.text().find(kLong), std::string::npos);
}

TEST(Secrets, AKeySetThatCannotWorkIsRefusedByItsName) {
  const TempFolder folder;
  auto settings = services();
  const auto problem = [&](const std::string& text) {
    settings.identity_jwks_file = folder.write("keys", text);
    const auto problems = problems_of([&] { load_identity_keys(settings, {}); });
    return problems.size() == 1 ? problems[0] : "none";
  };
  const auto path = folder.path("keys");
  EXPECT_EQ(problem("{}"), path + ": is no JSON Web Key Set: {\"keys\": [...]}");
  EXPECT_EQ(problem(R"({"keys":[)" + kSharedKey + ',' + kSharedKey + "]}"),
            path + ": the \"kid\" a is there twice");
  EXPECT_EQ(problem(std::string(65'537, ' ')), path + ": larger than 64 KiB, which no key set is");
  settings.identity_jwks_file = folder.path("nowhere");
  EXPECT_EQ(problems_of([&] { load_identity_keys(settings, {}); })[0],
            folder.path("nowhere") +
                ": there is no such file; it should hold the login's JSON Web Key Set");
}

TEST(Secrets, DescribingThemMakesNothingAndShowsNothing) {
  const TempFolder folder;
  const auto settings = embedded_in(folder);
  const Environment environment = {{"SLUICE_ADMIN_KEY", kLong}};
  const auto lines = describe_secrets(settings, environment);
  EXPECT_EQ(lines, (std::vector<std::string>{"identity secret: made at the first start in " +
                                                 settings.data_dir + "/secrets/identity_secret",
                                             "orders secret: made at the first start in " +
                                                 settings.data_dir + "/secrets/orders_secret",
                                             "admin key: SLUICE_ADMIN_KEY"}));
  EXPECT_FALSE(std::filesystem::exists(settings.data_dir));
  EXPECT_EQ(problems_of([] { describe_secrets(services(), {}); }).size(), 3U);
}

}  // namespace
}  // namespace sluice
