#include <algorithm>
#include <atomic>
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

class ServicesBackend final : public Backend {
 public:
  ServicesBackend(const Settings& settings, std::shared_ptr<Clock> clock, Guards& guards,
                  Metrics& metrics)
      : settings_(settings), clock_(std::move(clock)), guards_(guards), metrics_(metrics) {
    auto producer = create_kafka_producer(settings_.kafka);
    if (!producer) throw std::runtime_error("Kafka's settings are refused; the log says why");
    producer_ = std::move(*producer);
  }

  HttpPorts http_ports(asio::any_io_executor executor) override {
    auto redis = connect_redis(executor, settings_.redis);
    connections_.push_back(was_up(redis));
    HttpPorts ports;
    auto& inventory = add(ports.dependencies, "redis", "http.inventory", &guards_.inventory);
    auto& queue = add(ports.dependencies, "kafka", "http.queue", &guards_.queue);
    auto& results = add(ports.dependencies, "redis", "http.results");
    auto& store = add(ports.dependencies, "postgres", "http.store");
    auto stores = create_postgres_stores(executor, settings_.postgres, store);
    ports.inventory = create_redis_inventory(redis, inventory);
    ports.queue = producer_->create_queue(queue);
    ports.store = std::move(stores.orders);
    ports.moves = std::move(stores.moves);
    ports.results = create_redis_result_feed(redis, results);
    ports.store_inventory = create_store_inventory(*ports.store);
    ports.direct = create_direct_queue(executor, *ports.store, clock_, {}, &guards_.direct);
    return ports;
  }

  ControlPorts control_ports(asio::any_io_executor executor) override {
    auto redis = connect_redis(executor, settings_.redis);
    ControlPorts ports;
    auto& inventory = add(ports.dependencies, "redis", "control.inventory");
    auto& queue = add(ports.dependencies, "kafka", "control.queue");
    auto& results = add(ports.dependencies, "redis", "control.results");
    auto& store = add(ports.dependencies, "postgres", "control.store");
    auto stores = create_postgres_stores(executor, settings_.postgres, store);
    std::shared_ptr<StoreHealth> health = std::move(stores.health);
    ports.inventory = create_redis_inventory(redis, inventory);
    ports.results = create_redis_result_feed(redis, results);
    ports.orders = std::move(stores.orders);
    ports.moves = std::move(stores.moves);
    ports.sales = std::move(stores.sales);
    ports.control = std::move(stores.control);
    ports.queue = producer_->create_queue(queue);
    ports.log_end = [producer = producer_] { return producer->figures().log_end; };
    ports.probes = {
        {ServiceProbe::Role::store,
         [health](Ticks deadline) -> Task<> { return health->ping(deadline); },
         "start Postgres where postgres.url points, and run `sluice migrate` once"},
        {ServiceProbe::Role::inventory,
         [this, redis](Ticks deadline) -> Task<> { return ping_inventory(redis, deadline); },
         "start Redis where redis.url points, with maxmemory-policy noeviction"},
        {ServiceProbe::Role::queue,
         [producer = producer_](Ticks) -> Task<> { return ping_queue(producer); },
         "start Kafka where kafka.brokers points, and run `sluice migrate` once for its topics"},
    };
    return ports;
  }

  unsigned fulfilment_workers() const override { return settings_.fulfilment_workers; }

  FulfilmentPorts fulfilment_ports(asio::any_io_executor executor) override {
    auto redis = connect_redis(executor, settings_.redis);
    FulfilmentPorts ports;
    // Orders are made without Redis at their full rate: what is not settled waits for recovery.
    auto& inventory = add(ports.dependencies, "redis", "fulfilment.inventory", &guards_.settling);
    auto& results = add(ports.dependencies, "redis", "fulfilment.results", &guards_.news);
    ports.inventory = create_redis_inventory(redis, inventory);
    ports.results = create_redis_result_feed(redis, results);
    auto& store = add(ports.dependencies, "postgres", "fulfilment.store");
    ports.store = create_postgres_stores(executor, settings_.postgres, store).orders;
    auto feed = create_kafka_feed(executor, settings_.kafka, *ports.store, clock_);
    if (!feed) throw std::runtime_error("Kafka's settings are refused; the log says why");
    ports.feed = std::move(*feed);
    return ports;
  }

  std::optional<OrderLog> log() const override {
    return OrderLog{settings_.kafka.topic, settings_.kafka.partitions};
  }

  void flush(Millis bound) override { producer_->close(bound); }

 private:
  Dependency& add(Dependencies& all, std::string service, std::string use,
                  Breaker* breaker = nullptr) {
    return add_dependency(all, {std::move(service), std::move(use)}, *clock_, metrics_, breaker);
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

std::unique_ptr<Backend> create_services_backend(const Settings& settings,
                                                 std::shared_ptr<Clock> clock, Guards& guards,
                                                 Metrics& metrics) {
  return std::make_unique<ServicesBackend>(settings, std::move(clock), guards, metrics);
}

}  // namespace sluice
