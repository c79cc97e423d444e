#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/domain/lane.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice {

/// A stretch of one partition of the log: offsets [begin, next).
struct OffsetRange {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t begin = 0;
  std::int64_t next = 0;
  TimePoint log_time{};  ///< Everything of the partition up to this log time lies before `next`.
};

/// An order looked up by its owner.
struct OrderKey {
  OrderId id;
  SaleId sale = 0;
  UserId user;
};

/// Figures of one sale from one snapshot of the store, for the conservation law.
struct AuditFigures {
  std::int64_t initial = 0;     ///< Units the sale began with.
  std::int64_t stock = 0;       ///< Units left, over all lanes.
  std::int64_t live_units = 0;  ///< Units in live orders.
  std::int64_t live_orders = 0;
  std::int64_t rejected_stock = 0;  ///< Orders rejected for stock.
  std::int64_t rejected_duplicate = 0;
  bool operator==(const AuditFigures&) const = default;
};

/// The truth. Implementations may block: run them where blocking is allowed. An instance belongs to
/// one executor; several instances on the same database may work at once.
class OrderStore {
 public:
  virtual ~OrderStore() = default;

  /// Decides every message, in one transaction and one round trip, and returns one outcome each, in
  /// order. Applying a message again changes nothing and returns the same outcome. Messages below
  /// their lane's fence are `rejected{fenced}`, without a row. An unknown lane is
  /// `rejected{invalid}`, without a row. With `range`, the partition's position moves from `begin`
  /// to `next` in the same transaction; `Errc::stale` when it is elsewhere, and then nothing was
  /// done. The first range of an unknown partition begins at 0. `Errc::unknown` when the commit's
  /// answer was lost. At most 4,096 messages.
  virtual Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                           std::optional<OffsetRange> range) = 0;

  /// The order with that id, if it belongs to that sale and user.
  virtual Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) = 0;

  /// The user's live order in that sale, for `mine`, when no inventory can tell.
  virtual Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) = 0;

  /// The fence of a lane: the lowest epoch that `apply` accepts. `Errc::not_found` without the
  /// lane.
  virtual Task<Epoch> fence_epoch(Ticks deadline, LaneId lane) = 0;

  /// Raises the fence by one and returns the lane as of that instant: what is applied later has the
  /// image's epoch or a later one.
  virtual Task<LaneImage> fence(Ticks deadline, LaneId lane) = 0;

  /// The next offset to read of a partition; 0 when it was never read.
  virtual Task<std::int64_t> position(Ticks deadline, std::string topic,
                                      std::int32_t partition) = 0;

  /// The log time through which every one of the topic's `partitions` partitions is applied; empty
  /// while one of them was never read.
  virtual Task<std::optional<TimePoint>> applied_through(Ticks deadline, std::string topic,
                                                         std::int32_t partitions) = 0;

  virtual Task<AuditFigures> audit(Ticks deadline, SaleId sale) = 0;
};

}  // namespace sluice
