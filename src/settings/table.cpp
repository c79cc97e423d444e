#include "settings/table.hpp"

#include <cctype>

namespace sluice {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::size_t kPathBytesMax = 4096;
constexpr std::size_t kUrlBytesMax = 2048;
constexpr double kRateMax = 1e9;

using Rows = std::vector<Setting>;

bool not_empty(std::string_view given) { return !given.empty(); }

Binding path(std::string& member) { return text(member, kPathBytesMax, "the path of a file"); }

Binding address(std::string& member) {
  return text(member, 64, "an IPv4 or IPv6 address", is_address);
}

Binding name(std::string& member, const std::string& what) {
  return text(member, 249, "the name of a " + what, not_empty);
}

Rows top_rows(Settings& s) {
  return {
      {"mode", choice(s.mode, {"embedded", "services"})},
      {"data_dir", text(s.data_dir, kPathBytesMax, "the path of a folder", not_empty)},
  };
}

Rows http_rows(Settings& s) {
  auto& http = s.http.http;
  auto& open = s.connections;
  const std::string proxies = "addresses or networks such as 10.0.0.0/8";
  return {
      {"http.address", address(http.address)},
      {"http.port", whole(http.port, 0, 65'535)},
      {"http.threads", whole(s.http_threads, 0, 64)},
      {"http.listen_backlog", whole(http.listen_backlog, 1, 65'535)},
      {"http.connections_max", whole(open.connections_max, 1, 1'000'000)},
      {"http.connections_per_ip_max", whole(open.connections_per_ip_max, 1, 1'000'000)},
      {"http.header_bytes_max", whole(http.header_max, 256, 65'536)},
      {"http.header_fields_max", whole(http.fields_max, 8, 1'000)},
      {"http.body_bytes_max", whole(http.body_max, 256, 65'536)},
      {"http.pipelined_max", whole(http.pipelined_max, 1, 1'024)},
      {"http.header_timeout_ms", whole(http.header_timeout, 100, kMinute)},
      {"http.body_timeout_ms", whole(http.body_timeout, 100, kMinute)},
      {"http.idle_timeout_ms", whole(http.idle_timeout, 1'000, kHour)},
      {"http.write_timeout_ms", whole(http.write_timeout, 100, 5 * kMinute)},
      {"http.long_polls_max", whole(s.long_polls_max, 0, 1'000'000)},
      {"http.trusted_proxies", list(http.trusted_proxies, 64, proxies, is_network)},
      {"http.poll_after_ms", whole(s.http.poll_after, 10, kMinute)},
      {"http.poll_after_backlogged_ms", whole(s.http.poll_after_backlogged, 10, kMinute)},
      {"http.wait_max_ms", whole(s.http.wait_max, 0, 30'000)},
  };
}

Rows who_asks_rows(Settings& s) {
  auto& identity = s.identity;
  return {
      {"admin.address", address(s.admin.http.address)},
      {"admin.port", whole(s.admin.http.port, 0, 65'535)},
      {"admin.key_file", path(s.admin_key_file)},
      {"admin.metrics_open", flag(s.admin.metrics_open)},
      {"admin.connections_max", whole(s.admin.connections.connections_max, 1, 10'000)},
      {"admin.waiting_max", whole(s.admin.waiting_max, 1, 10'000)},
      {"identity.algorithm", one_of(identity.algorithm, {"HS256", "RS256", "ES256"})},
      {"identity.secret_file", path(s.identity_secret_file)},
      {"identity.public_key_file", path(s.identity_public_key_file)},
      {"identity.issuer", text(identity.issuer, 256, "text", not_empty)},
      {"identity.audience", text(identity.audience, 256, "text", not_empty)},
      {"identity.cache_slots", whole(identity.cache_slots, 1, 1 << 22)},
      {"orders.secret_file", path(s.orders_secret_file)},
      {"orders.decide_within_ms", whole(s.http.decide_within, 1'000, kHour)},
  };
}

Rows bucket_rows(BucketSettings& bucket, const std::string& prefix) {
  return {
      {prefix + "_rate_per_s", number(bucket.rate_per_s, 0, kRateMax)},
      {prefix + "_burst", number(bucket.burst, 1, kRateMax)},
      {prefix + "_slots", whole(bucket.slots, 4, 1 << 26)},
  };
}

Rows buying_rows(Settings& s) {
  auto& purchase = s.purchase;
  return {
      {"gate.concurrency_max", whole(s.gate.concurrency_max, 1, 1'000'000)},
      {"purchase.batch_max", whole(purchase.batch_max, 1, 1'024)},
      {"purchase.batches_max", whole(purchase.batches_max, 1, 256)},
      {"purchase.reserve_timeout_ms", whole(purchase.reserve_timeout, 10, kMinute)},
      {"purchase.publish_timeout_ms", whole(purchase.publish_timeout, 10, kMinute)},
      {"purchase.answer_timeout_ms", whole(purchase.answer_timeout, 10, kMinute)},
      {"purchase.sold_out_fresh_ms", whole(purchase.sold_out_fresh, 10, kMinute)},
      {"lookup.timeout_ms", whole(s.lookup.timeout, 10, kMinute)},
      {"lookup.look_again_ms", whole(s.lookup.look_again, 50, kMinute)},
      {"lookup.batch_max", whole(s.lookup.batch_max, 1, 1'024)},
  };
}

Rows services_rows(Settings& s) {
  auto& redis = s.redis;
  auto& kafka = s.kafka;
  auto& postgres = s.postgres;
  return {
      {"redis.url", text(redis.url, kUrlBytesMax, "a URL"), true},
      {"redis.connect_timeout_ms", whole(redis.connect_timeout, 10, kMinute)},
      {"redis.backoff_min_ms", whole(redis.backoff_min, 1, kMinute)},
      {"redis.backoff_max_ms", whole(redis.backoff_max, 1, 10 * kMinute)},
      {"redis.silence_max_ms", whole(redis.silence_max, 100, 10 * kMinute)},
      {"redis.in_flight_max", whole(redis.in_flight_max, 1, 1'000'000)},
      {"kafka.brokers", text(kafka.brokers, kUrlBytesMax, "host:port, separated by commas")},
      {"kafka.topic", name(kafka.topic, "topic")},
      {"kafka.dead_letter_topic", name(kafka.dead_letter_topic, "topic")},
      {"kafka.group", name(kafka.group, "group")},
      {"kafka.partitions", whole(kafka.partitions, 1, 1'024)},
      {"kafka.replication", whole(kafka.replication, 1, 15)},
      {"kafka.linger_ms", whole(kafka.linger, 0, 100)},
      {"kafka.delivery_timeout_ms", whole(kafka.delivery_timeout, 500, 300'000)},
      {"kafka.client_messages_max", whole(kafka.client_messages_max, 1'024, 10'000'000)},
      {"kafka.client_kbytes_max", whole(kafka.client_kbytes_max, 1'024, 2'097'151)},
      {"kafka.session_timeout_ms", whole(kafka.session_timeout, 6'000, 300'000)},
      {"kafka.max_poll_interval_ms", whole(kafka.max_poll_interval, 6'000, 3'600'000)},
      {"kafka.prefetch_kbytes_max", whole(kafka.prefetch_kbytes_max, 64, 1'048'576)},
      {"kafka.message_bytes_max", whole(kafka.message_bytes_max, 512, 65'536)},
      {"kafka.end_margin_ms", whole(kafka.end_margin, 0, kMinute)},
      {"kafka.extra", map(kafka.extra, 64), true},
      {"postgres.url", text(postgres.url, kUrlBytesMax, "a URL"), true},
      {"postgres.pool_size", whole(postgres.pool_size, 1, 64)},
      {"postgres.connect_timeout_ms", whole(postgres.connect_timeout, 100, kMinute)},
      {"postgres.statement_timeout_ms", whole(postgres.statement_timeout, 100, kHour)},
      {"postgres.lock_timeout_ms", whole(postgres.lock_timeout, 100, kHour)},
      {"postgres.tcp_user_timeout_ms", whole(postgres.tcp_user_timeout, 100, kHour)},
      {"postgres.backoff_min_ms", whole(postgres.backoff_min, 1, kMinute)},
      {"postgres.backoff_max_ms", whole(postgres.backoff_max, 1, 10 * kMinute)},
      {"sqlite.lock_wait_ms", whole(s.sqlite.lock_wait, 0, kMinute)},
  };
}

Rows deciding_rows(Settings& s) {
  auto& fulfilment = s.fulfilment;
  auto& recovery = s.recovery;
  return {
      {"fulfilment.workers", whole(s.fulfilment_workers, 1, 32)},
      {"fulfilment.batch_max", whole(fulfilment.batch_max, 1, 4'096)},
      {"fulfilment.poll_ms", whole(fulfilment.poll, 10, 10'000)},
      {"fulfilment.apply_timeout_ms", whole(fulfilment.apply_timeout, 100, 5 * kMinute)},
      {"fulfilment.settle_timeout_ms", whole(fulfilment.settle_timeout, 10, kMinute)},
      {"fulfilment.unsettled_max", whole(fulfilment.unsettled_max, 1, 10'000'000)},
      {"fulfilment.retry_wait_ms", whole(fulfilment.retry_wait, 10, kMinute)},
      {"recovery.tick_ms", whole(recovery.tick, 10, kMinute)},
      {"recovery.busy_tick_ms", whole(recovery.busy_tick, 10, kMinute)},
      {"recovery.call_timeout_ms", whole(recovery.call_timeout, 10, kMinute)},
      {"recovery.ping_timeout_ms", whole(recovery.ping_timeout, 10, kMinute)},
      {"recovery.lease_ms", whole(recovery.lease, 100, 10 * kMinute)},
      {"recovery.overdue_age_ms", whole(recovery.overdue_age, 100, kHour)},
      {"recovery.overdue_age_max_ms", whole(recovery.overdue_age_max, 100, kHour)},
      {"recovery.overdue_max", whole(recovery.overdue_max, 1, 4'096)},
      {"recovery.sales_max", whole(recovery.sales_max, 1, 100'000)},
      {"recovery.fence_again_ms", whole(recovery.fence_again, 10, kMinute)},
      {"recovery.database_after_ms", whole(recovery.database_after, 10, kHour)},
      {"recovery.restore_after_ms", whole(recovery.restore_after, 10, kHour)},
      {"recovery.audit_every_ms", whole(recovery.audit_every, 100, kHour)},
  };
}

Rows breaker_rows(BreakerSettings& breaker, const std::string& prefix) {
  return {
      {prefix + "_calls_min", whole(breaker.calls_min, 1, 1'000'000)},
      {prefix + "_failure_ratio", number(breaker.failure_ratio, 0.01, 1)},
      {prefix + "_slow_ms", whole(breaker.slow, 1, kMinute)},
      {prefix + "_slow_ratio", number(breaker.slow_ratio, 0.01, 1)},
      {prefix + "_window_ms", whole(breaker.window, 10, kHour)},
      {prefix + "_open_for_ms", whole(breaker.open_for, 1, kHour)},
      {prefix + "_open_max_ms", whole(breaker.open_max, 1, kHour)},
      {prefix + "_trials", whole(breaker.trials, 1, 1'000)},
  };
}

Rows degrade_rows(Settings& s) {
  auto& direct = s.degrade.flow.direct;
  auto& lag = s.degrade.flow.lag;
  return {
      {"degrade.direct_start_per_s", number(direct.start_per_s, 1, kRateMax)},
      {"degrade.direct_floor_per_s", number(direct.floor_per_s, 0.1, kRateMax)},
      {"degrade.direct_ceiling_per_s", number(direct.ceiling_per_s, 1, kRateMax)},
      {"degrade.direct_target_ms", whole(direct.target, 1, kMinute)},
      {"degrade.lag_slow_wait_ms", whole(lag.slow_wait, 1, 9 * kMinute)},
      {"degrade.lag_stalled_after_ms", whole(lag.stalled_after, 1, kHour)},
      {"degrade.lag_admit_share", number(lag.admit_share, 0, 1)},
      {"degrade.lag_trickle_per_s", number(lag.trickle_per_s, 0, kRateMax)},
      {"degrade.lag_messages_max", whole(lag.messages_max, 1, 1'000'000'000)},
  };
}

Rows process_rows(Settings& s) {
  return {
      {"server.drain_timeout_ms", whole(s.drain_timeout, 0, 10 * kMinute)},
      {"log.level",
       one_of(s.log.level, {"trace", "debug", "info", "warn", "error", "critical", "off"})},
      {"log.format", one_of(s.log.format, {"text", "json"})},
  };
}

}  // namespace

std::vector<Setting> settings_table(Settings& s) {
  Rows rows;
  for (const auto& part :
       {top_rows(s), http_rows(s), who_asks_rows(s), bucket_rows(s.gate.ips, "gate.ip"),
        bucket_rows(s.gate.users, "gate.user"), bucket_rows(s.gate.sales, "gate.sale"),
        buying_rows(s), services_rows(s), deciding_rows(s),
        breaker_rows(s.degrade.inventory, "degrade.inventory"),
        breaker_rows(s.degrade.queue, "degrade.queue"), degrade_rows(s), process_rows(s)}) {
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

std::string section_of(const std::string& key) {
  const auto dot = key.find('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

std::string variable_of(const std::string& key) {
  std::string name = "SLUICE_" + key;
  for (char& c : name) {
    c = c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

}  // namespace sluice
