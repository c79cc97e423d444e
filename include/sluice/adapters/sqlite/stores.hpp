#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_store.hpp"
#include "sluice/dependency/dependency.hpp"
#include "sluice/orders/late_orders.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/recovery/control_store.hpp"

namespace sluice {

struct SqliteSettings {
  std::string path;  ///< The database file, made if missing; its folder must exist.
  /// How long to wait at start for another process to let go of the file.
  Millis lock_wait{2'000};
};

/// An open database file. Thread-safe.
class SqliteDatabase;

/// Opens or creates the file, takes it for this process alone and brings its schema up to date. It
/// is closed when the result and all stores on it are gone. Throws `std::runtime_error` when the
/// file cannot be used: why, in one sentence for the operator that names the file. `clock` tells
/// deadlines and the time of leases.
///
/// The file is used on two threads of its own: one makes all changes, in order of arrival, and
/// joins the orders that wait for it in one transaction, with one fsync; the other reads what is
/// large (an image, an audit) beside that.
std::shared_ptr<SqliteDatabase> open_sqlite(const SqliteSettings& settings,
                                            std::shared_ptr<Clock> clock = system_clock());

/// Stores on the database, for one executor.
struct SqliteStores {
  std::unique_ptr<OrderStore> orders;
  std::unique_ptr<OrderTransitions> moves;
  std::unique_ptr<LateOrders> late;
  std::unique_ptr<SaleStore> sales;
  std::unique_ptr<ControlStore> control;
  std::function<Task<>(Ticks)> ping;  ///< Answers as soon as a change would be made.
};

/// The stores belong to `executor` together and are destroyed before it; nothing blocks. Every call
/// is answered by its deadline, however long the disk takes, and what a call acknowledged survives
/// kill -9 and a loss of power. `dependency` belongs to the same executor and outlives the stores.
///
/// Errors of every call: `Errc::unavailable` (disk full, I/O error, deadline passed) when nothing
/// was done, `Errc::unknown` when the commit's fsync failed or goes on at the deadline. The next
/// call works as soon as the disk does.
SqliteStores create_sqlite_stores(boost::asio::any_io_executor executor,
                                  std::shared_ptr<SqliteDatabase> database, Dependency& dependency);

}  // namespace sluice
