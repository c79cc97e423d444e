#include <filesystem>
#include <stdexcept>
#include <utility>

#include "sluice/adapters/direct/queue.hpp"
#include "sluice/adapters/memory/memory.hpp"
#include "sluice/adapters/sqlite/stores.hpp"

#include "app/backend.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

/// The database joins what all threads publish.
constexpr DirectQueueSettings kJoinedBelow{false};

/// Makes the data folder if it is missing, for its owner alone.
std::shared_ptr<SqliteDatabase> open_database(const Settings& settings,
                                              std::shared_ptr<Clock> clock) {
  namespace fs = std::filesystem;
  if (fs::create_directories(settings.data_dir)) {
    fs::permissions(settings.data_dir, fs::perms::owner_all);
  }
  return open_sqlite(settings.sqlite, std::move(clock));
}

class EmbeddedBackend final : public Backend {
 public:
  EmbeddedBackend(const Settings& settings, std::shared_ptr<Clock> clock, Metrics& metrics)
      : clock_(std::move(clock)),
        metrics_(metrics),
        lanes_(create_memory_lanes(clock_)),
        hub_(create_memory_result_hub()),
        database_(open_database(settings, clock_)) {}

  HttpPorts http_ports(asio::any_io_executor executor) override {
    HttpPorts ports;
    auto& store = add_dependency(ports.dependencies, {"sqlite", "http.store"}, *clock_, metrics_);
    auto stores = create_sqlite_stores(executor, database_, store);
    ports.inventory = create_memory_inventory(lanes_);
    ports.store = std::move(stores.orders);
    ports.moves = std::move(stores.moves);
    ports.queue = create_direct_queue(executor, *ports.store, clock_, kJoinedBelow);
    ports.results = create_memory_result_feed(hub_, std::move(executor));
    return ports;
  }

  ControlPorts control_ports(asio::any_io_executor executor) override {
    ControlPorts ports;
    auto& store =
        add_dependency(ports.dependencies, {"sqlite", "control.store"}, *clock_, metrics_);
    auto stores = create_sqlite_stores(executor, database_, store);
    ports.inventory = create_memory_inventory(lanes_);
    ports.orders = std::move(stores.orders);
    ports.moves = std::move(stores.moves);
    ports.sales = std::move(stores.sales);
    ports.control = std::move(stores.control);
    ports.queue = create_direct_queue(executor, *ports.orders, clock_, kJoinedBelow);
    ports.results = create_memory_result_feed(hub_, std::move(executor));
    ports.log_end = [] { return std::optional<std::int64_t>(); };
    ports.probes = {
        {ServiceProbe::Role::store, std::move(stores.ping), "look at the disk under data_dir"},
    };
    return ports;
  }

  unsigned fulfilment_workers() const override { return 0; }

  FulfilmentPorts fulfilment_ports(asio::any_io_executor) override {
    throw std::logic_error("the embedded mode has no log");
  }

  std::optional<OrderLog> log() const override { return std::nullopt; }

  void flush(Millis) override {}

 private:
  std::shared_ptr<Clock> clock_;
  Metrics& metrics_;
  MemoryLanes lanes_;
  MemoryResultHub hub_;
  std::shared_ptr<SqliteDatabase> database_;
};

}  // namespace

std::unique_ptr<Backend> create_embedded_backend(const Settings& settings,
                                                 std::shared_ptr<Clock> clock, Guards&,
                                                 Metrics& metrics) {
  return std::make_unique<EmbeddedBackend>(settings, std::move(clock), metrics);
}

}  // namespace sluice
