#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "sluice/base/metrics.hpp"
#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_store.hpp"
#include "sluice/dependency/dependency.hpp"
#include "sluice/fulfilment/order_feed.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_queue.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/recovery/control_store.hpp"
#include "sluice/recovery/lane_reconciler.hpp"
#include "sluice/recovery/service_probes.hpp"
#include "sluice/settings/settings.hpp"

#include "app/guards.hpp"

namespace sluice {

/// The ways out of one thread; its ports refer to them.
using Dependencies = std::vector<std::unique_ptr<Dependency>>;

inline Dependency& add_dependency(Dependencies& all, DependencySettings settings, Clock& clock,
                                  Metrics& metrics, Breaker* breaker = nullptr) {
  return *all.emplace_back(
      std::make_unique<Dependency>(std::move(settings), breaker, clock, metrics));
}

/// What one HTTP thread needs, on that thread's executor.
struct HttpPorts {
  Dependencies dependencies;
  std::unique_ptr<Inventory> inventory;
  std::shared_ptr<OrderQueue> queue;
  std::unique_ptr<OrderStore> store;
  std::unique_ptr<OrderTransitions> moves;
  std::unique_ptr<ResultFeed> results;
  /// The other pair, for degraded modes; null where there are none.
  std::unique_ptr<Inventory> store_inventory;
  std::shared_ptr<OrderQueue> direct;
};

/// What the control thread needs.
struct ControlPorts {
  Dependencies dependencies;
  std::unique_ptr<Inventory> inventory;
  std::shared_ptr<OrderQueue> queue;
  std::unique_ptr<OrderStore> orders;
  std::unique_ptr<OrderTransitions> moves;
  std::unique_ptr<SaleStore> sales;
  std::unique_ptr<ControlStore> control;
  std::unique_ptr<ResultFeed> results;
  std::vector<ServiceProbe> probes;
  /// Records ever written to the log; empty when not known now.
  std::function<std::optional<std::int64_t>()> log_end;
};

/// What one fulfilment thread needs. The feed is destroyed first: it refers to the store.
struct FulfilmentPorts {
  Dependencies dependencies;
  std::unique_ptr<Inventory> inventory;
  std::unique_ptr<OrderStore> store;
  std::unique_ptr<ResultFeed> results;
  std::unique_ptr<OrderFeed> feed;
};

/// The adapters of one mode. The ports that it makes refer to it.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual HttpPorts http_ports(boost::asio::any_io_executor executor) = 0;
  virtual ControlPorts control_ports(boost::asio::any_io_executor executor) = 0;

  /// How many threads turn the log into orders; 0 where the queue decides at once.
  virtual unsigned fulfilment_workers() const = 0;
  virtual FulfilmentPorts fulfilment_ports(boost::asio::any_io_executor executor) = 0;

  virtual std::optional<OrderLog> log() const = 0;

  /// Waits up to `bound` for what is on its way to the queue. Nothing is published after this.
  virtual void flush(Millis bound) = 0;
};

/// Memory and SQLite, or Redis, Kafka and Postgres, as the settings say. `guards` and `metrics`
/// outlive it. Services that do not answer yet are no error: the node stays unready and keeps
/// trying. Throws with a sentence for the operator when a setting is refused or the data folder
/// cannot be used.
std::unique_ptr<Backend> create_embedded_backend(const Settings& settings,
                                                 std::shared_ptr<Clock> clock, Guards& guards,
                                                 Metrics& metrics);
std::unique_ptr<Backend> create_services_backend(const Settings& settings,
                                                 std::shared_ptr<Clock> clock, Guards& guards,
                                                 Metrics& metrics);

}  // namespace sluice
