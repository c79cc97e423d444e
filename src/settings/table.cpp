#include "settings/table.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace sluice {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::size_t kPathBytesMax = 4096;
constexpr std::size_t kUrlBytesMax = 2048;
constexpr double kRateMax = 1e9;
constexpr std::int64_t kSlotsMax = 1 << 26;

using Rows = std::vector<Setting>;

void add(Rows& rows, std::string key, Binding binding, std::string meaning) {
  rows.push_back({std::move(key), std::move(binding), std::move(meaning), false});
}

void add_password(Rows& rows, std::string key, Binding binding, std::string meaning) {
  rows.push_back({std::move(key), std::move(binding), std::move(meaning), true});
}

bool not_empty(std::string_view given) { return !given.empty(); }

Binding path(std::string& member) { return text(member, kPathBytesMax, "the path of a file"); }

void add_top(Rows& rows, Settings& s) {
  add(rows, "mode", choice(s.mode, {"embedded", "services"}),
      "embedded: memory and SQLite, one process and no other service. services: Redis, Kafka and "
      "Postgres, any number of processes.");
  add(rows, "data_dir", text(s.data_dir, kPathBytesMax, "the path of a folder", not_empty),
      "Where embedded mode keeps its database and the secrets it makes; created if missing.");
}

void add_http_limits(Rows& rows, Settings& s) {
  auto& http = s.http.http;
  add(rows, "http.listen_backlog", whole(http.listen_backlog, 1, 65'535),
      "Connections that wait in the kernel to be accepted, for each thread; the kernel's "
      "net.core.somaxconn caps it.");
  add(rows, "http.connections_max", whole(s.connections.connections_max, 1, 1'000'000),
      "Connections open at once. The limit of open files (ulimit -n) must leave room for them.");
  add(rows, "http.connections_per_ip_max",
      whole(s.connections.connections_per_ip_max, 1, 1'000'000),
      "Connections open at once from one IPv4 address or IPv6 /64. Generous, because companies and "
      "mobile networks share addresses. Trusted proxies are exempt.");
  add(rows, "http.header_bytes_max", whole(http.header_max, 256, 65'536),
      "Request line and header fields of one request; above it the answer is 431.");
  add(rows, "http.header_fields_max", whole(http.fields_max, 8, 1'000),
      "Header fields of one request; above it the answer is 431.");
  add(rows, "http.body_bytes_max", whole(http.body_max, 256, 65'536),
      "Body of one request; above it the answer is 413.");
  add(rows, "http.pipelined_max", whole(http.pipelined_max, 1, 1'024),
      "Answers to pipelined requests that are joined in one write before more are read.");
  add(rows, "http.header_timeout_ms", millis(http.header_timeout, 100, kMinute),
      "From the first byte of a request to the end of its header.");
  add(rows, "http.body_timeout_ms", millis(http.body_timeout, 100, kMinute),
      "From the end of the header to the end of the body.");
  add(rows, "http.idle_timeout_ms", millis(http.idle_timeout, 1'000, kHour),
      "How long a connection may stay open without a request.");
  add(rows, "http.write_timeout_ms", millis(http.write_timeout, 100, 5 * kMinute),
      "How long a client may take to read an answer.");
  add(rows, "http.long_polls_max", whole(s.long_polls_max, 0, 1'000'000),
      "Requests that wait for news of an order (?wait=) at once; above it they are answered with "
      "the present state.");
}

void add_http(Rows& rows, Settings& s) {
  auto& http = s.http.http;
  add(rows, "http.address", text(http.address, 64, "an IPv4 or IPv6 address", is_address),
      "Where buyers connect. The default is for trying Sluice out on one machine; behind a load "
      "balancer use 0.0.0.0, or :: for IPv6 and IPv4.");
  add(rows, "http.port", whole(http.port, 0, 65'535), "Its port; 0 takes any free one.");
  add(rows, "http.threads", whole(s.http_threads, 0, 64),
      "Threads that serve buyers, each with its own listener and event loop; 0 takes one for each "
      "core, at most 64. More threads than cores make it slower.");
  add_http_limits(rows, s);
  add(rows, "http.trusted_proxies",
      list(http.trusted_proxies, 64, "addresses or networks such as 10.0.0.0/8", is_network),
      "Peers whose X-Forwarded-For is believed. Nobody else's is looked at.");
  add(rows, "http.poll_after_ms", millis(s.http.poll_after, 10, kMinute),
      "When a client is told to ask again for an order that is not decided yet.");
  add(rows, "http.poll_after_backlogged_ms", millis(s.http.poll_after_backlogged, 10, kMinute),
      "The least while the order is backlogged; it grows to a quarter of the estimated wait, at "
      "most 30 s.");
  add(rows, "http.wait_max_ms", millis(s.http.wait_max, 0, 30'000),
      "The longest that a request may wait for news of an order (?wait=).");
}

void add_admin(Rows& rows, Settings& s) {
  auto& http = s.admin.http;
  add(rows, "admin.address", text(http.address, 64, "an IPv4 or IPv6 address", is_address),
      "Where operators connect. Anything but loopback needs a key that you chose yourself.");
  add(rows, "admin.port", whole(http.port, 0, 65'535), "Its port; 0 takes any free one.");
  add(rows, "admin.key_file", path(s.admin_key_file),
      "Holds the key of operators, 16 bytes or more; SLUICE_ADMIN_KEY may hold it instead. "
      "Embedded "
      "mode makes one in data_dir/secrets.");
  add(rows, "admin.metrics_open", flag(s.admin.metrics_open),
      "Whether /metrics answers without the key.");
  add(rows, "admin.connections_max", whole(s.admin.connections.connections_max, 1, 10'000),
      "Connections of operators and scrapers open at once.");
  add(rows, "admin.waiting_max", whole(s.admin.waiting_max, 1, 10'000),
      "Operations of operators under way at once; above it the answer is 503.");
}

void add_identity(Rows& rows, Settings& s) {
  add(rows, "identity.algorithm", one_of(s.identity.algorithm, {"HS256", "RS256", "ES256"}),
      "The one algorithm that a buyer's token (JWT) may be signed with.");
  add(rows, "identity.secret_file", path(s.identity_secret_file),
      "For HS256: holds the secret shared with the shop's login, 32 bytes or more; "
      "SLUICE_IDENTITY_SECRET may hold it instead. Embedded mode makes one in data_dir/secrets.");
  add(rows, "identity.public_key_file", path(s.identity_public_key_file),
      "For RS256 and ES256: holds the login's public key as PEM.");
  add(rows, "identity.issuer", text(s.identity.issuer, 256, "text", not_empty),
      "The issuer (iss) that a token must name.");
  add(rows, "identity.audience", text(s.identity.audience, 256, "text", not_empty),
      "The audience (aud) that a token must name.");
  add(rows, "identity.cache_slots", whole(s.identity.cache_slots, 1, 1 << 22),
      "Verified tokens that each HTTP thread remembers; rounded up to a power of two.");
}

void add_orders(Rows& rows, Settings& s) {
  add(rows, "orders.secret_file", path(s.orders_secret_file),
      "Holds the secret that certifies order ids, the same on every node, 32 bytes or more; "
      "SLUICE_ORDERS_SECRET may hold it instead. Embedded mode makes one in data_dir/secrets. "
      "Whoever "
      "changes it makes every earlier order unknown to its buyer.");
  add(rows, "orders.decide_within_ms", millis(s.http.decide_within, 1'000, kHour),
      "From the purchase to the time (decide_by) by which a buyer is promised a decision; the "
      "estimated wait behind a backlog comes on top.");
}

void add_bucket(Rows& rows, BucketSettings& bucket, const std::string& name,
                const std::string& meaning) {
  add(rows, "gate." + name + "_rate_per_s", number(bucket.rate_per_s, 0, kRateMax), meaning);
  add(rows, "gate." + name + "_burst", number(bucket.burst, 1, kRateMax),
      "How many of these may come at once.");
  add(rows, "gate." + name + "_slots", whole(bucket.slots, 4, kSlotsMax),
      "How many are remembered at once, 16 bytes each; rounded up to a power of two.");
}

void add_gate(Rows& rows, Settings& s) {
  add_bucket(rows, s.gate.ips, "ip",
             "Requests a second of one address; 0 turns it off. Off by default, because behind a "
             "mobile network or a proxy that is not trusted one address is a crowd.");
  add_bucket(rows, s.gate.users, "user",
             "Requests a second of one signed-in user; 0 turns it off.");
  add_bucket(rows, s.gate.sales, "sale",
             "Purchases a second of one sale on this node; 0 turns it off. Off by default: the "
             "concurrency_max below bounds the load without refusing what could be served.");
  add(rows, "gate.concurrency_max", whole(s.gate.concurrency_max, 1, 1'000'000),
      "Purchases between the gate and their answer at once; above it buyers are told to try later. "
      "It bounds memory, and what a queue that stalls can pile up.");
}

void add_purchase(Rows& rows, Settings& s) {
  auto& purchase = s.purchase;
  add(rows, "purchase.batch_max", whole(purchase.batch_max, 1, 1'024),
      "Purchases that one call reserves.");
  add(rows, "purchase.batches_max", whole(purchase.batches_max, 1, 256),
      "Batches under way at once, for each lane and HTTP thread.");
  add(rows, "purchase.reserve_timeout_ms", millis(purchase.reserve_timeout, 10, kMinute),
      "For one call that reserves.");
  add(rows, "purchase.publish_timeout_ms", millis(purchase.publish_timeout, 10, kMinute),
      "From the reservation to the queue's acknowledgement; later, the order is answered as queued "
      "and backlogged.");
  add(rows, "purchase.answer_timeout_ms", millis(purchase.answer_timeout, 10, kMinute),
      "After this a buyer is told that the outcome is open.");
  add(rows, "purchase.sold_out_fresh_ms", millis(purchase.sold_out_fresh, 10, kMinute),
      "How long \"sold out\" is repeated without asking the lane again.");
}

void add_lookup(Rows& rows, Settings& s) {
  add(rows, "lookup.timeout_ms", millis(s.lookup.timeout, 10, kMinute), "For one lookup.");
  add(rows, "lookup.look_again_ms", millis(s.lookup.look_again, 50, kMinute),
      "How often a waiting request looks for itself, in case news was lost.");
  add(rows, "lookup.batch_max", whole(s.lookup.batch_max, 1, 1'024),
      "Lookups in one call to the store.");
}

void add_redis(Rows& rows, Settings& s) {
  auto& redis = s.redis;
  add_password(rows, "redis.url", text(redis.url, kUrlBytesMax, "a URL"),
               "redis://[user:password@]host[:port][/db]; needed in services mode.");
  add(rows, "redis.connect_timeout_ms", millis(redis.connect_timeout, 10, kMinute),
      "Resolving the name, connecting and the greeting together.");
  add(rows, "redis.backoff_min_ms", millis(redis.backoff_min, 1, kMinute),
      "Wait before the first attempt to connect again.");
  add(rows, "redis.backoff_max_ms", millis(redis.backoff_max, 1, 10 * kMinute),
      "The wait doubles up to this.");
  add(rows, "redis.silence_max_ms", millis(redis.silence_max, 100, 10 * kMinute),
      "A connection that answers nothing for so long is dropped.");
  add(rows, "redis.in_flight_max", whole(redis.in_flight_max, 1, 1'000'000),
      "Commands without an answer on each HTTP thread's connection.");
}

void add_kafka_client(Rows& rows, Settings& s) {
  auto& kafka = s.kafka;
  add(rows, "kafka.linger_ms", millis(kafka.linger, 0, 100),
      "How long a message may wait for company.");
  add(rows, "kafka.delivery_timeout_ms", millis(kafka.delivery_timeout, 500, 300'000),
      "After this the client gives a message up; recovery decides its order.");
  add(rows, "kafka.client_messages_max", whole(kafka.client_messages_max, 1'024, 10'000'000),
      "Messages in the client that are not acknowledged.");
  add(rows, "kafka.client_kbytes_max", whole(kafka.client_kbytes_max, 1'024, 2'097'151),
      "Their size in KiB.");
  add(rows, "kafka.session_timeout_ms", millis(kafka.session_timeout, 6'000, 300'000),
      "A consumer that is silent for so long loses its partitions to another.");
  add(rows, "kafka.max_poll_interval_ms", millis(kafka.max_poll_interval, 6'000, 3'600'000),
      "So does one that does not ask for messages for so long, because it hangs.");
  add(rows, "kafka.prefetch_kbytes_max", whole(kafka.prefetch_kbytes_max, 64, 1'048'576),
      "Read ahead for each partition, in KiB.");
  add(rows, "kafka.message_bytes_max", whole(kafka.message_bytes_max, 512, 65'536),
      "A larger message goes to the dead letters.");
  add(rows, "kafka.end_margin_ms", millis(kafka.end_margin, 0, kMinute),
      "Allowed difference between this host's clock and the brokers'.");
  add_password(rows, "kafka.extra", map(kafka.extra, 64),
               "Settings of librdkafka as they are (TLS, SASL, ...), for example "
               "{ \"security.protocol\" = \"ssl\" }.");
}

void add_kafka(Rows& rows, Settings& s) {
  auto& kafka = s.kafka;
  add(rows, "kafka.brokers", text(kafka.brokers, kUrlBytesMax, "host:port, separated by commas"),
      "Where to find the cluster; needed in services mode.");
  add(rows, "kafka.topic", text(kafka.topic, 249, "the name of a topic", not_empty),
      "Orders on their way to the store.");
  add(rows, "kafka.dead_letter_topic",
      text(kafka.dead_letter_topic, 249, "the name of a topic", not_empty),
      "Messages that are no orders, kept for a person to look at.");
  add(rows, "kafka.group", text(kafka.group, 249, "the name of a group", not_empty),
      "The consumer group of all nodes that turn messages into orders.");
  add(rows, "kafka.partitions", whole(kafka.partitions, 1, 1'024),
      "Of the orders topic; fixed once it exists.");
  add(rows, "kafka.replication", whole(kafka.replication, 1, 15),
      "Copies of each partition. Use 3 where an order must survive the loss of a broker.");
  add_kafka_client(rows, s);
}

void add_stores(Rows& rows, Settings& s) {
  auto& postgres = s.postgres;
  add_password(rows, "postgres.url", text(postgres.url, kUrlBytesMax, "a URL"),
               "postgresql://[user[:password]@]host[:port]/database; needed in services mode.");
  add(rows, "postgres.pool_size", whole(postgres.pool_size, 1, 64),
      "Connections of each thread, opened as they are needed.");
  add(rows, "postgres.connect_timeout_ms", millis(postgres.connect_timeout, 100, kMinute),
      "For one attempt to connect.");
  add(rows, "postgres.statement_timeout_ms", millis(postgres.statement_timeout, 100, kHour),
      "The server gives a statement up after this long, also when its caller is gone.");
  add(rows, "postgres.lock_timeout_ms", millis(postgres.lock_timeout, 100, kHour),
      "The server gives up waiting for the lock of a row after this long.");
  add(rows, "postgres.tcp_user_timeout_ms", millis(postgres.tcp_user_timeout, 100, kHour),
      "A connection whose peer acknowledges nothing for so long is dead.");
  add(rows, "postgres.backoff_min_ms", millis(postgres.backoff_min, 1, kMinute),
      "Wait after the first attempt to connect that failed.");
  add(rows, "postgres.backoff_max_ms", millis(postgres.backoff_max, 1, 10 * kMinute),
      "The wait doubles up to this.");
  add(rows, "sqlite.lock_wait_ms", millis(s.sqlite.lock_wait, 0, kMinute),
      "How long to wait at start for another process to let go of the database.");
}

void add_fulfilment(Rows& rows, Settings& s) {
  auto& fulfilment = s.fulfilment;
  add(rows, "fulfilment.workers", whole(s.fulfilment_workers, 1, 32),
      "Threads of this node that turn messages into orders, each with its own Postgres "
      "connections.");
  add(rows, "fulfilment.batch_max", whole(fulfilment.batch_max, 1, 4'096),
      "Orders in one transaction.");
  add(rows, "fulfilment.poll_ms", millis(fulfilment.poll, 10, 10'000),
      "How long to wait for a message before looking at anything else.");
  add(rows, "fulfilment.apply_timeout_ms", millis(fulfilment.apply_timeout, 100, 5 * kMinute),
      "For one transaction.");
  add(rows, "fulfilment.settle_timeout_ms", millis(fulfilment.settle_timeout, 10, kMinute),
      "For making the outcomes of one transaction known.");
  add(rows, "fulfilment.unsettled_max", whole(fulfilment.unsettled_max, 1, 10'000'000),
      "Orders whose outcome Redis has not heard of yet, kept for telling it; recovery tells it of "
      "older ones.");
  add(rows, "fulfilment.retry_wait_ms", millis(fulfilment.retry_wait, 10, kMinute),
      "Between attempts while the store does not answer.");
}

void add_recovery(Rows& rows, Settings& s) {
  auto& recovery = s.recovery;
  add(rows, "recovery.tick_ms", millis(recovery.tick, 10, kMinute),
      "Between two rounds over the sales.");
  add(rows, "recovery.busy_tick_ms", millis(recovery.busy_tick, 10, kMinute),
      "The same, while a lane is rebuilt or a service is away.");
  add(rows, "recovery.call_timeout_ms", millis(recovery.call_timeout, 10, kMinute),
      "For one call to Redis or a store.");
  add(rows, "recovery.ping_timeout_ms", millis(recovery.ping_timeout, 10, kMinute),
      "For asking a service whether it answers.");
  add(rows, "recovery.lease_ms", millis(recovery.lease, 100, 10 * kMinute),
      "How long a node leads without a sign of life.");
  add(rows, "recovery.overdue_age_ms", millis(recovery.overdue_age, 100, kHour),
      "A reservation undecided for longer is decided directly.");
  add(rows, "recovery.overdue_age_max_ms", millis(recovery.overdue_age_max, 100, kHour),
      "The same, however far behind the log is.");
  add(rows, "recovery.overdue_max", whole(recovery.overdue_max, 1, 4'096),
      "Reservations decided, or orders expired (at most 1024), in a step.");
  add(rows, "recovery.sales_max", whole(recovery.sales_max, 1, 100'000),
      "Sales that a node looks after, the newest.");
  add(rows, "recovery.fence_again_ms", millis(recovery.fence_again, 10, kMinute),
      "A fence that the log did not apply by then is sent again.");
  add(rows, "recovery.database_after_ms", millis(recovery.database_after, 10, kHour),
      "After Redis was away for so long the store sells by itself.");
  add(rows, "recovery.restore_after_ms", millis(recovery.restore_after, 10, kHour),
      "After Redis was back for so long it sells again.");
  add(rows, "recovery.audit_every_ms", millis(recovery.audit_every, 100, kHour),
      "Between two audits of a sale, by the node that leads.");
}

void add_process(Rows& rows, Settings& s) {
  add(rows, "server.drain_timeout_ms", millis(s.drain_timeout, 0, 10 * kMinute),
      "How long requests under way may take to end when the server stops.");
  add(rows, "log.level",
      one_of(s.log.level, {"trace", "debug", "info", "warn", "error", "critical", "off"}),
      "What is logged, to standard error.");
  add(rows, "log.format", one_of(s.log.format, {"text", "json"}),
      "text for people; json writes one object a line.");
}

struct Section {
  std::string_view name;
  std::string_view meaning;
};

constexpr std::array kSections = {
    Section{"http", "The listener for buyers."},
    Section{"admin", "The listener for operators: sales, metrics, health."},
    Section{"identity", "Who buys: tokens of the shop's own login."},
    Section{"orders", "Order ids and what buyers are promised."},
    Section{"gate", "Who may pass. Rates hold for each node."},
    Section{"purchase", "How purchases travel together, and how long each step may take."},
    Section{"lookup", "How buyers' questions for their orders are answered."},
    Section{"redis", "The fast stock of services mode."},
    Section{"kafka", "The queue of services mode."},
    Section{"postgres", "The truth of services mode."},
    Section{"sqlite", "The truth of embedded mode."},
    Section{"fulfilment", "Turns queued messages into orders (services mode)."},
    Section{"recovery", "Decides what nobody decided in time, and keeps lanes sellable."},
    Section{"degrade", "How a node goes on without Redis or Kafka, and with a backlog."},
    Section{"server", "The process itself."},
    Section{"log", "What the process says about itself."},
};

}  // namespace

std::vector<Setting> settings_table(Settings& settings) {
  Rows rows;
  add_top(rows, settings);
  add_http(rows, settings);
  add_admin(rows, settings);
  add_identity(rows, settings);
  add_orders(rows, settings);
  add_gate(rows, settings);
  add_purchase(rows, settings);
  add_lookup(rows, settings);
  add_redis(rows, settings);
  add_kafka(rows, settings);
  add_stores(rows, settings);
  add_fulfilment(rows, settings);
  add_recovery(rows, settings);
  add_degrade_settings(rows, settings);
  add_process(rows, settings);
  return rows;
}

std::string section_meaning(const std::string& section) {
  for (const auto& [name, meaning] : kSections) {
    if (name == section) return std::string(meaning);
  }
  return {};
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
