#include "app/faulty_ports.hpp"

#ifdef SLUICE_FAILPOINTS

#include <string>
#include <utility>

#include "sluice/base/failpoint.hpp"

namespace sluice {
namespace {

/// Makes `work`'s call as the failpoint of its step says.
template <class R, class Work>
Task<R> faulty(std::string step, Work work) {
  const auto fault = failpoint(step);
  if (fault == Fault::error) co_return Errc::unavailable;
  auto result = co_await work();
  if (fault == Fault::duplicate) result = co_await work();
  failpoint(step + ".done");
  if (fault == Fault::lost) co_return Errc::unknown;
  co_return result;
}

class FaultyStore final : public OrderStore {
 public:
  FaultyStore(std::string_view thread, std::unique_ptr<OrderStore> inner)
      : name_(std::string(thread) + ".store."), inner_(std::move(inner)) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    // A stretch without orders is no step of anybody's purchase.
    if (messages.empty() && (!range || range->fences.empty())) {
      co_return co_await inner_->apply(deadline, messages, range);
    }
    auto work = [=, this] {
      return inner_->apply(deadline, messages, range);
    };
    const auto step = name_ + (messages.empty() ? "raise" : "apply");
    co_return co_await faulty<std::vector<Outcome>>(step, std::move(work));
  }
  Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) override {
    return inner_->find(deadline, keys);
  }
  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override {
    return inner_->find_live(deadline, sale, std::move(user));
  }
  Task<LaneHead> head(Ticks deadline, LaneId lane) override { return inner_->head(deadline, lane); }
  Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority) override {
    auto work = [=, this] {
      return inner_->next_epoch(deadline, lane, authority);
    };
    co_return co_await faulty<Epoch>(name_ + "next_epoch", std::move(work));
  }
  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen) override {
    return inner_->raise_fence(deadline, fence, seen);
  }
  Task<> suspect(Ticks deadline, LaneId lane) override { return inner_->suspect(deadline, lane); }
  Task<LaneImage> image(Ticks deadline, LaneId lane) override {
    return inner_->image(deadline, lane);
  }
  Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) override {
    return inner_->lane_snapshot(deadline, lane, users);
  }
  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override {
    return inner_->position(deadline, std::move(topic), partition);
  }
  Task<LogProgress> progress(Ticks deadline, std::string topic, std::int32_t partitions) override {
    return inner_->progress(deadline, std::move(topic), partitions);
  }
  Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) override {
    return inner_->audit(deadline, sale);
  }

 private:
  std::string name_;
  std::unique_ptr<OrderStore> inner_;
};

class FaultyMoves final : public OrderTransitions {
 public:
  FaultyMoves(std::string_view thread, std::unique_ptr<OrderTransitions> inner)
      : name_(std::string(thread) + ".moves."), inner_(std::move(inner)) {}

  Task<std::vector<std::optional<Order>>> move(Ticks deadline,
                                               In<Transition> transitions) override {
    using Rows = std::vector<std::optional<Order>>;
    auto work = [=, this] {
      return inner_->move(deadline, transitions);
    };
    co_return co_await faulty<Rows>(name_ + "move", std::move(work));
  }
  Task<std::vector<OrderKey>> due(Ticks deadline, std::size_t max) override {
    auto work = [=, this] {
      return inner_->due(deadline, max);
    };
    co_return co_await faulty<std::vector<OrderKey>>(name_ + "due", std::move(work));
  }
  Task<std::vector<LaneId>> returning(Ticks deadline, std::size_t max) override {
    auto work = [=, this] {
      return inner_->returning(deadline, max);
    };
    co_return co_await faulty<std::vector<LaneId>>(name_ + "returning", std::move(work));
  }
  Task<std::vector<Settlement>> outbox(Ticks deadline, LaneId lane, std::size_t max) override {
    auto work = [=, this] {
      return inner_->outbox(deadline, lane, max);
    };
    co_return co_await faulty<std::vector<Settlement>>(name_ + "outbox", std::move(work));
  }
  Task<> relayed(Ticks deadline, Fence taken, In<OrderId> orders) override {
    auto work = [=, this] {
      return inner_->relayed(deadline, taken, orders);
    };
    co_return co_await faulty<void>(name_ + "relayed", std::move(work));
  }

 private:
  std::string name_;
  std::unique_ptr<OrderTransitions> inner_;
};

std::unique_ptr<OrderStore> with_faults(std::string_view thread,
                                        std::unique_ptr<OrderStore> inner) {
  return std::make_unique<FaultyStore>(thread, std::move(inner));
}

std::unique_ptr<OrderTransitions> with_faults(std::string_view thread,
                                              std::unique_ptr<OrderTransitions> inner) {
  return std::make_unique<FaultyMoves>(thread, std::move(inner));
}

}  // namespace

void add_failpoints(HttpPorts& ports) { ports.moves = with_faults("http", std::move(ports.moves)); }

void add_failpoints(ControlPorts& ports) {
  ports.orders = with_faults("control", std::move(ports.orders));
  ports.moves = with_faults("control", std::move(ports.moves));
}

void add_failpoints(FulfilmentPorts& ports) {
  ports.store = with_faults("fulfilment", std::move(ports.store));
}

}  // namespace sluice

#endif
