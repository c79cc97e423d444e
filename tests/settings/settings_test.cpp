#include "sluice/settings/settings.hpp"

#include <gtest/gtest.h>

#include "settings/table.hpp"
#include "support/temp_folder.hpp"

namespace sluice {
namespace {

using test::TempFolder;

using Lines = std::vector<std::string>;

/// Sources that see nothing of this host.
SettingsSources no_sources() {
  SettingsSources sources;
  sources.default_file = "/nonexistent/sluice.toml";
  return sources;
}

SettingsSources from_file(const std::string& path) {
  auto sources = no_sources();
  sources.file = path;
  return sources;
}

SettingsSources from_flags(const Lines& sets) {
  auto sources = no_sources();
  for (const auto& set : sets) {
    const auto equals = set.find('=');
    sources.flags.push_back({"--set", set.substr(0, equals), set.substr(equals + 1)});
  }
  return sources;
}

Lines problems_of(const SettingsSources& sources) {
  try {
    load_settings(sources);
  } catch (const SettingsError& error) {
    return error.problems;
  }
  return {};
}

Lines problems_of_flags(const Lines& sets) { return problems_of(from_flags(sets)); }

Lines problems_of_file(const std::string& text) {
  const TempFolder folder;
  const auto file = folder.write("s.toml", text);
  auto problems = problems_of(from_file(file));
  for (auto& problem : problems) {
    if (problem.starts_with(file)) problem.replace(0, file.size(), "s.toml");
  }
  return problems;
}

TEST(Settings, DefaultsHoldWithoutAnySource) {
  const auto loaded = load_settings(no_sources());
  EXPECT_EQ(loaded.settings.mode, Mode::embedded);
  EXPECT_EQ(loaded.settings.http.http.address, "127.0.0.1");
  EXPECT_EQ(loaded.settings.http.http.port, 8080);
  EXPECT_EQ(loaded.settings.admin.http.port, 8081);
  EXPECT_EQ(loaded.settings.sqlite.path, "./sluice-data/sluice.db");
  EXPECT_EQ(loaded.origins.at("http.port"), "default");
}

TEST(Settings, FileBeatsDefaultVariableBeatsFileFlagBeatsVariable) {
  const TempFolder folder;
  const auto file =
      folder.write("s.toml", "[http]\nport = 1001\nthreads = 3\nbody_bytes_max = 512\n");
  auto sources = from_file(file);
  sources.environment = {{"SLUICE_HTTP_PORT", "1002"}, {"SLUICE_HTTP_THREADS", "4"}};
  sources.flags = {{"--port", "http.port", "1003"}};
  const auto loaded = load_settings(sources);
  EXPECT_EQ(loaded.settings.http.http.body_max, 512U);
  EXPECT_EQ(loaded.settings.http_threads, 4U);
  EXPECT_EQ(loaded.settings.http.http.port, 1003);
  EXPECT_EQ(loaded.origins.at("http.body_bytes_max"), file + ":4");
  EXPECT_EQ(loaded.origins.at("http.threads"), "SLUICE_HTTP_THREADS");
  EXPECT_EQ(loaded.origins.at("http.port"), "--port");
  EXPECT_EQ(loaded.origins.at("http.address"), "default");
}

TEST(Settings, LaterFlagBeatsEarlierFlag) {
  EXPECT_EQ(load_settings(from_flags({"http.port=1", "http.port=2"})).settings.http.http.port, 2);
}

TEST(Settings, DefaultFileIsReadWhenItExistsAndNoneIsGiven) {
  const TempFolder folder;
  auto sources = no_sources();
  sources.default_file = folder.write("default.toml", "[http]\nport = 1001\n");
  EXPECT_EQ(load_settings(sources).settings.http.http.port, 1001);
  sources.file = folder.write("given.toml", "[http]\nthreads = 2\n");
  EXPECT_EQ(load_settings(sources).settings.http.http.port, 8080);
}

TEST(Settings, EveryTypeIsReadFromTheFile) {
  const TempFolder folder;
  const auto loaded = load_settings(from_file(folder.write("s.toml", R"(
mode = "embedded"
data_dir = "/srv/sluice"
[http]
trusted_proxies = ["10.0.0.0/8", "fd00::/8", "192.0.2.1"]
[admin]
metrics_open = true
[gate]
user_rate_per_s = 2.5
sale_rate_per_s = 100
[purchase]
reserve_timeout_ms = 250
[kafka.extra]
"security.protocol" = "ssl"
"message.max.bytes" = 2000
)")));
  const auto& s = loaded.settings;
  EXPECT_EQ(s.sqlite.path, "/srv/sluice/sluice.db");
  EXPECT_EQ(s.http.http.trusted_proxies, (Lines{"10.0.0.0/8", "fd00::/8", "192.0.2.1"}));
  EXPECT_TRUE(s.admin.metrics_open);
  EXPECT_EQ(s.gate.users.rate_per_s, 2.5);
  EXPECT_EQ(s.gate.sales.rate_per_s, 100);
  EXPECT_EQ(s.purchase.reserve_timeout, Millis(250));
  const std::map<std::string, std::string> extra = {{"message.max.bytes", "2000"},
                                                    {"security.protocol", "ssl"}};
  EXPECT_EQ(s.kafka.extra, extra);
}

TEST(Settings, EveryTypeIsReadFromText) {
  auto sources =
      from_flags({"http.trusted_proxies=10.0.0.0/8, 192.0.2.1", "admin.metrics_open=true",
                  "gate.user_rate_per_s=2.5", "http.threads=7", "log.level=debug"});
  sources.environment = {{"SLUICE_KAFKA_EXTRA", "security.protocol=ssl,a=b=c"}};
  const auto s = load_settings(sources).settings;
  EXPECT_EQ(s.http.http.trusted_proxies, (Lines{"10.0.0.0/8", "192.0.2.1"}));
  EXPECT_TRUE(s.admin.metrics_open);
  EXPECT_EQ(s.gate.users.rate_per_s, 2.5);
  EXPECT_EQ(s.http_threads, 7U);
  EXPECT_EQ(s.log.level, "debug");
  const std::map<std::string, std::string> extra = {{"a", "b=c"}, {"security.protocol", "ssl"}};
  EXPECT_EQ(s.kafka.extra, extra);
}

TEST(Settings, UnknownNamesAreRefusedWithPlaceAndNearestName) {
  EXPECT_EQ(problems_of_file("[http]\n\nprot = 1\n"),
            Lines{"s.toml:3: unknown setting http.prot; did you mean http.port?"});
  EXPECT_EQ(problems_of_file("[htpp]\nport = 1\n"),
            Lines{"s.toml:1: unknown section htpp; did you mean http?"});
  EXPECT_EQ(problems_of_file("dta_dir = \"x\"\n"),
            Lines{"s.toml:1: unknown setting dta_dir; did you mean data_dir?"});
  EXPECT_EQ(problems_of_flags({"http.prot=1"}),
            Lines{"--set: unknown setting http.prot; did you mean http.port?"});
  auto sources = no_sources();
  sources.environment = {{"SLUICE_HTTP_PROT", "1"}};
  EXPECT_EQ(problems_of(sources), Lines{"environment: unknown variable SLUICE_HTTP_PROT; did you "
                                        "mean SLUICE_HTTP_PORT?"});
}

TEST(Settings, VariablesOfOthersAreIgnored) {
  auto sources = no_sources();
  sources.environment = {{"SLUICE_TEST_REDIS_URL", "x"},
                         {"SLUICE_FAILPOINT", "x=kill"},
                         {"PATH", "/bin"},
                         {"SLUICEGATE", "x"},
                         {"SLUICE_ADMIN_KEY", "secret"},
                         {"SLUICE_ORDERS_SECRET", "secret"},
                         {"SLUICE_IDENTITY_SECRET", "s"}};
  EXPECT_EQ(problems_of(sources), Lines{});
}

TEST(Settings, WrongTypeIsRefusedNamingKeyValueAndRange) {
  EXPECT_EQ(problems_of_file("[http]\nport = \"80\"\n"),
            Lines{"s.toml:2: http.port = \"80\": must be a whole number from 0 to 65535"});
  EXPECT_EQ(problems_of_file("[http]\nport = 1.5\n"),
            Lines{"s.toml:2: http.port = 1.5: must be a whole number from 0 to 65535"});
  EXPECT_EQ(problems_of_file("[admin]\nmetrics_open = 1\n"),
            Lines{"s.toml:2: admin.metrics_open = 1: must be true or false"});
  EXPECT_EQ(problems_of_file("[http]\naddress = 1979-05-27\n"),
            Lines{"s.toml:2: http.address = a value of that type: must be an IPv4 or IPv6 address, "
                  "at most 64 bytes"});
  EXPECT_EQ(
      problems_of_file("[http]\ntrusted_proxies = [1]\n"),
      Lines{"s.toml:2: http.trusted_proxies = a value of that type: must be a list of at most "
            "64 addresses or networks such as 10.0.0.0/8"});
  EXPECT_EQ(problems_of_file("[http.port]\nx = 1\n").size(), 1U);
  EXPECT_EQ(problems_of_file("http = 1\n"), Lines{"s.toml:1: http is a section: write [http]"});
}

TEST(Settings, OutOfRangeIsRefusedWhereverItComesFrom) {
  EXPECT_EQ(problems_of_file("[http]\nport = 70000\n"),
            Lines{"s.toml:2: http.port = 70000: must be a whole number from 0 to 65535"});
  EXPECT_EQ(problems_of_flags({"http.port=70000"}),
            Lines{"--set: http.port = 70000: must be a whole number from 0 to 65535"});
  EXPECT_EQ(problems_of_flags({"http.port=8o80"}),
            Lines{"--set: http.port = \"8o80\": must be a whole number from 0 to 65535"});
  EXPECT_EQ(problems_of_flags({"gate.user_burst=0.5"}),
            Lines{"--set: gate.user_burst = 0.5: must be a number from 1 to 1e+09"});
  EXPECT_EQ(problems_of_flags({"gate.user_rate_per_s=nan"}).size(), 1U);
  EXPECT_EQ(problems_of_flags({"mode=cluster"}),
            Lines{"--set: mode = \"cluster\": must be one of \"embedded\", \"services\""});
  EXPECT_EQ(problems_of_flags({"http.address=localhost"}).size(), 1U);
  EXPECT_EQ(problems_of_flags({"http.trusted_proxies=10.0.0.0/33"}).size(), 1U);
  auto sources = no_sources();
  sources.environment = {{"SLUICE_HTTP_THREADS", "65"}};
  EXPECT_EQ(problems_of(sources), Lines{"SLUICE_HTTP_THREADS: http.threads = 65: must be a whole "
                                        "number from 0 to 64"});
}

TEST(Settings, EveryWholeNumberRefusesWhatLiesBeyondItsRange) {
  Settings settings;
  int checked = 0;
  for (const auto& row : settings_table(settings)) {
    constexpr std::string_view kRange = "a whole number from ";
    if (!row.binding.range.starts_with(kRange)) continue;
    const auto bounds = row.binding.range.substr(kRange.size());
    const auto min = std::stoll(bounds);
    const auto max = std::stoll(bounds.substr(bounds.find("to ") + 3));
    for (const auto good : {min, max}) {
      EXPECT_TRUE(row.binding.set(Value(std::int64_t{good}))) << row.key;
      EXPECT_EQ(row.binding.get(), Value(std::int64_t{good})) << row.key;
    }
    for (const auto bad : {min - 1, max + 1}) {
      EXPECT_FALSE(row.binding.set(Value(std::int64_t{bad}))) << row.key;
    }
    EXPECT_EQ(row.binding.get(), Value(std::int64_t{max})) << row.key << " changed when refused";
    ++checked;
  }
  EXPECT_GT(checked, 50);
}

TEST(Settings, AllProblemsAreReportedAtOnce) {
  EXPECT_EQ(problems_of_flags({"http.port=x", "http.prot=1", "mode=x"}).size(), 3U);
}

TEST(Settings, FilesThatAreNoneAreRefused) {
  EXPECT_EQ(problems_of(from_file("/nonexistent/s.toml")),
            Lines{"/nonexistent/s.toml: there is no such file"});
  const TempFolder folder;
  EXPECT_EQ(problems_of(from_file(folder.path())).size(), 1U);
  EXPECT_EQ(problems_of(from_file(folder.write("big", std::string((1 << 20) + 1, '#')))),
            Lines{folder.path("big") + ": larger than 1 MiB, which no settings file is"});
  const auto problems = problems_of_file("[http]\nport = \n");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_TRUE(problems[0].starts_with("s.toml:2: not TOML: ")) << problems[0];
  EXPECT_EQ(problems[0].find('\n'), std::string::npos);
  EXPECT_TRUE(
      problems_of_file("[http]\nport = 1\nport = 2\n")[0].starts_with("s.toml:3: not TOML"));
}

TEST(Settings, ServicesModeNeedsItsUrls) {
  EXPECT_EQ(problems_of_flags({"mode=services"}),
            (Lines{"redis.url = \"\" (default): services mode needs it, for example "
                   "redis://127.0.0.1:6379",
                   "kafka.brokers = \"\" (default): services mode needs it, for example "
                   "127.0.0.1:9092",
                   "postgres.url = \"\" (default): services mode needs it, for example "
                   "postgresql://sluice@127.0.0.1/sluice"}));
  const Lines urls = {"mode=services", "redis.url=redis://127.0.0.1",
                      "kafka.brokers=127.0.0.1:9092",
                      "postgres.url=postgresql://sluice@127.0.0.1/sluice"};
  EXPECT_EQ(problems_of_flags(urls), Lines{});
  auto bad = urls;
  bad[1] = "redis.url=http://127.0.0.1";
  EXPECT_EQ(problems_of_flags(bad).size(), 1U);
  bad = urls;
  bad.emplace_back("redis.tls_ca_file=/ca");
  EXPECT_EQ(problems_of_flags(bad), Lines{"redis.tls_ca_file = \"/ca\" (--set): of no use without "
                                          "rediss:// in redis.url"});
  bad[1] = "redis.url=rediss://127.0.0.1";
  EXPECT_EQ(problems_of_flags(bad), Lines{});
  bad.emplace_back("redis.tls_key_file=/key");
  EXPECT_EQ(problems_of_flags(bad), Lines{"redis.tls_cert_file = \"\" (default): goes together "
                                          "with redis.tls_key_file = \"/key\" (--set)"});
  bad = urls;
  bad.emplace_back("kafka.dead_letter_topic=seckill.orders");
  EXPECT_EQ(problems_of_flags(bad), Lines{"[kafka]: dead_letter_topic must differ from topic"});
}

TEST(Settings, OperatorsOnAPublicAddressNeedAKey) {
  const Lines refused = {
      "admin.address = \"0.0.0.0\" (--set): operators on a public address need a "
      "key of your own: set admin.key_file or SLUICE_ADMIN_KEY"};
  EXPECT_EQ(problems_of_flags({"admin.address=0.0.0.0"}), refused);
  EXPECT_EQ(problems_of_flags({"admin.address=0.0.0.0", "admin.key_file=/key"}), Lines{});
  auto sources = from_flags({"admin.address=0.0.0.0"});
  sources.environment = {{"SLUICE_ADMIN_KEY", "0123456789abcdef"}};
  EXPECT_EQ(problems_of(sources), Lines{});
  EXPECT_EQ(problems_of_flags({"admin.address=::1"}), Lines{});
}

TEST(Settings, TimesThatCannotWorkAreRefused) {
  EXPECT_EQ(
      problems_of_flags({"purchase.publish_timeout_ms=2500"}),
      Lines{"purchase.answer_timeout_ms = 3000 (default): must be above the sum of "
            "purchase.reserve_timeout_ms = 500 (default) and purchase.publish_timeout_ms = 2500 "
            "(--set)"});
  EXPECT_EQ(problems_of_flags({"recovery.overdue_age_ms=2000"}),
            Lines{"purchase.publish_timeout_ms = 2000 (default): must be below "
                  "recovery.overdue_age_ms = 2000 (--set)"});
  for (const std::string set :
       {"recovery.lease_ms=1000", "redis.backoff_min_ms=3000", "kafka.max_poll_interval_ms=9000",
        "postgres.backoff_min_ms=3000", "orders.decide_within_ms=5000"}) {
    EXPECT_EQ(problems_of_flags({set}).size(), 1U) << set;
  }
}

TEST(Settings, DegradedModesAreSetByTheirSection) {
  const TempFolder folder;
  const auto loaded = load_settings(from_file(folder.write("s.toml", R"(
[recovery]
database_after_ms = 1500
[degrade]
inventory_slow_ms = 120
queue_failure_ratio = 0.25
direct_start_per_s = 800
lag_admit_share = 0
)")));
  const auto& s = loaded.settings;
  EXPECT_EQ(s.recovery.database_after, Millis{1500});
  EXPECT_EQ(s.degrade.inventory.slow, Millis{120});
  EXPECT_EQ(s.degrade.queue.failure_ratio, 0.25);
  EXPECT_EQ(s.degrade.queue.slow, Settings().degrade.queue.slow) << "each breaker has its own";
  EXPECT_EQ(s.degrade.flow.direct.start_per_s, 800);
  EXPECT_EQ(s.degrade.flow.lag.admit_share, 0);
}

TEST(Settings, DegradedModesThatCannotWorkAreRefused) {
  EXPECT_EQ(problems_of_flags({"degrade.direct_floor_per_s=900", "degrade.direct_start_per_s=800"}),
            Lines{"degrade.direct_floor_per_s = 900.0 (--set): must be at most "
                  "degrade.direct_start_per_s = 800.0 (--set)"});
  for (const std::string set :
       {"degrade.direct_ceiling_per_s=1", "degrade.inventory_open_for_ms=3600000",
        "degrade.queue_open_max_ms=1", "degrade.queue_failure_ratio=0",
        "degrade.queue_failure_ratio=1.5", "degrade.lag_admit_share=-0.1", "degrade.queue_trials=0",
        "degrade.inventory_slow_ms=soon", "degrade.lag_messages_max=0",
        "recovery.busy_tick_ms=60000", "recovery.audit_every_ms=99"}) {
    EXPECT_EQ(problems_of_flags({set}).size(), 1U) << set;
  }
  EXPECT_EQ(problems_of_flags({"degrade.queue_trails=2"}),
            Lines{"--set: unknown setting degrade.queue_trails; did you mean "
                  "degrade.queue_trials?"});
}

TEST(Settings, BoundsThatContradictEachOtherAreRefused) {
  EXPECT_EQ(problems_of_flags({"gate.concurrency_max=100001"}),
            Lines{"gate.concurrency_max = 100001 (--set): must be at most "
                  "kafka.client_messages_max = 100000 "
                  "(default)"});
  EXPECT_EQ(problems_of_flags({"http.connections_max=500", "http.long_polls_max=100"}).size(), 1U);
  EXPECT_EQ(problems_of_flags({"http.long_polls_max=20001"}).size(), 1U);
  EXPECT_EQ(problems_of_flags({"http.port=8081"}),
            Lines{"admin.port = 8081 (default): must differ from http.port = 8081 (--set)"});
  EXPECT_EQ(problems_of_flags({"identity.algorithm=ES256"}),
            Lines{"identity.public_key_file = \"\" (default): needed with identity.algorithm = "
                  "\"ES256\" (--set)"});
  EXPECT_EQ(problems_of_flags({"identity.public_key_file=/key"}).size(), 1U);
  EXPECT_EQ(problems_of_flags({"identity.jwks_file=/keys"}), Lines{});
  EXPECT_EQ(problems_of_flags({"identity.jwks_file=/keys", "identity.public_key_file=/key"}),
            Lines{"identity.public_key_file = \"/key\" (--set): of no use with "
                  "identity.jwks_file = \"/keys\" (--set)"});
  EXPECT_EQ(problems_of_flags({"identity.jwks_file=/keys", "identity.secret_file=/secret"}).size(),
            1U);
}

TEST(Settings, APasswordOnTheCommandLineIsRefusedWithoutRepeatingIt) {
  const auto problems = problems_of_flags({"redis.url=redis://user:hunter2@127.0.0.1"});
  EXPECT_EQ(problems,
            Lines{"--set: redis.url: no password here, others can read command lines; use "
                  "a file or SLUICE_REDIS_URL"});
  const auto extra = problems_of_flags({"kafka.extra=sasl.password=hunter2"});
  EXPECT_EQ(extra.size(), 1U);
}

TEST(Settings, ThreadCountIsBounded) {
  Settings settings;
  EXPECT_GE(http_thread_count(settings), 1U);
  EXPECT_LE(http_thread_count(settings), 64U);
  settings.http_threads = 3;
  EXPECT_EQ(http_thread_count(settings), 3U);
}

}  // namespace
}  // namespace sluice
