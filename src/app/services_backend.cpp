#include <memory>
#include <stdexcept>
#include <utility>

#include "sluice/adapters/direct/queue.hpp"
#include "sluice/adapters/direct/remote.hpp"
#include "sluice/adapters/direct/store_inventory.hpp"
#include "sluice/adapters/kafka/feed.hpp"
#include "sluice/adapters/kafka/producer.hpp"
#include "sluice/adapters/postgres/migrations.hpp"
#include "sluice/adapters/postgres/stores.hpp"
#include "sluice/adapters/redis/redis.hpp"

#include "app/backend.hpp"
#include "app/worker.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

/// Answers only when the database does and its schema is this program's.
class StoreCheck {
 public:
  StoreCheck(PostgresSettings settings, std::shared_ptr<StoreHealth> health)
      : settings_(std::move(settings)), health_(std::move(health)) {}

  Task<> ping(Ticks deadline) {
    const auto answer = co_await health_->ping(deadline);
    if (!answer || schema_checked_) co_return answer;
    // Another schema does not appear while a node runs; one good look is enough.
    if (!check_postgres_schema(settings_, deadline).usable()) co_return Errc::not_found;
    schema_checked_ = true;
    co_return answer;
  }

 private:
  PostgresSettings settings_;
  std::shared_ptr<StoreHealth> health_;
  bool schema_checked_ = false;
};

class ServicesBackend final : public Backend {
 public:
  ServicesBackend(const Settings& settings, std::shared_ptr<Clock> clock, Guards& guards,
                  Metrics& metrics)
      : settings_(settings),
        clock_(std::move(clock)),
        guards_(guards),
        metrics_(metrics),
        lookup_worker_("lookup"),
        direct_worker_("direct") {
    auto producer = create_kafka_producer(settings_.kafka);
    if (!producer) throw std::runtime_error("Kafka's settings are refused; the log says why");
    producer_ = std::move(*producer);
    lookup_stores_ = create_postgres_stores(settings_.postgres);
    lookup_worker_.start();
    direct_stores_ = create_postgres_stores(settings_.postgres);
    direct_ = create_direct_queue(direct_worker_.executor(), *direct_stores_.orders, clock_,
                                  &guards_.direct);
    direct_worker_.start();
  }

  ~ServicesBackend() override {
    lookup_worker_.stop();
    direct_worker_.stop();
  }

  HttpPorts http_ports(asio::any_io_executor executor) override {
    auto redis = connect_redis(std::move(executor), settings_.redis);
    HttpPorts ports;
    auto& inventory = add(ports.dependencies, "redis", "http.inventory", &guards_.inventory);
    auto& queue = add(ports.dependencies, "kafka", "http.queue", &guards_.queue);
    auto& results = add(ports.dependencies, "redis", "http.results");
    ports.inventory = create_redis_inventory(redis, inventory);
    ports.queue = producer_->create_queue(queue);
    ports.store = create_remote_order_store(lookup_worker_.executor(), *lookup_stores_.orders);
    ports.moves = create_remote_order_transitions(lookup_worker_.executor(), *lookup_stores_.moves);
    ports.results = create_redis_result_feed(redis, results);
    ports.store_inventory = create_store_inventory(*ports.store);
    ports.direct = direct_;
    return ports;
  }

  ControlPorts control_ports(asio::any_io_executor executor) override {
    auto redis = connect_redis(std::move(executor), settings_.redis);
    auto stores = create_postgres_stores(settings_.postgres);
    auto store_check = std::make_shared<StoreCheck>(settings_.postgres, std::move(stores.health));
    ControlPorts ports;
    auto& inventory = add(ports.dependencies, "redis", "control.inventory");
    auto& queue = add(ports.dependencies, "kafka", "control.queue");
    auto& results = add(ports.dependencies, "redis", "control.results");
    ports.inventory = create_redis_inventory(redis, inventory);
    ports.results = create_redis_result_feed(redis, results);
    ports.orders = std::move(stores.orders);
    ports.moves = std::move(stores.moves);
    ports.sales = std::move(stores.sales);
    ports.control = std::move(stores.control);
    ports.queue = producer_->create_queue(queue);
    ports.log_end = [producer = producer_] {
      return producer->figures().log_end;
    };
    ports.probes = {
        {ServiceProbe::Role::store,
         [store_check](Ticks deadline) -> Task<> { return store_check->ping(deadline); },
         "start Postgres where postgres.url points, and run `sluice migrate` once"},
        {ServiceProbe::Role::inventory,
         [redis](Ticks deadline) -> Task<> { return ping(redis, deadline); },
         "start Redis where redis.url points, with maxmemory-policy noeviction"},
        {ServiceProbe::Role::queue,
         [producer = producer_](Ticks) -> Task<> { return ping_queue(producer); },
         "start Kafka where kafka.brokers points, and run `sluice migrate` once for its topics"},
    };
    return ports;
  }

  unsigned fulfilment_workers() const override { return settings_.fulfilment_workers; }

  FulfilmentPorts fulfilment_ports(asio::any_io_executor executor) override {
    auto redis = connect_redis(std::move(executor), settings_.redis);
    FulfilmentPorts ports;
    // Orders are made without Redis at their full rate: what is not settled waits for recovery.
    auto& inventory = add(ports.dependencies, "redis", "fulfilment.inventory", &guards_.settling);
    auto& results = add(ports.dependencies, "redis", "fulfilment.results", &guards_.news);
    ports.inventory = create_redis_inventory(redis, inventory);
    ports.results = create_redis_result_feed(redis, results);
    ports.store = create_postgres_stores(settings_.postgres).orders;
    auto feed = create_kafka_feed(settings_.kafka, *ports.store, clock_);
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
    DependencySettings settings;
    settings.service = std::move(service);
    settings.use = std::move(use);
    all.push_back(std::make_unique<Dependency>(settings, breaker, *clock_, metrics_));
    return *all.back();
  }

  static Task<> ping_queue(std::shared_ptr<KafkaProducer> producer) { co_return producer->ping(); }

  Settings settings_;
  std::shared_ptr<Clock> clock_;
  Guards& guards_;
  Metrics& metrics_;
  std::shared_ptr<KafkaProducer> producer_;
  PostgresStores lookup_stores_;
  Worker lookup_worker_;
  PostgresStores direct_stores_;
  Worker direct_worker_;
  std::shared_ptr<OrderQueue> direct_;  ///< One for all threads: they are committed together.
};

}  // namespace

std::unique_ptr<Backend> create_services_backend(const Settings& settings,
                                                 std::shared_ptr<Clock> clock, Guards& guards,
                                                 Metrics& metrics) {
  return std::make_unique<ServicesBackend>(settings, std::move(clock), guards, metrics);
}

}  // namespace sluice
