#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/order.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

/// The most orders of one call to `LateOrders`.
inline constexpr std::size_t kLateMax = 1'000;

/// An order from before its lane's fence that nobody has decided yet.
struct LateOrder {
  /// As the log or a direct write brought it; without a quantity when neither has, and only its
  /// owner named it.
  OrderMessage message;
  TimePoint noted_at{};    ///< By the store's clock.
  std::int64_t place = 0;  ///< Counts them in the order in which they were noted, from 1.

  bool missing() const { return message.quantity == 0; }
};

/// How a late order ends without units.
struct LateRefusal {
  LateOrder order;
  RejectReason reason = RejectReason::none;
};

/// Orders from before their lane's fence. `OrderStore::apply` parks here what comes behind a fence
/// and has no row, and takes away what it decides under a later epoch; `OrderStore::find` knows
/// them as queued, and the refused ones as rejected, for good. The same rules as `OrderStore`.
class LateOrders {
 public:
  virtual ~LateOrders() = default;

  /// Notes orders that their owners ask for and the store does not know, as missing. Nothing for
  /// what is known, or is not behind the fence. `Errc::overloaded` above `kLateMax`.
  virtual Task<> note(Ticks deadline, In<OrderKey> orders) = 0;

  /// The undecided ones behind that place, in order; at most `max` and `kLateMax`.
  virtual Task<std::vector<LateOrder>> undecided(Ticks deadline, std::int64_t after,
                                                 std::size_t max) = 0;

  /// Refuses those that are undecided and still as they were seen. `Errc::stale` when `leader` is
  /// not the leader's term, `Errc::overloaded` above `kLateMax`.
  virtual Task<> refuse(Ticks deadline, In<LateRefusal> refusals, Term leader) = 0;
};

}  // namespace sluice
