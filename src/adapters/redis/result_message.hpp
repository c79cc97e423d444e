#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/domain/order.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice::redis {

/// Outcomes in one message, at most.
inline constexpr std::size_t kOutcomesMax = 512;

/// {"v":1,"outcomes":[["<order id>","confirmed"],["<order id>","rejected","stock"]]}: the reason
/// only when there is one. At most kOutcomesMax outcomes.
std::string to_json(In<Outcome> outcomes);

/// Empty when the bytes are not such a message with every member valid.
std::optional<std::vector<Outcome>> parse_outcomes(std::string_view json);

}  // namespace sluice::redis
