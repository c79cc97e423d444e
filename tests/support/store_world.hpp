#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>

#include "sluice/catalog/sale_store.hpp"
#include "sluice/orders/late_orders.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/recovery/control_store.hpp"

namespace sluice::test {

/// The stores of one adapter over one database.
struct StoreSet {
  std::unique_ptr<OrderStore> orders;
  std::unique_ptr<OrderTransitions> moves;
  std::unique_ptr<LateOrders> late;
  std::unique_ptr<SaleStore> sales;
  std::unique_ptr<ControlStore> control;
};

/// One fresh, empty, migrated database of an adapter, which the destructor removes.
class StoreWorld {
 public:
  virtual ~StoreWorld() = default;

  /// Opens the stores, on `thread_context()` if they live on an executor. The set is used by the
  /// calling thread alone. Called again after the first
  /// set was destroyed, and while it lives if `concurrent()`, also from other threads; it must then
  /// reach the same data.
  virtual StoreSet open() = 0;

  /// True when several sets may be open on the same database at once. The contract tests about
  /// concurrent instances run only then.
  virtual bool concurrent() const = 0;

  /// Lets a moment of the store's time go by, for a test that waits for an event.
  virtual void pass() { std::this_thread::sleep_for(Millis(20)); }
};

/// How the contract suites make an adapter's world. The suites are registered at static
/// initialisation by one source of the adapter's test program:
///
///     const test::StoreContract kSqlite{"Sqlite", [] { return std::make_unique<SqliteWorld>(); }};
///     const bool kOrders = test::register_order_store_contract(kSqlite);
///     const bool kMoves = test::register_order_moves_contract(kSqlite);
///     const bool kSales = test::register_sale_store_contract(kSqlite);
///     const bool kControl = test::register_control_store_contract(kSqlite);
///
/// The tests then appear as `Contract/OrderStoreContract.…/Sqlite`.
struct StoreContract {
  std::string name;  ///< Letters and digits.
  std::function<std::unique_ptr<StoreWorld>()> make;
};

inline void PrintTo(const StoreContract& contract, std::ostream* out) { *out << contract.name; }

}  // namespace sluice::test
