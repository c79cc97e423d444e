#pragma once

#include "sluice/domain/order.hpp"

#include "adapters/sqlite/database.hpp"

namespace sluice::sqlite {

/// Values as tables hold them; each throws `Failure` when the text is none of its names.
inline OrderStatus status_of(std::string_view text) {
  if (const auto status = parse_order_status(text)) return *status;
  throw Failure(Errc::invalid, SQLITE_CORRUPT, "an order has an unknown status");
}

inline RejectReason reason_of(std::string_view text) {
  if (const auto reason = parse_reject_reason(text)) return *reason;
  throw Failure(Errc::invalid, SQLITE_CORRUPT, "an order has an unknown reason");
}

inline UserId user_of(std::string_view text) {
  if (auto user = UserId::parse(text)) return *std::move(user);
  throw Failure(Errc::invalid, SQLITE_CORRUPT, "an order has an invalid user");
}

}  // namespace sluice::sqlite
