#include "sluice/orders/order_store.hpp"

namespace sluice {

std::optional<Errc> check_apply(In<OrderMessage> messages,
                                const std::optional<OffsetRange>& range) {
  if (messages.size() > kMessagesMax) return Errc::overloaded;
  if (!range) return std::nullopt;
  if (range->fences.size() > kMessagesMax) return Errc::overloaded;
  // Only a stretch without records runs backwards: the log was cut, or began anew.
  const bool records = !messages.empty() || !range->fences.empty();
  const bool valid = !range->topic.empty() && range->partition >= 0 && range->begin >= 0 &&
                     range->next >= (records ? range->begin : 0);
  return valid ? std::nullopt : std::optional(Errc::invalid);
}

}  // namespace sluice
