#include "sluice/adapters/sqlite/stores.hpp"

#include <utility>

#include "adapters/sqlite/open.hpp"
#include "adapters/sqlite/stores.hpp"

namespace sluice {

SqliteStores create_sqlite_stores(const SqliteSettings& settings, std::shared_ptr<Clock> clock) {
  auto database = sqlite::open_database(settings, std::move(clock));
  SqliteStores stores;
  stores.orders = sqlite::create_order_store(database);
  stores.moves = sqlite::create_order_transitions(database);
  stores.sales = sqlite::create_sale_store(database);
  stores.control = sqlite::create_control_store(database);
  return stores;
}

}  // namespace sluice
