#pragma once

#include <memory>

#include "sluice/catalog/sale_store.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/recovery/control_store.hpp"

#include "adapters/sqlite/database.hpp"

namespace sluice::sqlite {

std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Database> database);
std::unique_ptr<OrderTransitions> create_order_transitions(std::shared_ptr<Database> database);
std::unique_ptr<SaleStore> create_sale_store(std::shared_ptr<Database> database);
std::unique_ptr<ControlStore> create_control_store(std::shared_ptr<Database> database);

}  // namespace sluice::sqlite
