#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sluice/catalog/sale_store.hpp"
#include "sluice/orders/late_orders.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/recovery/control_store.hpp"

#include "support/fake_step.hpp"

namespace sluice::test {

/// The truth as plain maps, with the promises of the port and one `FakeStep` for each operation
/// that a test directs. One thread.
class FakeOrderStore : public OrderStore {
 public:
  struct Late {
    LateOrder order;
    RejectReason reason = RejectReason::none;
  };

  struct Lane {
    std::int64_t stock = 0;
    Epoch fence = 1;
    Epoch newest = 1;
    Epoch by_store = 0;
    Epoch suspect = 0;
    Epoch unopened = 0;  ///< Allotted to a leader, and nobody began to open it.
    LaneWindow window;
    std::int64_t returning = 0;           ///< Units in the outbox.
    std::uint64_t returned = 0;           ///< Units that ever came back.
    std::optional<std::int64_t> initial;  ///< Without it the audit always finds them conserved.
  };

  struct Applied {
    std::vector<OrderMessage> messages;
    std::optional<OffsetRange> range;
  };

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override;
  Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) override;
  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override;
  Task<LaneHead> head(Ticks deadline, LaneId lane) override;
  Task<std::vector<std::pair<LaneId, LaneHead>>> heads(Ticks deadline, In<SaleId> sales) override;
  Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority,
                         std::optional<Term> leader) override;
  Task<> begin_opening(Ticks deadline, Fence fence, Term leader) override;
  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen,
                     std::optional<Term> leader) override;
  Task<> suspect(Ticks deadline, LaneId lane) override;
  Task<StoredImage> image(Ticks deadline, LaneId lane) override;
  Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) override;
  Task<std::vector<UserId>> winners(Ticks deadline, LaneId lane, std::string after,
                                    std::size_t max) override;
  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override;
  Task<LogProgress> progress(Ticks deadline, std::string topic, std::int32_t partitions) override;
  Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) override;

  /// The outcome of one message, and its row. A new rejection that proves a wrong projection makes
  /// the epoch suspect.
  Outcome decide(const OrderMessage& message);

  FakeStep on_apply;
  FakeStep on_find;
  FakeStep on_find_live;
  FakeStep on_head;
  FakeStep on_heads;
  FakeStep on_winners;
  FakeStep on_next_epoch;
  FakeStep on_begin_opening;
  FakeStep on_raise_fence;
  FakeStep on_suspect;
  FakeStep on_image;
  FakeStep on_image_page;
  std::size_t image_page_orders = kImagePageMax;  ///< Of each page.
  std::size_t images_open = 0;                    ///< Snapshots that somebody holds.
  FakeStep on_standing;
  FakeStep on_progress;
  FakeStep on_audit;

  std::map<LaneId, Lane> lanes;
  std::optional<Term> term;  ///< The leader's; empty: any is.
  std::map<OrderId, Order> orders;
  std::map<OrderId, Late> late;  ///< Of `FakeLateOrders`.
  TimePoint now{};               ///< When a late order is noted.
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> positions;
  std::optional<TimePoint> applied;  ///< The log time that `progress` answers.

  std::vector<Applied> apply_calls;               ///< Every call of `apply`.
  std::vector<std::vector<OrderKey>> find_calls;  ///< The keys of every call of `find`.

 private:
  Outcome park(const OrderMessage& message);
  bool waits(LaneId lane) const;
  std::optional<Order> late_order(const OrderKey& key) const;
  const Order* live_order(SaleId sale, const UserId& user) const;
  bool leads(std::optional<Term> leader) const;
  void raise(const Fence& fence);
};

/// The late orders of a `FakeOrderStore`.
class FakeLateOrders final : public LateOrders {
 public:
  explicit FakeLateOrders(FakeOrderStore& store) : store_(store) {}

  Task<> note(Ticks deadline, In<OrderKey> orders) override;
  Task<std::vector<LateOrder>> undecided(Ticks deadline, std::int64_t after,
                                         std::size_t max) override;
  Task<> refuse(Ticks deadline, In<LateRefusal> refusals, Term leader) override;

  FakeStep on_note;
  FakeStep on_undecided;
  FakeStep on_refuse;

  std::size_t notes = 0;  ///< Calls of `note`.

 private:
  FakeOrderStore& store_;
};

/// Sales in a map, numbered from 1.
class FakeSaleStore final : public SaleStore {
 public:
  Task<Sale> create(Ticks deadline, SaleDraft draft) override;
  Task<std::vector<Sale>> list(Ticks deadline, SaleFilter which, SaleId before,
                               std::size_t max) override;
  Task<std::uint64_t> last_change(Ticks deadline) override;
  Task<std::vector<Sale>> changed(Ticks deadline, std::uint64_t after, std::size_t max) override;
  Task<std::vector<Sale>> find(Ticks deadline, std::vector<SaleId> sales) override;
  Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) override;
  Task<Sale> set_state(Ticks deadline, SaleId sale, SaleState state) override;
  Task<> finish(Ticks deadline, std::vector<SaleId> sales) override;

  FakeStep on_create;
  FakeStep on_list;  ///< Also of `last_change`.
  FakeStep on_changed;
  FakeStep on_get;
  FakeStep on_find;
  FakeStep on_set_state;
  FakeStep on_finish;
  /// Whether nothing of a closed sale may move any more.
  std::function<bool(SaleId)> is_over = [](SaleId) { return true; };

  /// A test may change them at will.
  std::map<SaleId, Sale> sales;

 private:
  /// Numbers what a test changed.
  void count_changes();

  std::map<SaleId, Sale> counted_;
  std::uint64_t newest_ = 0;
};

/// The leader's lease and the standby's, whose times the test ends by clearing their holders.
class FakeControlStore final : public ControlStore {
 public:
  Task<Lease> acquire(Ticks deadline, std::string name, std::string holder, Millis ttl) override;
  Task<> release(Ticks deadline, std::string name, std::string holder) override;
  Task<std::string> requested(Ticks deadline, std::string name) override;
  Task<> request(Ticks deadline, std::string name, std::string value) override;

  FakeStep on_acquire;
  FakeStep on_wish;
  std::map<std::string, std::string> requests;
  std::string holder;
  std::uint64_t term = 0;
  std::string standby;
};

}  // namespace sluice::test
