#pragma once

#include "sluice/orders/order_queue.hpp"

namespace sluice::test {

/// Publishes through a dependency, as the queues of real logs do.
class ThroughDependency final : public OrderQueue {
 public:
  ThroughDependency(OrderQueue& inner, Dependency& dependency)
      : inner_(inner), dependency_(dependency) {}

  bool decides() const noexcept override { return inner_.decides(); }

  Task<std::vector<Receipt>> publish(Ticks deadline, In<OrderMessage> messages) override {
    auto work = [this, deadline, messages] { return inner_.publish(deadline, messages); };
    return publish_through(dependency_, deadline, messages.size(), std::move(work));
  }

  Task<> fence(Ticks deadline, Fence fence) override { return inner_.fence(deadline, fence); }

 private:
  OrderQueue& inner_;
  Dependency& dependency_;
};

}  // namespace sluice::test
