#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/domain/order.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

/// A message of the log that is no order: kept for a person to look at.
struct Poison {
  std::string bytes;
  std::string why;
};

/// A stretch of one partition. An empty one (begin == next) says that the partition has nothing
/// more up to `range.log_time`; none at all (no range) that nothing is assigned or arrived.
struct Delivery {
  std::vector<OrderMessage> messages;
  std::vector<Poison> poison;
  std::optional<OffsetRange> range;
};

/// The log as one consumer sees it. It belongs to one thread; calls may block it.
class OrderFeed {
 public:
  virtual ~OrderFeed() = default;

  /// The next stretch of some assigned partition, at most `max` messages. It waits up to `deadline`
  /// for the first message. Positions come from the store, never from the broker.
  virtual Task<Delivery> next(Ticks deadline, std::size_t max) = 0;

  /// Gives all partitions away at once, for other consumers to take; `next` asks for some again.
  virtual Task<> leave(Ticks deadline) = 0;

  /// Reads the partition of `range` again from the store's position: the last delivery was not
  /// applied.
  virtual Task<> rewind(Ticks deadline, OffsetRange range) = 0;

  /// Keeps poison where an operator finds it, with the reason and where it was; durably.
  virtual Task<> dead_letter(Ticks deadline, const OffsetRange& range, In<Poison> poison) = 0;
};

}  // namespace sluice
