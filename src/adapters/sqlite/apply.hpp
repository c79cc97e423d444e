#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sluice/orders/order_store.hpp"

#include "adapters/sqlite/connection.hpp"

namespace sluice::sqlite {

/// Who leads, within a transaction.
struct Leader {
  Connection& c;
  Statement term_{c, "SELECT 1 FROM leases WHERE name = ?1 AND term = ?2"};

  /// Whether that is the leader's term, if one is given.
  bool holds(std::optional<Term> term) {
    return !term || term_.first<bool>(kLeaderLease, static_cast<std::int64_t>(*term));
  }
};

/// Decides batches of messages and changes what decides for a lane: the one place that makes
/// orders. Its functions are those of `OrderStore` and throw `Failure`, too.
class Apply {
 public:
  explicit Apply(Connection& connection) : connection_(connection) {}

  Result<std::vector<Outcome>> run(In<OrderMessage> messages,
                                   const std::optional<OffsetRange>& range);
  Result<void> raise_fence(const Fence& fence, std::optional<Epoch> seen,
                           std::optional<Term> leader);
  Result<void> suspect(LaneId lane);
  Result<std::int64_t> position(const std::string& topic, std::int32_t partition);

 private:
  /// A lane as it stands within the transaction.
  struct Lane {
    Epoch fence_epoch = 0;
    bool store_sells = false;
    bool suspect = false;  ///< This batch proved the projection wrong.
    std::int64_t stock = 0;
    std::int64_t limit = 0;  ///< Units per order.
    Millis pay_within{0};    ///< See `SaleDraft`.
    std::int64_t taken = 0;  ///< Of `stock`, by this batch.

    friend auto columns(Lane& v) {
      return std::tie(v.stock, v.fence_epoch, v.limit, v.store_sells, v.pay_within);
    }
  };

  Outcome decide(const OrderMessage& message);
  /// What is known of an order behind the fence without a row; empty when it is decided anew.
  std::optional<Outcome> decide_late(const OrderMessage& message, Epoch fence);
  Outcome reject_new(const OrderMessage& message, Lane& lane, RejectReason reason);
  Outcome insert(const OrderMessage& message, OrderStatus status, RejectReason reason,
                 std::optional<TimePoint> pay_by = std::nullopt);
  void write_lanes();

  Connection& connection_;
  std::unordered_map<LaneId, std::optional<Lane>> lanes_;  ///< Those that were looked for.
  Statement lane_{connection_,
                  "SELECT stock, fence_epoch, limit_per_order,"
                  " store_epoch = fence_epoch, pay_within_ms FROM product_stock"
                  " JOIN sales USING (sale_id) WHERE sale_id = ?1 AND lane = ?2"};
  Statement insert_{
      connection_,
      "INSERT INTO orders (order_id, sale_id, lane, user_id, quantity, status, reason,"
      " epoch, reserved_at_ms, pay_by_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"};
  Statement order_{
      connection_,
      "SELECT order_id, sale_id, user_id, status, reason FROM orders WHERE order_id = ?1"};
  Statement late_{connection_,
                  "SELECT order_id, sale_id, user_id, reason FROM late_orders WHERE order_id = ?1"};
  Statement park_{
      connection_,
      "INSERT INTO late_orders (order_id, sale_id, lane, user_id, quantity, epoch, reserved_at_ms,"
      " noted_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (order_id) DO UPDATE"
      " SET quantity = ?5, reserved_at_ms = ?7 WHERE quantity = 0"};
  /// Ends a late order whose user got another one since, under a later epoch, that is over.
  Statement supersede_{
      connection_,
      "UPDATE late_orders AS l SET reason = 'duplicate' WHERE order_id = ?1 AND reason = 'none'"
      " AND EXISTS (SELECT 1 FROM orders AS o WHERE o.sale_id = l.sale_id"
      " AND o.user_id = l.user_id AND o.status IN ('cancelled', 'expired')"
      " AND o.epoch > l.epoch)"};
  Statement forget_late_{connection_, "DELETE FROM late_orders WHERE order_id = ?1"};
  Statement live_{connection_,
                  "SELECT 1 FROM orders WHERE sale_id = ?1 AND user_id = ?2"
                  " AND status IN ('queued', 'confirmed', 'paid')"};
  Statement take_{connection_,
                  "UPDATE product_stock SET stock = stock - ?3"
                  " WHERE sale_id = ?1 AND lane = ?2 AND stock >= ?3"};
  Statement suspect_{connection_,
                     "UPDATE product_stock SET suspect_epoch = fence_epoch"
                     " WHERE sale_id = ?1 AND lane = ?2"};
  Statement raise_{connection_,
                   "UPDATE product_stock SET fence_epoch = ?3 WHERE sale_id = ?1 AND lane = ?2"
                   " AND fence_epoch < ?3 AND newest_epoch >= ?3"};
  Statement position_{
      connection_,
      "SELECT coalesce(max(next), 0) FROM queue_offsets WHERE topic = ?1 AND partition = ?2"};
  Statement move_{connection_,
                  "INSERT INTO queue_offsets (topic, partition, next, log_time_ms)"
                  " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (topic, partition) DO UPDATE SET"
                  " next = ?3, log_time_ms = max(log_time_ms, ?4)"};
};

}  // namespace sluice::sqlite
