#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sluice/catalog/sale_store.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/recovery/control_store.hpp"

#include "support/fake_step.hpp"

namespace sluice::test {

/// The truth as plain maps, with the promises of the port and one `FakeStep` for each operation
/// that a test directs. One thread.
class FakeOrderStore final : public OrderStore {
 public:
  struct Lane {
    std::int64_t stock = 0;
    Epoch fence = 1;
    LaneWindow window;
  };

  struct Applied {
    std::vector<OrderMessage> messages;
    std::optional<OffsetRange> range;
  };

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override;
  Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) override;
  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override;
  Task<Epoch> fence_epoch(Ticks deadline, LaneId lane) override;
  Task<LaneImage> fence(Ticks deadline, LaneId lane) override;
  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override;
  Task<std::optional<TimePoint>> applied_through(Ticks deadline, std::string topic,
                                                 std::int32_t partitions) override;
  Task<AuditFigures> audit(Ticks deadline, SaleId sale) override;

  /// The outcome of one message, and its row.
  Outcome decide(const OrderMessage& message);

  FakeStep on_apply;
  FakeStep on_find;
  FakeStep on_find_live;
  FakeStep on_fence_epoch;
  FakeStep on_fence;
  FakeStep on_applied_through;

  std::map<LaneId, Lane> lanes;
  std::map<OrderId, Order> orders;
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> positions;
  std::optional<TimePoint> applied;  ///< What `applied_through` answers.

  std::vector<Applied> apply_calls;               ///< Every call of `apply`.
  std::vector<std::vector<OrderKey>> find_calls;  ///< The keys of every call of `find`.

 private:
  const Order* live_order(SaleId sale, const UserId& user) const;
};

/// Sales in a map, numbered from 1.
class FakeSaleStore final : public SaleStore {
 public:
  Task<Sale> create(Ticks deadline, SaleDraft draft) override;
  Task<std::vector<Sale>> list(Ticks deadline, std::size_t max) override;
  Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) override;
  Task<Sale> set_state(Ticks deadline, SaleId sale, SaleState state) override;

  FakeStep on_create;
  FakeStep on_list;
  FakeStep on_set_state;

  std::map<SaleId, Sale> sales;
};

/// One lease, whose time the test ends by clearing `holder`.
class FakeControlStore final : public ControlStore {
 public:
  Task<Lease> acquire(Ticks deadline, std::string name, std::string holder, Millis ttl) override;
  Task<> release(Ticks deadline, std::string name, std::string holder) override;

  FakeStep on_acquire;
  std::string holder;
  std::uint64_t term = 0;
};

}  // namespace sluice::test
