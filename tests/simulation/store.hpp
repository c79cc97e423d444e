#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/catalog/sale_store.hpp"
#include "sluice/orders/late_orders.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/recovery/control_store.hpp"

#include "simulation/network.hpp"

namespace sluice::simulation {

/// Who says that a lane's projection is wrong.
enum class Accuser : std::uint8_t {
  anybody,     ///< An operator, who just wants it rebuilt.
  auditor,     ///< The audit, which saw it drift.
  divergence,  ///< The transaction that could not decide what was granted.
};

/// The truth, as a database would keep it. Each function is one transaction.
class Store {
 public:
  struct Row {
    OrderMessage message;
    OrderStatus status = OrderStatus::queued;
    RejectReason reason = RejectReason::none;
    std::optional<TimePoint> pay_by{};
  };

  struct Lane {
    std::int64_t initial = 0;
    std::int64_t stock = 0;
    std::uint64_t returned = 0;
    LaneHead head;
    Epoch unopened = 0;  ///< Allotted to a leader, and nobody began to open it.
  };

  struct Late {
    LateOrder order;
    RejectReason reason = RejectReason::none;
  };

  explicit Store(const Clock& clock) : clock_(clock) {}

  /// Called after a transaction that touched the lane.
  std::function<void(LaneId)> on_commit = [](LaneId) {};
  /// Called when an order moved on, within the transaction: what it was before.
  std::function<void(const Row&, OrderStatus)> on_move = [](const Row&, OrderStatus) {};
  /// Called when a lane's epoch is made suspect, before it is.
  std::function<void(LaneId, Accuser)> on_suspicion = [](LaneId, Accuser) {};
  /// Called when an order is parked, within the transaction.
  std::function<void(const OrderMessage&)> on_park = [](const OrderMessage&) {};
  /// Called when a late order ends without units, within the transaction.
  std::function<void(const LateRefusal&)> on_refusal = [](const LateRefusal&) {};
  /// Called when a fence was raised, within the transaction.
  std::function<void(Fence)> on_fence = [](Fence) {};

  Result<std::vector<Outcome>> apply(const std::vector<OrderMessage>& messages,
                                     const std::optional<OffsetRange>& range);
  Result<std::vector<std::optional<Order>>> find(const std::vector<OrderKey>& keys) const;
  Result<std::optional<Order>> find_live(SaleId sale, const UserId& user) const;
  Result<LaneHead> head(LaneId lane) const;
  Result<std::vector<std::pair<LaneId, LaneHead>>> heads(const std::vector<SaleId>& sales) const;
  Result<Epoch> next_epoch(LaneId lane, Authority authority, std::optional<Term> leader);
  Result<void> begin_opening(Fence fence, Term leader);
  Result<void> raise_fence(Fence fence, std::optional<Epoch> seen, std::optional<Term> leader);
  Result<void> suspect(LaneId lane, Accuser accuser);
  /// What a snapshot keeps for its reader.
  struct Image {
    LaneImage lane;
    std::vector<LiveOrder> orders;
  };
  Result<Image> image(LaneId lane) const;
  /// A page of a snapshot: the store has to answer for each.
  Result<ImagePage> image_page(const ImagePage& page) const { return page; }
  Result<std::vector<UserId>> winners(LaneId lane, const std::string& after, std::size_t max) const;
  Result<LaneSnapshot> lane_snapshot(LaneId lane, const std::vector<UserId>& users) const;
  Result<std::int64_t> position(const std::string& topic, std::int32_t partition) const;
  Result<LogProgress> progress(const std::string& topic, std::int32_t partitions) const;
  Result<std::vector<LaneFigures>> audit(SaleId sale) const;

  Result<void> note_late(const std::vector<OrderKey>& orders);
  Result<std::vector<LateOrder>> undecided_late(std::int64_t after, std::size_t max) const;
  Result<void> refuse_late(const std::vector<LateRefusal>& refusals, Term leader);

  Result<std::vector<std::optional<Order>>> move(const std::vector<Transition>& transitions);
  Result<std::vector<OrderKey>> due(std::size_t max) const;
  Result<std::vector<LaneId>> returning(std::size_t max) const;
  Result<std::vector<Settlement>> outbox(LaneId lane, std::size_t max) const;
  Result<void> relayed(Fence taken, const std::vector<OrderId>& orders);

  Result<Sale> create(const SaleDraft& draft);
  Result<std::vector<Sale>> list(SaleFilter which, SaleId before, std::size_t max) const;
  Result<std::uint64_t> last_change() const;
  Result<std::vector<Sale>> changed(std::uint64_t after, std::size_t max) const;
  Result<std::vector<Sale>> find_sales(const std::vector<SaleId>& sales) const;
  Result<std::optional<Sale>> get(SaleId sale) const;
  Result<Sale> set_state(SaleId sale, SaleState state);
  Result<void> finish(const std::vector<SaleId>& sales);

  Result<Lease> acquire(const std::string& name, const std::string& holder, Millis ttl);
  Result<void> release(const std::string& name, const std::string& holder);
  Result<std::string> requested(const std::string& name) const;
  Result<void> request(const std::string& name, const std::string& value);

  // What the checks read past the ports.
  const std::map<SaleId, Sale>& sales() const { return sales_; }
  const std::map<LaneId, Lane>& lanes() const { return lanes_; }
  const std::unordered_map<OrderId, Row>& rows() const { return rows_; }
  const std::unordered_map<OrderId, Late>& late() const { return late_; }
  std::int64_t returning_units(LaneId lane) const;

 private:
  using Buyer = std::pair<SaleId, UserId>;
  struct Position {
    std::int64_t next = 0;
    TimePoint log_time{};
  };
  struct Holder {
    std::string name;
    std::uint64_t term = 0;
    TimePoint until{};
  };

  bool leads(std::optional<Term> leader) const;
  Outcome decide(const OrderMessage& message);
  std::optional<Outcome> decide_late(const OrderMessage& message, Epoch fence);
  void park(const OrderMessage& message);
  /// Its user got another order under a later epoch, and gave that back.
  bool superseded(const OrderMessage& late) const;
  LaneHead head_of(LaneId lane, const Lane& row) const;
  std::optional<Order> late_order(const OrderKey& key) const;
  Outcome insert(const OrderMessage& message, OrderStatus status, RejectReason reason);
  void note_divergence(Lane& lane, const OrderMessage& message);
  bool is_due(const Row& row) const;
  void move_one(const Transition& transition);
  void let_go(const Row& row);
  Order order_of(const Row& row) const;
  std::optional<OrderView> live_view(SaleId sale, const UserId& user) const;

  const Clock& clock_;
  bool is_over(const Sale& sale) const;

  std::map<SaleId, Sale> sales_;
  std::uint64_t last_change_ = 0;
  std::map<LaneId, Lane> lanes_;
  std::unordered_map<OrderId, Row> rows_;
  std::unordered_map<OrderId, Late> late_;
  std::int64_t last_place_ = 0;
  std::map<Buyer, OrderId> live_;
  std::map<LaneId, std::vector<Settlement>> outbox_;  ///< The oldest first; no lane is empty.
  std::map<std::pair<std::string, std::int32_t>, Position> positions_;
  std::map<std::string, Holder> leases_;
  std::map<std::string, std::string> requests_;
};

// The ports of one thread of a node to the store. `accuser`: whom its `suspect` stands for.
std::unique_ptr<OrderStore> create_order_store(Network& network, Caller caller, Store& store,
                                               Accuser accuser = Accuser::anybody);
std::unique_ptr<LateOrders> create_late_orders(Network& network, Caller caller, Store& store);
std::unique_ptr<OrderTransitions> create_order_transitions(Network& network, Caller caller,
                                                           Store& store);
std::unique_ptr<SaleStore> create_sale_store(Network& network, Caller caller, Store& store);
std::unique_ptr<ControlStore> create_control_store(Network& network, Caller caller, Store& store);

}  // namespace sluice::simulation
