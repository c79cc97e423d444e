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
#include "sluice/orders/late_orders.hpp"
#include "sluice/orders/order_queue.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/recovery/control_store.hpp"
#include "sluice/recovery/isolation.hpp"
#include "sluice/recovery/lane_reconciler.hpp"
#include "sluice/recovery/service_probes.hpp"
#include "sluice/settings/settings.hpp"

#include "app/guards.hpp"

namespace sluice {

/// What one thread needs, on that thread's executor; null what it has no use for. The ports refer
/// to the dependencies, the ways out of the thread, and the feed to the orders.
struct Ports {
  std::vector<std::unique_ptr<Dependency>> dependencies;
  std::unique_ptr<Inventory> inventory;
  /// The same for look-ups, which must not hold purchases up; null where `inventory` serves both.
  std::unique_ptr<Inventory> look_ups;
  std::shared_ptr<OrderQueue> queue;
  std::unique_ptr<OrderStore> orders;
  std::unique_ptr<OrderTransitions> moves;
  std::unique_ptr<LateOrders> late;
  std::unique_ptr<SaleStore> sales;
  std::unique_ptr<ControlStore> control;
  std::unique_ptr<ResultFeed> results;
  std::unique_ptr<OrderFeed> feed;
  /// The other pair, for degraded modes; null where there are none.
  std::unique_ptr<Inventory> store_inventory;
  std::shared_ptr<OrderQueue> direct;
  std::vector<ServiceProbe> probes;
  /// Records ever written to the log; empty when not known now.
  std::function<std::optional<std::int64_t>()> log_end;
  Heartbeat heartbeat;
};

/// The adapters of one mode: what makes the ports of a thread on its executor.
struct Backend {
  using MakePorts = std::function<Ports(boost::asio::any_io_executor)>;

  MakePorts http_ports;
  MakePorts control_ports;
  MakePorts view_ports;         ///< What reads the winners of lanes that are sold out.
  MakePorts fulfilment_ports;   ///< Of a thread that turns the log into orders.
  MakePorts shop_ports;         ///< Of the thread on which shops pay: the stores alone.
  MakePorts audit_ports;        ///< Of audits: the stores alone.
  std::optional<OrderLog> log;  ///< Empty where the queue decides at once.

  /// Waits up to `bound` for what is on its way to the queue. Nothing is published after this.
  std::function<void(Millis bound)> flush = [](Millis) {};
};

/// Memory and SQLite, or Redis, Kafka and Postgres, as the settings say. `guards` and `metrics`
/// outlive it. Services that do not answer yet are no error: the node stays unready and keeps
/// trying. Throws with a sentence for the operator when a setting is refused or the data folder
/// cannot be used.
Backend create_embedded_backend(const Settings& settings, std::shared_ptr<Clock> clock,
                                Guards& guards, Metrics& metrics);
Backend create_services_backend(const Settings& settings, std::shared_ptr<Clock> clock,
                                Guards& guards, Metrics& metrics);

}  // namespace sluice
