#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "sluice/base/time.hpp"

namespace sluice {

/// Every reason for which a client is refused. `problem()` gives its stable name, its HTTP status
/// and its meaning; docs/protocol.md lists the same table.
enum class Code {
  // The request itself.
  malformed_request,
  header_too_large,
  body_too_large,
  request_timeout,
  method_not_allowed,
  unsupported_media_type,
  not_found,
  invalid_json,
  duplicate_member,
  unknown_member,
  invalid_quantity,
  quantity_over_limit,
  invalid_parameter,
  // Who asks.
  missing_token,
  invalid_token,
  expired_token,
  forbidden,
  // What is asked for.
  unknown_sale,
  unknown_order,
  sale_not_started,
  sale_ended,
  sale_paused,
  sale_closed,
  sold_out_for_now,
  sold_out,
  insufficient_stock,
  order_undecided,
  order_final,
  // Too much, or not now.
  too_many_connections,
  rate_limited,
  busy,
  not_ready,
  draining,
  outcome_unknown,
  internal_error,
  // Operators only.
  invalid_sale,
  invalid_state,
  conflict,
};

struct Problem {
  Code code;
  std::string_view name;   ///< Stable: clients match on it.
  unsigned status;         ///< The HTTP status.
  bool retryable;          ///< The same request may succeed later.
  std::string_view title;  ///< One sentence for a person.
};

const Problem& problem(Code code) noexcept;

/// The whole table, in the order of `Code`.
std::span<const Problem> problems() noexcept;

/// A refusal as the gate and the use cases give it.
struct Refusal {
  Code code = Code::internal_error;
  Millis retry_after{0};  ///< Zero: no hint.
};

}  // namespace sluice
