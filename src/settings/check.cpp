#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include "settings/table.hpp"

namespace sluice {
namespace {

bool is_loopback(const std::string& address) {
  boost::system::error_code error;
  const auto parsed = boost::asio::ip::make_address(address, error);
  return !error && parsed.is_loopback();
}

/// A setting that must be below (or at most) another.
struct Order {
  std::string small;
  std::string large;
  bool may_be_equal = true;
};

const Order kOrders[] = {
    {"http.connections_per_ip_max", "http.connections_max"},
    {"http.long_polls_max", "http.connections_max"},
    {"purchase.publish_timeout_ms", "recovery.overdue_age_ms", false},
    {"recovery.overdue_age_ms", "recovery.overdue_age_max_ms"},
    {"recovery.overdue_age_ms", "orders.decide_within_ms", false},
    {"recovery.tick_ms", "recovery.lease_ms", false},
    {"recovery.busy_tick_ms", "recovery.tick_ms"},
    {"redis.backoff_min_ms", "redis.backoff_max_ms"},
    {"postgres.backoff_min_ms", "postgres.backoff_max_ms"},
    {"fulfilment.apply_timeout_ms", "kafka.max_poll_interval_ms", false},
    {"degrade.direct_floor_per_s", "degrade.direct_start_per_s"},
    {"degrade.direct_start_per_s", "degrade.direct_ceiling_per_s"},
    {"degrade.inventory_open_for_ms", "degrade.inventory_open_max_ms"},
    {"degrade.queue_open_for_ms", "degrade.queue_open_max_ms"},
    {"kafka.session_timeout_ms", "kafka.max_poll_interval_ms"},
    {"gate.concurrency_max", "kafka.client_messages_max"},
};

/// Collects what does not fit; a sentence names each setting with its value and origin.
class Checker {
 public:
  explicit Checker(LoadedSettings loaded)
      : loaded_(std::move(loaded)), rows_(settings_table(loaded_.settings)) {}

  /// key = value (origin)
  std::string say(const std::string& key) const {
    return fmt::format("{} = {} ({})", key, to_toml(without_password(row(key))),
                       loaded_.origins.at(key));
  }

  void require(bool fits, const std::string& key, const std::string& why) {
    if (!fits) problems.push_back(say(key) + ": " + why);
  }

  void check(const Order& order) {
    const auto small = row(order.small).binding.get();
    const auto large = row(order.large).binding.get();
    require(order.may_be_equal ? small <= large : small < large, order.small,
            (order.may_be_equal ? "must be at most " : "must be below ") + say(order.large));
  }

  /// A service's address must be there, and nothing `wrong` with it.
  void check_address(const std::string& key, const std::string& given, const std::string& example,
                     const std::optional<std::string>& wrong) {
    require(!given.empty(), key, "services mode needs it, for example " + example);
    require(given.empty() || !wrong, key, wrong.value_or(""));
  }

  std::vector<std::string> problems;

 private:
  const Setting& row(const std::string& key) const {
    return *std::ranges::find(rows_, key, &Setting::key);
  }

  LoadedSettings loaded_;
  std::vector<Setting> rows_;
};

void check_redis_tls(Checker& checker, const RedisSettings& redis) {
  const bool tls = is_tls(redis.url);
  const auto check_use = [&](const std::string& file, const std::string& key) {
    checker.require(file.empty() || tls, key, "of no use without rediss:// in redis.url");
  };
  check_use(redis.tls_ca_file, "redis.tls_ca_file");
  check_use(redis.tls_cert_file, "redis.tls_cert_file");
  check_use(redis.tls_key_file, "redis.tls_key_file");
  checker.require(redis.tls_cert_file.empty() == redis.tls_key_file.empty(), "redis.tls_cert_file",
                  "goes together with " + checker.say("redis.tls_key_file"));
}

void check_services(Checker& checker, const Settings& s) {
  checker.check_address("redis.url", s.redis.url, "redis://127.0.0.1:6379",
                        check_redis_url(s.redis.url));
  check_redis_tls(checker, s.redis);
  checker.check_address("kafka.brokers", s.kafka.brokers, "127.0.0.1:9092", std::nullopt);
  checker.check_address("postgres.url", s.postgres.url, "postgresql://sluice@127.0.0.1/sluice",
                        check_postgres_url(s.postgres.url));
  const auto wrong = check(s.kafka);
  if (wrong && !s.kafka.brokers.empty()) checker.problems.push_back("[kafka]: " + *wrong);
}

/// The keys of tokens come from one place.
void check_identity_files(Checker& checker, const Settings& s) {
  const bool pem = !s.identity_public_key_file.empty();
  if (!s.identity_jwks_file.empty()) {
    const auto why = "of no use with " + checker.say("identity.jwks_file");
    checker.require(!pem, "identity.public_key_file", why);
    checker.require(s.identity_secret_file.empty(), "identity.secret_file", why);
    return;
  }
  const bool shared = s.identity_algorithm == "HS256";
  checker.require(
      shared != pem, "identity.public_key_file",
      (shared ? "of no use with " : "needed with ") + checker.say("identity.algorithm"));
}

}  // namespace

std::vector<std::string> cross_check(const LoadedSettings& loaded, const Environment& environment) {
  Checker checker(loaded);
  const auto& s = loaded.settings;
  if (s.mode == Mode::services) check_services(checker, s);
  const bool own_key = !s.admin_key_file.empty() || environment.contains("SLUICE_ADMIN_KEY");
  checker.require(is_loopback(s.admin.http.address) || own_key, "admin.address",
                  "operators on a public address need a key of your own: set admin.key_file or "
                  "SLUICE_ADMIN_KEY");
  checker.require(s.http.http.port == 0 || s.http.http.port != s.admin.http.port, "admin.port",
                  "must differ from " + checker.say("http.port"));
  check_identity_files(checker, s);
  const auto& purchase = s.purchase;
  checker.require(
      purchase.reserve_timeout + purchase.publish_timeout < purchase.answer_timeout,
      "purchase.answer_timeout_ms",
      fmt::format("must be above the sum of {} and {}", checker.say("purchase.reserve_timeout_ms"),
                  checker.say("purchase.publish_timeout_ms")));
  for (const auto& order : kOrders) checker.check(order);
  return checker.problems;
}

}  // namespace sluice
