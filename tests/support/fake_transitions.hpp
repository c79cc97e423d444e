#pragma once

#include <cstddef>
#include <vector>

#include "sluice/base/time.hpp"
#include "sluice/orders/order_transitions.hpp"

#include "support/fake_step.hpp"
#include "support/fake_store.hpp"

namespace sluice::test {

/// What happens to the orders of a `FakeOrderStore` after they are confirmed, with the promises of
/// the port and one `FakeStep` for each operation that a test directs. `clock` is the store's.
class FakeOrderTransitions final : public OrderTransitions {
 public:
  struct Row {
    LaneId lane;
    Settlement settlement;
  };
  struct Relayed {
    Fence taken;
    std::vector<OrderId> orders;
  };

  FakeOrderTransitions(FakeOrderStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  Task<std::vector<std::optional<Order>>> move(Ticks deadline, In<Transition> transitions) override;
  Task<std::vector<OrderKey>> due(Ticks deadline, std::size_t max) override;
  Task<std::vector<LaneId>> returning(Ticks deadline, std::size_t max) override;
  Task<std::vector<Settlement>> outbox(Ticks deadline, LaneId lane, std::size_t max) override;
  Task<> relayed(Ticks deadline, Fence taken, In<OrderId> orders) override;

  FakeStep on_move;
  FakeStep on_due;
  FakeStep on_returning;
  FakeStep on_outbox;
  FakeStep on_relayed;

  std::vector<Row> rows;  ///< The outbox, the oldest first.

  std::vector<std::vector<Transition>> move_calls;  ///< Every call of `move`.
  std::vector<Relayed> relayed_calls;               ///< Every call of `relayed`.

 private:
  std::optional<Order> move_one(const Transition& transition);

  FakeOrderStore& store_;
  const Clock& clock_;
};

}  // namespace sluice::test
