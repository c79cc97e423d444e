#include <memory>

#include "sluice/adapters/sqlite/stores.hpp"

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
    SqliteSettings settings;
    settings.path = folder_.path("sluice.db");
    auto stores = create_sqlite_stores(settings);
    StoreSet set;
    set.orders = std::move(stores.orders);
    set.moves = std::move(stores.moves);
    set.sales = std::move(stores.sales);
    set.control = std::move(stores.control);
    return set;
  }

  bool concurrent() const override { return false; }

 private:
  TempFolder folder_;
};

const StoreContract kSqlite{"Sqlite", [] {
                              return std::make_unique<SqliteWorld>();
                            }};
[[maybe_unused]] const bool kOrders = register_order_store_contract(kSqlite);
[[maybe_unused]] const bool kMoves = register_order_moves_contract(kSqlite);
[[maybe_unused]] const bool kSales = register_sale_store_contract(kSqlite);
[[maybe_unused]] const bool kControl = register_control_store_contract(kSqlite);

}  // namespace
}  // namespace sluice::test
