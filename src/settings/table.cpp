#include "settings/table.hpp"

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>

namespace sluice {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kYearSeconds = 31'536'000;
constexpr std::size_t kPathBytesMax = 4096;
constexpr std::size_t kUrlBytesMax = 2048;
constexpr double kRateMax = 1e9;

using Rows = std::vector<Setting>;

bool not_empty(std::string_view given) { return !given.empty(); }

Binding path(std::string& member) { return text(member, kPathBytesMax, "the path of a file"); }

Binding address(std::string& member) {
  return text(member, 64, "an IPv4 or IPv6 address", is_address);
}

Binding name(std::string& member, const std::string& what, std::size_t max = 249) {
  return text(member, max, "the name of a " + what, not_empty);
}

Setting at_reload(std::string key, Binding binding) {
  return {std::move(key), std::move(binding), false, true};
}

Rows front_rows(Settings& s) {
  const std::string proxies = "addresses or networks such as 10.0.0.0/8";
  return {
      {"mode", choice(s.mode, {"embedded", "services"})},
      {"data_dir", text(s.data_dir, kPathBytesMax, "the path of a folder", not_empty)},
      {"http.address", address(s.http.http.address)},
      {"http.port", whole(s.http.http.port, 0, 65'535)},
      {"http.threads", whole(s.http_threads, 0, 64)},
      {"http.listen_backlog", whole(s.http.http.listen_backlog, 1, 65'535)},
      {"http.connections_max", whole(s.connections.connections_max, 1, 1'000'000)},
      {"http.connections_per_ip_max", whole(s.connections.connections_per_ip_max, 1, 1'000'000)},
      {"http.connections_per_site_max",
       whole(s.connections.connections_per_site_max, 1, 1'000'000)},
      {"http.header_bytes_max", whole(s.http.http.header_max, 256, 65'536)},
      {"http.header_fields_max", whole(s.http.http.fields_max, 8, 1'000)},
      {"http.body_bytes_max", whole(s.http.http.body_max, 256, 65'536)},
      {"http.pipelined_max", whole(s.http.http.pipelined_max, 1, 1'024)},
      {"http.header_timeout_ms", whole(s.http.http.header_timeout, 100, kMinute)},
      {"http.body_timeout_ms", whole(s.http.http.body_timeout, 100, kMinute)},
      {"http.idle_timeout_ms", whole(s.http.http.idle_timeout, 1'000, kHour)},
      {"http.write_timeout_ms", whole(s.http.http.write_timeout, 100, 5 * kMinute)},
      {"http.long_polls_max", whole(s.long_polls_max, 0, 1'000'000)},
      {"http.hsts_max_age_s", whole(s.http.http.hsts_max_age, 0, 2 * kYearSeconds)},
      {"http.trusted_proxies", list(s.http.http.trusted_proxies, 64, proxies, is_network)},
      {"http.poll_after_ms", whole(s.http.poll_after, 10, kMinute)},
      {"http.poll_after_backlogged_ms", whole(s.http.poll_after_backlogged, 10, kMinute)},
      {"http.wait_max_ms", whole(s.http.wait_max, 0, 30'000)},
      {"admin.address", address(s.admin.http.address)},
      {"admin.port", whole(s.admin.http.port, 0, 65'535)},
      at_reload("admin.key_file", path(s.admin_key_file)),
      {"admin.metrics_open", flag(s.admin.metrics_open)},
      {"admin.connections_max", whole(s.admin.connections.connections_max, 1, 10'000)},
      {"admin.waiting_max", whole(s.admin.waiting_max, 1, 10'000)},
      {"identity.algorithm", one_of(s.identity_algorithm, {"HS256", "RS256", "ES256"})},
      at_reload("identity.secret_file", path(s.identity_secret_file)),
      at_reload("identity.public_key_file", path(s.identity_public_key_file)),
      at_reload("identity.jwks_file", path(s.identity_jwks_file)),
      {"identity.issuer", text(s.identity.issuer, 256, "text", not_empty)},
      {"identity.audience", text(s.identity.audience, 256, "text", not_empty)},
      {"identity.cache_slots", whole(s.identity.cache_slots, 1, 1 << 22)},
      {"orders.secret_file", path(s.orders_secret_file)},
      {"orders.decide_within_ms", whole(s.http.decide_within, 1'000, kHour)},
  };
}

Rows bucket_rows(BucketSettings& bucket, const std::string& prefix) {
  return {
      at_reload(prefix + "_rate_per_s", number(bucket.rate_per_s, 0, kRateMax)),
      at_reload(prefix + "_burst", number(bucket.burst, 1, kRateMax)),
      {prefix + "_slots", whole(bucket.slots, 4, 1 << 26)},
  };
}

Rows selling_rows(Settings& s) {
  return {
      {"gate.concurrency_max", whole(s.gate.concurrency_max, 1, 1'000'000)},
      {"purchase.batch_max", whole(s.purchase.batch_max, 1, 1'024)},
      {"purchase.batches_max", whole(s.purchase.batches_max, 1, 256)},
      {"purchase.reserve_timeout_ms", whole(s.purchase.reserve_timeout, 10, kMinute)},
      {"purchase.publish_timeout_ms", whole(s.purchase.publish_timeout, 10, kMinute)},
      {"purchase.answer_timeout_ms", whole(s.purchase.answer_timeout, 10, kMinute)},
      {"purchase.sold_out_fresh_ms", whole(s.purchase.sold_out_fresh, 10, kMinute)},
      {"lookup.timeout_ms", whole(s.lookup.timeout, 10, kMinute)},
      {"lookup.look_again_ms", whole(s.lookup.look_again, 50, kMinute)},
      {"lookup.batch_max", whole(s.lookup.batch_max, 1, 1'024)},
      {"redis.url", text(s.redis.url, kUrlBytesMax, "a URL"), true},
      {"redis.tls_ca_file", path(s.redis.tls_ca_file)},
      {"redis.tls_cert_file", path(s.redis.tls_cert_file)},
      {"redis.tls_key_file", path(s.redis.tls_key_file)},
      {"redis.connect_timeout_ms", whole(s.redis.connect_timeout, 10, kMinute)},
      {"redis.backoff_min_ms", whole(s.redis.backoff_min, 1, kMinute)},
      {"redis.backoff_max_ms", whole(s.redis.backoff_max, 1, 10 * kMinute)},
      {"redis.silence_max_ms", whole(s.redis.silence_max, 100, 10 * kMinute)},
      {"redis.in_flight_max", whole(s.redis.in_flight_max, 1, 1'000'000)},
      {"kafka.brokers", text(s.kafka.brokers, kUrlBytesMax, "host:port, separated by commas")},
      {"kafka.topic", name(s.kafka.topic, "topic", 238)},
      {"kafka.dead_letter_topic", name(s.kafka.dead_letter_topic, "topic")},
      {"kafka.group", name(s.kafka.group, "group")},
      {"kafka.partitions", whole(s.kafka.partitions, 1, 1'024)},
      {"kafka.replication", whole(s.kafka.replication, 1, 15)},
      {"kafka.linger_ms", whole(s.kafka.linger, 0, 100)},
      {"kafka.delivery_timeout_ms", whole(s.kafka.delivery_timeout, 500, 300'000)},
      {"kafka.client_messages_max", whole(s.kafka.client_messages_max, 1'024, 10'000'000)},
      {"kafka.client_kbytes_max", whole(s.kafka.client_kbytes_max, 1'024, 2'097'151)},
      {"kafka.session_timeout_ms", whole(s.kafka.session_timeout, 6'000, 300'000)},
      {"kafka.max_poll_interval_ms", whole(s.kafka.max_poll_interval, 6'000, 3'600'000)},
      {"kafka.prefetch_kbytes_max", whole(s.kafka.prefetch_kbytes_max, 64, 1'048'576)},
      {"kafka.message_bytes_max", whole(s.kafka.message_bytes_max, 512, 65'536)},
      {"kafka.end_margin_ms", whole(s.kafka.end_margin, 0, kMinute)},
      {"kafka.extra", map(s.kafka.extra, 64), true},
      {"postgres.url", text(s.postgres.url, kUrlBytesMax, "a URL"), true},
      {"postgres.pool_size", whole(s.postgres.pool_size, 1, 64)},
      {"postgres.connect_timeout_ms", whole(s.postgres.connect_timeout, 100, kMinute)},
      {"postgres.statement_timeout_ms", whole(s.postgres.statement_timeout, 100, kHour)},
      {"postgres.lock_timeout_ms", whole(s.postgres.lock_timeout, 100, kHour)},
      {"postgres.tcp_user_timeout_ms", whole(s.postgres.tcp_user_timeout, 100, kHour)},
      {"postgres.backoff_min_ms", whole(s.postgres.backoff_min, 1, kMinute)},
      {"postgres.backoff_max_ms", whole(s.postgres.backoff_max, 1, 10 * kMinute)},
      {"sqlite.lock_wait_ms", whole(s.sqlite.lock_wait, 0, kMinute)},
  };
}

Rows deciding_rows(Settings& s) {
  return {
      {"fulfilment.workers", whole(s.fulfilment_workers, 1, 32)},
      {"fulfilment.batch_max", whole(s.fulfilment.batch_max, 1, 4'096)},
      {"fulfilment.poll_ms", whole(s.fulfilment.poll, 10, 10'000)},
      {"fulfilment.apply_timeout_ms", whole(s.fulfilment.apply_timeout, 100, 5 * kMinute)},
      {"fulfilment.settle_timeout_ms", whole(s.fulfilment.settle_timeout, 10, kMinute)},
      {"fulfilment.unsettled_max", whole(s.fulfilment.unsettled_max, 1, 10'000'000)},
      {"fulfilment.retry_wait_ms", whole(s.fulfilment.retry_wait, 10, kMinute)},
      {"recovery.tick_ms", whole(s.recovery.tick, 10, kMinute)},
      {"recovery.busy_tick_ms", whole(s.recovery.busy_tick, 10, kMinute)},
      {"recovery.call_timeout_ms", whole(s.recovery.call_timeout, 10, kMinute)},
      {"recovery.ping_timeout_ms", whole(s.recovery.ping_timeout, 10, kMinute)},
      {"recovery.lease_ms", whole(s.recovery.lease, 100, 10 * kMinute)},
      {"recovery.overdue_age_ms", whole(s.recovery.overdue_age, 100, kHour)},
      {"recovery.overdue_age_max_ms", whole(s.recovery.overdue_age_max, 100, kHour)},
      {"recovery.overdue_max", whole(s.recovery.overdue_max, 1, 4'096)},
      {"recovery.sales_max", whole(s.recovery.sales_max, 1, 100'000)},
      {"recovery.finished_sales_max", whole(s.recovery.finished_sales_max, 0, 100'000)},
      {"recovery.lanes_looked_max", whole(s.recovery.lanes_looked_max, 1, 1'000'000)},
      {"recovery.lanes_at_once", whole(s.recovery.lanes_at_once, 1, 1'000)},
      {"recovery.rebuilds_max", whole(s.recovery.rebuilds_max, 1, 64)},
      {"recovery.rebuild_retry_max_ms", whole(s.recovery.rebuild_retry_max, 100, kHour)},
      {"recovery.fence_again_ms", whole(s.recovery.fence_again, 10, kMinute)},
      {"recovery.database_after_ms", whole(s.recovery.database_after, 10, kHour)},
      {"recovery.restore_after_ms", whole(s.recovery.restore_after, 10, kHour)},
      {"recovery.audit_every_ms", whole(s.recovery.audit_every, 100, kHour)},
      {"recovery.audit_timeout_ms", whole(s.recovery.audit_timeout, 100, kHour)},
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

Rows degrade_and_process_rows(Settings& s) {
  return {
      {"degrade.direct_start_per_s", number(s.degrade.flow.direct.start_per_s, 1, kRateMax)},
      {"degrade.direct_floor_per_s", number(s.degrade.flow.direct.floor_per_s, 0.1, kRateMax)},
      {"degrade.direct_ceiling_per_s", number(s.degrade.flow.direct.ceiling_per_s, 1, kRateMax)},
      {"degrade.direct_target_ms", whole(s.degrade.flow.direct.target, 1, kMinute)},
      {"degrade.lag_slow_wait_ms", whole(s.degrade.flow.lag.slow_wait, 1, 9 * kMinute)},
      {"degrade.lag_stalled_after_ms", whole(s.degrade.flow.lag.stalled_after, 1, kHour)},
      {"degrade.lag_admit_share", number(s.degrade.flow.lag.admit_share, 0, 1)},
      {"degrade.lag_trickle_per_s", number(s.degrade.flow.lag.trickle_per_s, 0, kRateMax)},
      {"degrade.lag_messages_max", whole(s.degrade.flow.lag.messages_max, 1, 1'000'000'000)},
      {"server.drain_delay_ms", whole(s.drain_delay, 0, 10 * kMinute)},
      {"server.drain_timeout_ms", whole(s.drain_timeout, 0, 10 * kMinute)},
      at_reload("log.level", one_of(s.log.level, {"trace", "debug", "info", "warn", "error",
                                                  "critical", "off"})),
      {"log.format", one_of(s.log.format, {"text", "json"})},
      at_reload("log.access", choice(s.access_log, {"off", "refusals", "all"})),
  };
}

}  // namespace

Settings::Settings() {
  // A newcomer's first server is for this machine alone.
  http.http.address = "127.0.0.1";
  // No guess is better than the wrong cluster: these must be named.
  redis.url.clear();

  degrade.inventory.calls_min = 10;
  degrade.inventory.slow = Millis{400};
  degrade.inventory.open_for = Millis{200};
  degrade.inventory.open_max = Millis{2'000};
  // A dead log answers each batch after its whole timeout: a few of them must be enough.
  degrade.queue.calls_min = 4;
  degrade.queue.slow = Millis{1'500};
  degrade.queue.open_max = Millis{5'000};
}

std::vector<Setting> settings_table(Settings& s) {
  Rows rows;
  for (const auto& part :
       {front_rows(s), bucket_rows(s.gate.ips, "gate.ip"),
        bucket_rows(s.gate.failures, "gate.failure"), bucket_rows(s.gate.users, "gate.user"),
        bucket_rows(s.gate.sales, "gate.sale"), bucket_rows(s.gate.old_sales, "gate.old_sale"),
        selling_rows(s), deciding_rows(s), breaker_rows(s.degrade.inventory, "degrade.inventory"),
        breaker_rows(s.degrade.queue, "degrade.queue"), degrade_and_process_rows(s)}) {
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

std::string variable_of(const std::string& key) {
  auto name = "SLUICE_" + boost::algorithm::to_upper_copy(key);
  std::ranges::replace(name, '.', '_');
  return name;
}

}  // namespace sluice
