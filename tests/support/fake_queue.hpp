#pragma once

#include <functional>
#include <vector>

#include "sluice/orders/order_queue.hpp"
#include "sluice/orders/order_store.hpp"

#include "support/fake_step.hpp"

namespace sluice::test {

/// A queue that keeps what it is sent and answers as it is told. One thread.
class FakeQueue final : public OrderQueue {
 public:
  bool decides() const noexcept override { return decides_at_once; }
  Task<std::vector<Receipt>> publish(Ticks deadline, In<OrderMessage> messages) override;

  Task<> fence(Ticks deadline, Fence fence) override;

  FakeStep on_publish;
  FakeStep on_fence;
  bool decides_at_once = false;

  /// The receipt of one message; `queued` without it.
  std::function<Receipt(const OrderMessage&)> receipt;

  /// Where fences are raised at once; they are only noted without it.
  OrderStore* raise_in = nullptr;

  std::vector<std::vector<OrderMessage>> published;  ///< The messages of every call.
  std::vector<Fence> fences;                         ///< Every fence that was taken.
};

/// Receipts to put into `FakeQueue::receipt`.
Receipt queued();
Receipt unacknowledged();
Receipt decided(const OrderMessage& message, OrderStatus status,
                RejectReason reason = RejectReason::none);

}  // namespace sluice::test
