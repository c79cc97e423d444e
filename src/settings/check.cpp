#include <boost/asio/ip/address.hpp>

#include "settings/table.hpp"

namespace sluice {
namespace {

bool is_loopback(const std::string& address) {
  boost::system::error_code error;
  const auto parsed = boost::asio::ip::make_address(address, error);
  return !error && parsed.is_loopback();
}

/// Collects what does not fit; a sentence names each setting with its value and origin.
class Checker {
 public:
  explicit Checker(const LoadedSettings& loaded)
      : loaded_(loaded), copy_(loaded.settings), rows_(settings_table(copy_)) {}

  /// key = value (origin)
  std::string say(const std::string& key) const {
    for (const auto& row : rows_) {
      if (row.key != key) continue;
      return key + " = " + to_toml(without_password(row)) + " (" + loaded_.origins.at(key) + ")";
    }
    return key;
  }

  void require(bool fits, const std::string& key, const std::string& why) {
    if (!fits) problems.push_back(say(key) + ": " + why);
  }

  /// `small` must be below (or at most) `large`.
  template <class Number>
  void ordered(const std::string& small, Number a, const std::string& large, Number b,
               bool may_be_equal = true) {
    const bool fits = may_be_equal ? a <= b : a < b;
    require(fits, small, (may_be_equal ? "must be at most " : "must be below ") + say(large));
  }

  std::vector<std::string> problems;

 private:
  const LoadedSettings& loaded_;
  Settings copy_;
  std::vector<Setting> rows_;
};

void check_services(Checker& checker, const Settings& s) {
  if (s.mode != Mode::services) return;
  checker.require(!s.redis.url.empty(), "redis.url",
                  "services mode needs it, for example redis://127.0.0.1:6379");
  checker.require(!s.kafka.brokers.empty(), "kafka.brokers",
                  "services mode needs it, for example 127.0.0.1:9092");
  checker.require(!s.postgres.url.empty(), "postgres.url",
                  "services mode needs it, for example postgresql://sluice@127.0.0.1/sluice");
  if (!s.redis.url.empty()) {
    if (const auto wrong = check_redis_url(s.redis.url))
      checker.require(false, "redis.url", *wrong);
  }
  if (!s.postgres.url.empty()) {
    if (const auto wrong = check_postgres_url(s.postgres.url)) {
      checker.require(false, "postgres.url", *wrong);
    }
  }
  if (!s.kafka.brokers.empty()) {
    if (const auto wrong = check(s.kafka)) checker.problems.push_back("[kafka]: " + *wrong);
  }
}

void check_listeners(Checker& checker, const Settings& s, const Environment& environment) {
  const bool own_key = !s.admin_key_file.empty() || environment.contains("SLUICE_ADMIN_KEY");
  checker.require(is_loopback(s.admin.http.address) || own_key, "admin.address",
                  "operators on a public address need a key of your own: set admin.key_file or "
                  "SLUICE_ADMIN_KEY");
  checker.require(s.http.http.port == 0 || s.http.http.port != s.admin.http.port, "admin.port",
                  "must differ from " + checker.say("http.port"));
  checker.ordered("http.connections_per_ip_max", s.connections.connections_per_ip_max,
                  "http.connections_max", s.connections.connections_max);
  checker.ordered("http.long_polls_max", s.long_polls_max, "http.connections_max",
                  s.connections.connections_max);
}

void check_identity(Checker& checker, const Settings& s) {
  const bool shared = s.identity.algorithm == "HS256";
  checker.require(shared || !s.identity_public_key_file.empty(), "identity.public_key_file",
                  "needed with " + checker.say("identity.algorithm"));
  checker.require(!shared || s.identity_public_key_file.empty(), "identity.public_key_file",
                  "of no use with " + checker.say("identity.algorithm"));
}

void check_times(Checker& checker, const Settings& s) {
  const auto& purchase = s.purchase;
  checker.require(purchase.reserve_timeout + purchase.publish_timeout < purchase.answer_timeout,
                  "purchase.answer_timeout_ms",
                  "must be above the sum of " + checker.say("purchase.reserve_timeout_ms") +
                      " and " + checker.say("purchase.publish_timeout_ms"));
  checker.ordered("purchase.publish_timeout_ms", purchase.publish_timeout,
                  "recovery.overdue_age_ms", s.recovery.overdue_age, false);
  checker.ordered("recovery.overdue_age_ms", s.recovery.overdue_age, "recovery.overdue_age_max_ms",
                  s.recovery.overdue_age_max);
  checker.ordered("recovery.overdue_age_ms", s.recovery.overdue_age, "orders.decide_within_ms",
                  s.http.decide_within, false);
  checker.ordered("recovery.tick_ms", s.recovery.tick, "recovery.lease_ms", s.recovery.lease,
                  false);
  checker.ordered("recovery.busy_tick_ms", s.recovery.busy_tick, "recovery.tick_ms",
                  s.recovery.tick);
  checker.ordered("redis.backoff_min_ms", s.redis.backoff_min, "redis.backoff_max_ms",
                  s.redis.backoff_max);
  checker.ordered("postgres.backoff_min_ms", s.postgres.backoff_min, "postgres.backoff_max_ms",
                  s.postgres.backoff_max);
  checker.ordered("fulfilment.apply_timeout_ms", s.fulfilment.apply_timeout,
                  "kafka.max_poll_interval_ms", s.kafka.max_poll_interval, false);
}

void check_degrade(Checker& checker, const Settings& s) {
  const auto& direct = s.degrade.flow.direct;
  checker.ordered("degrade.direct_floor_per_s", direct.floor_per_s, "degrade.direct_start_per_s",
                  direct.start_per_s);
  checker.ordered("degrade.direct_start_per_s", direct.start_per_s, "degrade.direct_ceiling_per_s",
                  direct.ceiling_per_s);
  checker.ordered("degrade.inventory_open_for_ms", s.degrade.inventory.open_for,
                  "degrade.inventory_open_max_ms", s.degrade.inventory.open_max);
  checker.ordered("degrade.queue_open_for_ms", s.degrade.queue.open_for,
                  "degrade.queue_open_max_ms", s.degrade.queue.open_max);
}

}  // namespace

std::vector<std::string> cross_check(const LoadedSettings& loaded, const Environment& environment) {
  Checker checker(loaded);
  const auto& s = loaded.settings;
  check_services(checker, s);
  check_listeners(checker, s, environment);
  check_identity(checker, s);
  check_times(checker, s);
  check_degrade(checker, s);
  checker.ordered("gate.concurrency_max", s.gate.concurrency_max, "kafka.client_messages_max",
                  static_cast<std::int64_t>(s.kafka.client_messages_max));
  return checker.problems;
}

}  // namespace sluice
