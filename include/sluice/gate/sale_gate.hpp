#pragma once

#include <optional>
#include <variant>

#include "sluice/base/problem.hpp"
#include "sluice/base/random.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/sale.hpp"
#include "sluice/gate/concurrency_limit.hpp"
#include "sluice/gate/rate_limiter.hpp"
#include "sluice/gate/token_buckets.hpp"

namespace sluice {

/// The refusals that depend on the sale: its window and its rate, then the rate_limiter of a
/// degraded node and a publish credit. It decides and never waits. One per thread; what it refers
/// to is shared by all.
class SaleGate {
 public:
  SaleGate(TokenBuckets& sales, ConcurrencyLimit& credits, RateLimiter& rate_limiter,
           Random& random)
      : sales_(sales), concurrency_(credits), limiter_(rate_limiter), random_(random) {}

  /// Before the start nobody can have an order: refused here. After the end, and while paused or
  /// closed, a buyer may ask for an existing order, so the lane answers.
  std::optional<Refusal> admit(const Sale& sale, TimePoint now) const;

  /// The sale's own rate, the node's while it is throttled, and the overload bound; the credit is
  /// held until the purchase is answered.
  std::variant<ConcurrencyLimit::Permit, Refusal> reserve_room(const Sale& sale, Ticks now);

 private:
  TokenBuckets& sales_;
  ConcurrencyLimit& concurrency_;
  RateLimiter& limiter_;
  Random& random_;
};

/// What a buyer is told whom the window does not let through.
Code window_code(WindowPhase phase) noexcept;

}  // namespace sluice
