#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/order.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

/// The most transitions, orders, lanes or rows of one call to `OrderTransitions`.
inline constexpr std::size_t kMovesMax = 1'024;

/// A step that is wished for an order.
struct Transition {
  OrderKey order;
  Move move = Move::pay;
};

/// What happens to orders after they are confirmed, in the store. Units of an order that ends
/// return to its lane there, and a row of the outbox, written in the same transaction, tells the
/// inventory. Nothing blocks: calls are answered by their deadline. An instance belongs to one
/// executor.
class OrderTransitions {
 public:
  virtual ~OrderTransitions() = default;

  /// Each transition is a compare-and-set on a confirmed order, in order, all in one transaction;
  /// `expire` also needs `pay_by` to be over by the store's clock. Answers each order as its row is
  /// then, moved or not; empty when it is not that user's in that sale. Doing it again changes
  /// nothing. `Errc::unknown` when the commit's answer was lost. At most `kMovesMax` transitions.
  virtual Task<std::vector<std::optional<Order>>> move(Ticks deadline,
                                                       In<Transition> transitions) = 0;

  /// Confirmed orders whose `pay_by` is over by the store's clock, the longest overdue first, at
  /// most `max` (up to `kMovesMax`).
  virtual Task<std::vector<OrderKey>> due(Ticks deadline, std::size_t max) = 0;

  /// Lanes with rows in the outbox, in order, at most `max` (up to `kMovesMax`).
  virtual Task<std::vector<LaneId>> returning(Ticks deadline, std::size_t max) = 0;

  /// The outbox of a lane: settlements that give back, the oldest first, at most `max` (up to
  /// `kMovesMax`).
  virtual Task<std::vector<Settlement>> outbox(Ticks deadline, LaneId lane, std::size_t max) = 0;

  /// Forgets rows of the outbox that the lane's inventory took under `taken.epoch`, if that is the
  /// last epoch allotted to the lane; else `Errc::stale` and they stay: the picture from which a
  /// later epoch opens may be older than they are. Rows that are gone are no error. At
  /// most `kMovesMax` orders.
  virtual Task<> relayed(Ticks deadline, Fence taken, In<OrderId> orders) = 0;
};

}  // namespace sluice
