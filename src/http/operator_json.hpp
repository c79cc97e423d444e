#pragma once

#include <string>

#include "sluice/operations/operations.hpp"

namespace sluice::http {

/// What operators are shown, as JSON objects: an order as its row says,
std::string order_json(const Order& order);

/// a sale's audit with its lanes,
std::string audit_json(const SaleAudit& audit);

/// and how a node sells.
std::string flow_json(const ModeReport& report);

}  // namespace sluice::http
