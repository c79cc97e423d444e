#include "sluice/orders/order_queue.hpp"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

constexpr Step kPublish{"publish"};

bool is_open(const Receipt& receipt) { return receipt.kind == Receipt::Kind::unknown; }

class FailoverQueue final : public OrderQueue {
 public:
  FailoverQueue(OrderQueue& log, OrderQueue& direct, Breaker& breaker, Clock& clock)
      : log_(log), direct_(direct), breaker_(breaker), clock_(clock) {}

  bool decides() const noexcept override {
    return breaker_.state(clock_.ticks()) != Breaker::State::closed;
  }

  Task<std::vector<Receipt>> publish(Ticks deadline, In<OrderMessage> messages) override {
    auto receipts = co_await log_.publish(deadline, messages);
    // Without a permit, or with a refusal, nothing was sent: the direct way cannot come second.
    if (receipts || receipts.error() == Errc::invalid) co_return receipts;
    co_return co_await direct_.publish(deadline, messages);
  }

  Task<> fence(Ticks deadline, Fence fence) override {
    co_return co_await log_.fence(deadline, fence);
  }

 private:
  OrderQueue& log_;
  OrderQueue& direct_;
  Breaker& breaker_;
  Clock& clock_;
};

}  // namespace

Task<std::vector<Receipt>> publish_through(Dependency& dependency, Ticks deadline,
                                           std::size_t messages,
                                           Dependency::Operation<std::vector<Receipt>> publish) {
  using Receipts = std::vector<Receipt>;
  Dependency::Operation<Receipts> judged = [&publish]() -> Task<Receipts> {
    auto receipts = co_await publish();
    if (receipts && !receipts->empty() && std::ranges::all_of(*receipts, is_open)) {
      co_return Errc::unknown;
    }
    co_return receipts;
  };
  auto receipts = co_await dependency.call<Receipts>(kPublish, deadline, std::move(judged));
  // A queue tells of a lost answer in the receipts.
  if (!receipts && receipts.error() == Errc::unknown) co_return Receipts(messages);
  co_return receipts;
}

std::unique_ptr<OrderQueue> create_failover_queue(OrderQueue& log, OrderQueue& direct,
                                                  Breaker& breaker, Clock& clock) {
  return std::make_unique<FailoverQueue>(log, direct, breaker, clock);
}

}  // namespace sluice
