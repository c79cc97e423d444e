#include "sluice/settings/reload.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_folder.hpp"

namespace sluice {
namespace {

using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kKey(32, 'k');
const std::string kOther(32, 'o');

/// A server whose settings and secrets are read anew.
class ReloadTest : public testing::Test {
 protected:
  ReloadTest() {
    fresh_.flags = {{"--set", "data_dir", folder_.path("data")}};
    for (const auto* name : kSecretVariables) fresh_.environment[name] = kKey;
  }

  void set(const std::string& key, const std::string& value) {
    fresh_.flags.push_back({"--set", key, value});
  }

  Reload plan() { return plan_reload(running_, known_, load_settings(fresh_), fresh_.environment); }

  std::string problem() {
    try {
      plan();
    } catch (const SettingsError& error) {
      return error.what();
    }
    return "none";
  }

  TempFolder folder_;
  SettingsSources fresh_;
  Settings running_ = [this] {
    Settings settings;
    settings.data_dir = folder_.path("data");
    return settings;
  }();
  Secrets known_{{{"", "HS256", kKey}}, kKey, {{"admin", std::nullopt, kKey}}};
};

TEST_F(ReloadTest, OfTheSameChangesNothing) {
  const auto reload = plan();
  EXPECT_THAT(reload.changes, IsEmpty());
  EXPECT_THAT(reload.restarts, IsEmpty());
}

TEST_F(ReloadTest, TakesRatesKeysAndTheLevelOfTheLog) {
  set("gate.user_rate_per_s", "3");
  set("gate.sale_burst", "7");
  set("log.level", "debug");
  fresh_.environment["SLUICE_ADMIN_KEY"] = kOther;
  fresh_.environment["SLUICE_IDENTITY_SECRET"] = kOther;
  const auto reload = plan();
  EXPECT_EQ(reload.settings.gate.users.rate_per_s, 3);
  EXPECT_EQ(reload.settings.gate.sales.burst, 7);
  EXPECT_EQ(reload.settings.log.level, "debug");
  ASSERT_EQ(reload.secrets.admin_keys.size(), 1U);
  EXPECT_EQ(reload.secrets.admin_keys[0].key, kOther);
  EXPECT_EQ(reload.secrets.identity_keys, (VerifyingKeys{{"", "HS256", kOther}}));
  EXPECT_THAT(reload.changes,
              ElementsAre("gate.user_rate_per_s = 3.0", "gate.sale_burst = 7.0",
                          "log.level = \"debug\"", "the identity keys", "the admin keys"));
  EXPECT_THAT(reload.restarts, IsEmpty());
}

TEST_F(ReloadTest, NamesWhatNeedsARestartAndLeavesItAsItIs) {
  set("gate.user_slots", "64");
  set("http.body_bytes_max", "300");
  fresh_.environment["SLUICE_ORDERS_SECRET"] = kOther;
  const auto reload = plan();
  EXPECT_THAT(reload.restarts,
              ElementsAre("http.body_bytes_max", "gate.user_slots", "the orders secret"));
  EXPECT_THAT(reload.changes, IsEmpty());
  EXPECT_EQ(reload.settings.gate.users.slots, running_.gate.users.slots);
  EXPECT_EQ(reload.secrets.orders_secret, kKey);
}

TEST_F(ReloadTest, RefusesKeysThatCannotWork) {
  fresh_.environment["SLUICE_ADMIN_KEY"] = "short";
  EXPECT_THAT(problem(), HasSubstr("SLUICE_ADMIN_KEY: the admin key has 5 bytes"));
  fresh_.environment.erase("SLUICE_ADMIN_KEY");
  EXPECT_THAT(problem(), HasSubstr("there is no admin key yet"));
  set("admin.key_file", folder_.path("nowhere"));
  EXPECT_THAT(problem(), HasSubstr("nowhere: there is no such file"));
}

TEST_F(ReloadTest, KeysWithRolesAreNotReplacedByOneThatOpensEverything) {
  known_.admin_keys = {{"prometheus", AdminRole::read, kKey}};
  EXPECT_THAT(problem(), HasSubstr("only a restart takes it"));
  fresh_.environment["SLUICE_ADMIN_KEY"] = "prometheus read " + std::string(kOther);
  EXPECT_EQ(problem(), "none");
}

TEST_F(ReloadTest, RefusesAFileThatIsNoPublicKey) {
  running_.identity_algorithm = "ES256";
  running_.identity_public_key_file = folder_.path("key.pem");
  set("identity.algorithm", "ES256");
  set("identity.public_key_file", folder_.path("key.pem"));
  std::ofstream(folder_.path("key.pem"))
      << "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
  EXPECT_THAT(problem(), HasSubstr("must be a public key for ES256"));
}

TEST_F(ReloadTest, RefusesAMixtureThatDoesNotFit) {
  set("identity.algorithm", "ES256");
  set("identity.public_key_file", folder_.path("key.pem"));
  EXPECT_THAT(problem(), HasSubstr("identity.public_key_file"));
}

}  // namespace
}  // namespace sluice
