#pragma once

#include "sluice/domain/order.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice {

/// Says in the log what the store made of each order, and which request asked for it: at level
/// debug, but what was rejected or parked, of which a few at level info. `outcomes`: one for each
/// message, in order.
void log_decisions(In<OrderMessage> messages, In<Outcome> outcomes);

}  // namespace sluice
