#include "simulation/direct.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace sluice::simulation {
namespace {

constexpr Millis kAgain{50};

class DirectQueue final : public OrderQueue {
 public:
  DirectQueue(OrderStore& store, Clock& clock, CallMeter& meter)
      : store_(store), clock_(clock), meter_(meter) {}

  bool decides() const noexcept override { return true; }

  Task<std::vector<Receipt>> publish(Ticks deadline, In<OrderMessage> messages) override {
    const auto began = clock_.ticks();
    auto receipts = co_await apply(deadline, messages);
    const bool decided = receipts && receipts->front().kind == Receipt::Kind::decided;
    meter_.record(messages.size(), decided, clock_.ticks() - began);
    co_return receipts;
  }

  Task<> fence(Ticks deadline, Fence fence) override {
    return store_.raise_fence(deadline, fence, std::nullopt);
  }

 private:
  Task<std::vector<Receipt>> apply(Ticks deadline, In<OrderMessage> messages) {
    std::vector<Receipt> receipts(messages.size());
    bool doubt = false;
    for (;;) {
      const auto outcomes = co_await store_.apply(deadline, messages, std::nullopt);
      if (outcomes) {
        for (std::size_t i = 0; i < receipts.size(); ++i) {
          receipts[i] = {Receipt::Kind::decided, (*outcomes)[i]};
        }
        co_return receipts;
      }
      doubt |= outcomes.error() == Errc::unknown;
      if (!doubt) co_return outcomes.error();
      if (clock_.ticks() >= deadline) co_return receipts;
      co_await clock_.sleep_until(std::min<Ticks>(deadline, clock_.ticks() + kAgain));
    }
  }

  OrderStore& store_;
  Clock& clock_;
  CallMeter& meter_;
};

}  // namespace

std::unique_ptr<OrderQueue> create_direct(OrderStore& store, Clock& clock, CallMeter& meter) {
  return std::make_unique<DirectQueue>(store, clock, meter);
}

}  // namespace sluice::simulation
