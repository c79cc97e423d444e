#include <filesystem>
#include <stdexcept>
#include <utility>

#include "sluice/adapters/direct/queue.hpp"
#include "sluice/adapters/direct/remote.hpp"
#include "sluice/adapters/memory/memory.hpp"
#include "sluice/adapters/sqlite/stores.hpp"

#include "app/backend.hpp"
#include "app/worker.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

/// The store answers as long as its thread does.
Task<> ping_store(asio::any_io_executor store, Ticks) {
  co_await asio::co_spawn(
      store,
      []() -> asio::awaitable<void> {
        co_return;
      }(),
      asio::use_awaitable);
  co_return boost::system::in_place_value;
}

/// Makes the data folder if it is missing, for its owner alone.
SqliteStores open_stores(const Settings& settings, std::shared_ptr<Clock> clock) {
  namespace fs = std::filesystem;
  if (fs::create_directories(settings.data_dir)) {
    fs::permissions(settings.data_dir, fs::perms::owner_all);
  }
  return create_sqlite_stores(settings.sqlite, std::move(clock));
}

class EmbeddedBackend final : public Backend {
 public:
  EmbeddedBackend(const Settings& settings, std::shared_ptr<Clock> clock)
      : clock_(std::move(clock)),
        lanes_(create_memory_lanes(clock_)),
        hub_(create_memory_result_hub()),
        store_worker_("store"),
        stores_(open_stores(settings, clock_)),
        queue_(create_direct_queue(store_worker_.executor(), *stores_.orders, clock_)) {
    store_worker_.start();
  }

  ~EmbeddedBackend() override { store_worker_.stop(); }

  HttpPorts http_ports(asio::any_io_executor executor) override {
    HttpPorts ports;
    ports.inventory = create_memory_inventory(lanes_);
    // One for all threads: what they publish at the same time is committed together.
    ports.queue = queue_;
    ports.store = create_remote_order_store(store_worker_.executor(), *stores_.orders);
    ports.moves = create_remote_order_transitions(store_worker_.executor(), *stores_.moves);
    ports.results = create_memory_result_feed(hub_, std::move(executor));
    return ports;
  }

  ControlPorts control_ports(asio::any_io_executor executor) override {
    ControlPorts ports;
    ports.inventory = create_memory_inventory(lanes_);
    ports.queue = queue_;
    ports.log_end = [] {
      return std::optional<std::int64_t>();
    };
    ports.orders = create_remote_order_store(store_worker_.executor(), *stores_.orders);
    ports.moves = create_remote_order_transitions(store_worker_.executor(), *stores_.moves);
    ports.sales = create_remote_sale_store(store_worker_.executor(), *stores_.sales);
    ports.control = create_remote_control_store(store_worker_.executor(), *stores_.control);
    ports.results = create_memory_result_feed(hub_, std::move(executor));
    ports.probes = {
        {ServiceProbe::Role::store,
         [store = store_worker_.executor()](Ticks deadline) { return ping_store(store, deadline); },
         "look at the disk under data_dir"},
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
  MemoryLanes lanes_;
  MemoryResultHub hub_;
  Worker store_worker_;
  SqliteStores stores_;
  std::shared_ptr<OrderQueue> queue_;
};

}  // namespace

std::unique_ptr<Backend> create_embedded_backend(const Settings& settings,
                                                 std::shared_ptr<Clock> clock, Guards&, Metrics&) {
  return std::make_unique<EmbeddedBackend>(settings, std::move(clock));
}

}  // namespace sluice
