#pragma once

#include <cstddef>
#include <optional>

#include "sluice/base/result.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

/// The most messages, fences or keys of one call to an `OrderStore`.
inline constexpr std::size_t kMessagesMax = 4'096;

/// Why no store may apply a batch, the same for all of them: `Errc::overloaded` or `Errc::invalid`;
/// empty when it may.
std::optional<Errc> check_apply(In<OrderMessage> messages, const std::optional<OffsetRange>& range);

}  // namespace sluice
