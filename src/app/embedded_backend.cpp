#include <filesystem>
#include <functional>
#include <string>
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

}  // namespace

Backend create_embedded_backend(const Settings& settings, std::shared_ptr<Clock> clock, Guards&,
                                Metrics& metrics) {
  const auto lanes = create_memory_lanes(clock);
  const auto hub = create_memory_result_hub();
  const auto database = open_database(settings, clock);
  const auto make_ports = [=, &metrics](const std::string& use, asio::any_io_executor executor) {
    Ports ports;
    DependencySettings dependency{"sqlite", use};
    auto& store = *ports.dependencies.emplace_back(
        std::make_unique<Dependency>(std::move(dependency), nullptr, *clock, metrics));
    auto stores = create_sqlite_stores(executor, database, store);
    ports.inventory = create_memory_inventory(lanes);
    ports.orders = std::move(stores.orders);
    ports.moves = std::move(stores.moves);
    ports.late = std::move(stores.late);
    ports.sales = std::move(stores.sales);
    ports.control = std::move(stores.control);
    ports.queue = create_direct_queue(executor, *ports.orders, clock, kJoinedBelow);
    ports.results = create_memory_result_feed(hub, std::move(executor));
    ports.log_end = [] { return std::nullopt; };
    ports.probes = {
        {ServiceProbe::Role::store, std::move(stores.ping), "look at the disk under data_dir"},
    };
    return ports;
  };
  const auto make_view_ports = [lanes](const asio::any_io_executor&) {
    Ports ports;
    ports.inventory = create_memory_inventory(lanes);
    return ports;
  };
  Backend backend;
  backend.http_ports = std::bind_front(make_ports, "http.store");
  backend.control_ports = std::bind_front(make_ports, "control.store");
  backend.shop_ports = std::bind_front(make_ports, "shop.store");
  backend.audit_ports = std::bind_front(make_ports, "audits.store");
  backend.view_ports = make_view_ports;
  return backend;
}

}  // namespace sluice
