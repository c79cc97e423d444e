#include <memory>
#include <mutex>

#include "adapters/sqlite/sqlite_support.hpp"
#include "support/control_store_contract.hpp"
#include "support/order_store_contract.hpp"
#include "support/order_transitions_contract.hpp"
#include "support/sale_store_contract.hpp"
#include "support/temp_folder.hpp"

namespace sluice::test {
namespace {

class SqliteWorld final : public StoreWorld {
 public:
  StoreSet open() override {
    auto stores = stores_on(database());
    StoreSet set;
    set.orders = std::move(stores.orders);
    set.moves = std::move(stores.moves);
    set.late = std::move(stores.late);
    set.sales = std::move(stores.sales);
    set.control = std::move(stores.control);
    return set;
  }

  bool concurrent() const override { return true; }

 private:
  /// The open file, while stores use it.
  std::shared_ptr<SqliteDatabase> database() {
    const std::lock_guard lock(mutex_);
    auto database = database_.lock();
    if (!database) database_ = database = open_sqlite({folder_.path("sluice.db")});
    return database;
  }

  TempFolder folder_;
  std::mutex mutex_;
  std::weak_ptr<SqliteDatabase> database_;
};

const StoreContract kSqlite{"Sqlite", [] { return std::make_unique<SqliteWorld>(); }};
[[maybe_unused]] const bool kOrders = register_order_store_contract(kSqlite);
[[maybe_unused]] const bool kMoves = register_order_moves_contract(kSqlite);
[[maybe_unused]] const bool kSales = register_sale_store_contract(kSqlite);
[[maybe_unused]] const bool kControl = register_control_store_contract(kSqlite);

}  // namespace
}  // namespace sluice::test
