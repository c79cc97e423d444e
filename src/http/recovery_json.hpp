#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "sluice/operations/operations.hpp"

#include "http/answer.hpp"

namespace sluice::http {

/// A sale's audit with its lanes, as a JSON object.
std::string audit_json(const SaleAudit& audit);

/// How a node sells, as a JSON object.
std::string flow_json(const ModeReport& report);

/// Reads the body of `POST /admin/sales/{id}/rebuild`: whether it has force.
std::variant<bool, Answer> parse_force(std::string_view body);

/// Reads the body of `POST /admin/mode`: the mode to hold, or empty for automatic.
std::variant<std::optional<OperatingMode>, Answer> parse_held_mode(std::string_view body);

}  // namespace sluice::http
