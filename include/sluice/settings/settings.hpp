#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sluice/adapters/kafka/settings.hpp"
#include "sluice/adapters/postgres/stores.hpp"
#include "sluice/adapters/redis/redis.hpp"
#include "sluice/adapters/sqlite/stores.hpp"
#include "sluice/base/log.hpp"
#include "sluice/base/time.hpp"
#include "sluice/fulfilment/fulfilment.hpp"
#include "sluice/gate/identity.hpp"
#include "sluice/gate/token_buckets.hpp"
#include "sluice/http/access_log.hpp"
#include "sluice/http/admin_server.hpp"
#include "sluice/http/settings.hpp"
#include "sluice/orders/order_service.hpp"
#include "sluice/orders/purchase_service.hpp"
#include "sluice/recovery/mode_reconciler.hpp"
#include "sluice/recovery/settings.hpp"

namespace sluice {

/// Which adapters stand behind the ports.
enum class Mode : std::uint8_t {
  embedded,  ///< Memory and SQLite: one process, no other service.
  services,  ///< Redis, Kafka and Postgres.
};

/// Everything an operator can set, by section of the file. What each member means, its range and
/// its default stand in config/sluice.toml. Secrets are not among them: see `load_secrets`.
struct Settings {
  /// The defaults.
  Settings();

  Mode mode = Mode::embedded;
  std::string data_dir = "./sluice-data";

  PublicSettings http;
  unsigned http_threads = 0;           ///< 0: one for each core; see `http_thread_count`.
  ConnectionSettings connections;      ///< Part of [http].
  std::size_t long_polls_max = 10000;  ///< Part of [http]; over all threads.

  AdminSettings admin;  ///< Without its key.
  std::string admin_key_file;

  IdentitySettings identity;  ///< Without its keys.
  std::string identity_algorithm = "HS256";
  std::string identity_secret_file;
  std::string identity_public_key_file;
  std::string identity_jwks_file;

  std::string orders_secret_file;

  struct Gate {
    BucketSettings ips{0, 1000, 1 << 18};
    BucketSettings failures{10, 100, 1 << 16};
    BucketSettings users{20, 40, 1 << 17};
    BucketSettings sales{0, 100'000, 1024};
    /// Of an address that asks for sales which the node does not know.
    BucketSettings old_sales{10, 100, 1 << 16};
    std::int64_t concurrency_max = 20'000;
  } gate;

  PurchaseSettings purchase;
  LookupSettings lookup;
  RedisSettings redis;
  KafkaSettings kafka;

  PostgresSettings postgres;

  SqliteSettings sqlite;  ///< Its path is `data_dir`/sluice.db.
  FulfilmentSettings fulfilment;
  unsigned fulfilment_workers = 1;
  RecoverySettings recovery;

  struct Degrade {
    BreakerSettings inventory;
    BreakerSettings queue;
    ModeSettings flow;
  } degrade;

  Millis drain_delay{0};
  Millis drain_timeout{10'000};
  LogSettings log;
  AccessLog access_log = AccessLog::off;  ///< Part of [log].
};

/// How many HTTP threads these settings ask for on this host: 1 … 64.
unsigned http_thread_count(const Settings& settings);

/// Variables by name.
using Environment = std::map<std::string, std::string>;

/// The variables of this process.
Environment process_environment();

/// What an operator has to put right: one line for each problem, each saying where it stands.
struct SettingsError : std::runtime_error {
  explicit SettingsError(std::vector<std::string> all);
  explicit SettingsError(const std::string& problem) : SettingsError(std::vector{problem}) {}

  std::vector<std::string> problems;
};

/// A value given on the command line.
struct FlagValue {
  std::string flag;  ///< As it is written there: "--port", "--set".
  std::string key;   ///< Of the setting: "http.port".
  std::string value;
};

/// Where settings come from, the weakest first: the defaults, the file, the environment, flags.
struct SettingsSources {
  std::optional<std::string> file;  ///< Must exist when given.
  std::string default_file =
      "/etc/sluice/sluice.toml";  ///< Read if it exists and `file` is not given.
  Environment environment;        ///< Only SLUICE_… is looked at.
  std::vector<FlagValue> flags;
};

struct LoadedSettings {
  Settings settings;

  /// By key: "default", FILE:LINE, the name of the variable, or the flag.
  std::map<std::string, std::string> origins;
};

/// Reads and checks everything. Throws `SettingsError` with all problems found.
LoadedSettings load_settings(const SettingsSources& sources);

/// The text of config/sluice.toml: every setting with its meaning, range and default.
std::string document_settings();

/// Every setting with its value and origin, one a line. Passwords are left out.
std::string show_settings(LoadedSettings loaded);

}  // namespace sluice
