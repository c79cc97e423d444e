#include "adapters/postgres/postgres_world.hpp"
#include "support/control_store_contract.hpp"
#include "support/order_store_contract.hpp"
#include "support/order_transitions_contract.hpp"
#include "support/sale_store_contract.hpp"

namespace sluice::test {
namespace {

const StoreContract kPostgres{"Postgres", [] { return std::make_unique<PostgresWorld>(); }};
const bool kOrders = register_order_store_contract(kPostgres);
const bool kMoves = register_order_moves_contract(kPostgres);
const bool kSales = register_sale_store_contract(kPostgres);
const bool kControl = register_control_store_contract(kPostgres);

}  // namespace
}  // namespace sluice::test
