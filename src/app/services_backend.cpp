#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>

#include "sluice/adapters/direct/queue.hpp"
#include "sluice/adapters/direct/store_inventory.hpp"
#include "sluice/adapters/kafka/feed.hpp"
#include "sluice/adapters/kafka/producer.hpp"
#include "sluice/adapters/postgres/stores.hpp"
#include "sluice/adapters/redis/redis.hpp"

#include "app/backend.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

constexpr Millis kLookAgain{10};

/// The adapters of the services. The ports that it makes refer to it.
class ServicesAdapters {
 public:
  ServicesAdapters(const Settings& settings, std::shared_ptr<Clock> clock, Guards& guards,
                   Metrics& metrics)
      : settings_(settings), clock_(std::move(clock)), guards_(guards), metrics_(metrics) {
    auto producer = create_kafka_producer(settings_.kafka);
    if (!producer) throw std::runtime_error("Kafka's settings are refused; the log says why");
    producer_ = std::move(*producer);
  }

  Ports http_ports(asio::any_io_executor executor) {
    auto redis = connect_redis(executor, settings_.redis);
    connections_.push_back(was_up(redis));
    auto ports = make_ports(executor, redis, "http", &guards_.inventory, nullptr);
    auto look_ups = connect_redis(executor, settings_.redis);
    connections_.push_back(was_up(look_ups));
    ports.look_ups = create_redis_inventory(
        std::move(look_ups), add(ports, "redis", "http.look_ups", &guards_.look_ups));
    ports.queue = producer_->create_queue(add(ports, "kafka", "http.queue", &guards_.queue));
    ports.store_inventory = create_store_inventory(*ports.orders);
    ports.direct = create_direct_queue(executor, *ports.orders, clock_, {}, &guards_.direct);
    return ports;
  }

  Ports control_ports(asio::any_io_executor executor) {
    auto redis = connect_redis(executor, settings_.redis);
    auto ports = make_ports(executor, redis, "control", nullptr, nullptr);
    ports.queue = producer_->create_queue(add(ports, "kafka", "control.queue", nullptr));
    ports.log_end = [producer = producer_] { return producer->figures().log_end; };
    ports.heartbeat = {[producer = producer_] { producer->send_heartbeat(); },
                       [producer = producer_] { return producer->figures().heartbeats; }};
    ports.probes.push_back(
        {ServiceProbe::Role::inventory,
         [this, redis](Ticks deadline) -> Task<> { return ping_inventory(redis, deadline); },
         "start Redis where redis.url points, with maxmemory-policy noeviction"});
    ports.probes.push_back(
        {ServiceProbe::Role::queue,
         [producer = producer_](Ticks) -> Task<> { return ping_queue(producer); },
         "start Kafka where kafka.brokers points, and run `sluice migrate` once for its topics"});
    return ports;
  }

  /// Whatever reading winners costs or however it fails, no purchase is behind it.
  Ports view_ports(asio::any_io_executor executor) {
    auto redis = settings_.redis;
    redis.client_name += ".winners";
    Ports ports;
    auto& inventory = add(ports, "redis", "views.inventory", &guards_.winners);
    ports.inventory = create_redis_inventory(connect_redis(executor, std::move(redis)), inventory);
    auto& store = add(ports, "postgres", "views.store", nullptr);
    auto stores = create_postgres_stores(std::move(executor), settings_.postgres, store);
    ports.orders = std::move(stores.orders);
    ports.store_inventory = create_store_inventory(*ports.orders);
    return ports;
  }

  Ports fulfilment_ports(asio::any_io_executor executor) {
    auto redis = connect_redis(executor, settings_.redis);
    // Orders are made without Redis at their full rate: what is not settled waits for recovery.
    auto ports = make_ports(executor, redis, "fulfilment", &guards_.settling, &guards_.news);
    auto feed = create_kafka_feed(executor, settings_.kafka, *ports.orders, clock_);
    if (!feed) throw std::runtime_error("Kafka's settings are refused; the log says why");
    ports.feed = std::move(*feed);
    return ports;
  }

  /// `use`: who needs nothing but the stores.
  Ports store_ports(const std::string& use, asio::any_io_executor executor) {
    Ports ports;
    add_stores(ports, std::move(executor), use);
    return ports;
  }

  void flush(Millis bound) { producer_->close(bound); }

 private:
  Dependency& add(Ports& ports, std::string service, std::string use, Breaker* breaker) {
    DependencySettings settings{std::move(service), std::move(use)};
    return *ports.dependencies.emplace_back(
        std::make_unique<Dependency>(std::move(settings), breaker, *clock_, metrics_));
  }

  /// What threads of all kinds need; `thread`: of which kind it is.
  Ports make_ports(asio::any_io_executor executor, const RedisConnection& redis,
                   const std::string& thread, Breaker* inventory, Breaker* results) {
    Ports ports;
    ports.inventory =
        create_redis_inventory(redis, add(ports, "redis", thread + ".inventory", inventory));
    ports.results =
        create_redis_result_feed(redis, add(ports, "redis", thread + ".results", results));
    add_stores(ports, std::move(executor), thread);
    return ports;
  }

  void add_stores(Ports& ports, asio::any_io_executor executor, const std::string& thread) {
    auto& store = add(ports, "postgres", thread + ".store", nullptr);
    auto stores = create_postgres_stores(std::move(executor), settings_.postgres, store);
    ports.orders = std::move(stores.orders);
    ports.moves = std::move(stores.moves);
    ports.late = std::move(stores.late);
    ports.sales = std::move(stores.sales);
    ports.control = std::move(stores.control);
    ports.probes.push_back(
        {ServiceProbe::Role::store, std::move(stores.ping),
         "start Postgres where postgres.url points, and run `sluice migrate` once"});
  }

  /// A node is not ready before each HTTP thread has reached Redis: the first purchase after that
  /// must not meet a connection that is still being made.
  Task<> ping_inventory(RedisConnection redis, Ticks deadline) {
    const auto answer = co_await ping(std::move(redis), deadline);
    const auto up = [](const auto& connection) { return connection->load(); };
    while (answer && !std::ranges::all_of(connections_, up)) {
      if (clock_->ticks() >= deadline) co_return Errc::unavailable;
      co_await clock_->sleep_until(clock_->ticks() + kLookAgain);
    }
    co_return answer;
  }

  static Task<> ping_queue(std::shared_ptr<KafkaProducer> producer) { co_return producer->ping(); }

  Settings settings_;
  std::shared_ptr<Clock> clock_;
  Guards& guards_;
  Metrics& metrics_;
  std::shared_ptr<KafkaProducer> producer_;
  /// Whether each HTTP thread's connection to Redis was ever up. Complete before any thread starts.
  std::vector<std::shared_ptr<const std::atomic<bool>>> connections_;
};

}  // namespace

Backend create_services_backend(const Settings& settings, std::shared_ptr<Clock> clock,
                                Guards& guards, Metrics& metrics) {
  using Adapters = ServicesAdapters;
  const auto all = std::make_shared<Adapters>(settings, std::move(clock), guards, metrics);
  Backend backend;
  backend.http_ports = std::bind_front(&Adapters::http_ports, all);
  backend.control_ports = std::bind_front(&Adapters::control_ports, all);
  backend.view_ports = std::bind_front(&Adapters::view_ports, all);
  backend.fulfilment_ports = std::bind_front(&Adapters::fulfilment_ports, all);
  backend.shop_ports = std::bind_front(&Adapters::store_ports, all, "shop");
  backend.audit_ports = std::bind_front(&Adapters::store_ports, all, "audits");
  backend.log = OrderLog{settings.kafka.topic, settings.kafka.partitions};
  backend.flush = std::bind_front(&Adapters::flush, all);
  return backend;
}

}  // namespace sluice
