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

class FaultyInventory final : public Inventory {
 public:
  FaultyInventory(std::string_view thread, std::unique_ptr<Inventory> inner)
      : name_(std::string(thread) + ".inventory."), inner_(std::move(inner)) {}

  Task<ReserveReply> reserve(Call call, In<Attempt> attempts) override {
    auto work = [=, this] {
      return inner_->reserve(call, attempts);
    };
    co_return co_await faulty<ReserveReply>(name_ + "reserve", std::move(work));
  }
  Task<> settle(Call call, In<Settlement> settlements) override {
    auto work = [=, this] {
      return inner_->settle(call, settlements);
    };
    co_return co_await faulty<void>(name_ + "settle", std::move(work));
  }
  Task<std::vector<std::optional<OrderView>>> find(Call call, In<UserId> users) override {
    return inner_->find(call, users);
  }
  Task<LaneView> view(Call call) override { return inner_->view(call); }
  Task<Winners> winners(Call call) override { return inner_->winners(call); }
  Task<std::vector<Pending>> overdue(Call call, Millis age, std::size_t max) override {
    return inner_->overdue(call, age, max);
  }
  Task<> close(Call call) override {
    auto work = [=, this] {
      return inner_->close(call);
    };
    co_return co_await faulty<void>(name_ + "close", std::move(work));
  }
  Task<> rebuild(Call call, const LaneImage& image) override {
    auto work = [=, this, &image] {
      return inner_->rebuild(call, image);
    };
    co_return co_await faulty<void>(name_ + "rebuild", std::move(work));
  }
  Task<> set_window(Call call, LaneWindow window) override {
    return inner_->set_window(call, window);
  }

 private:
  std::string name_;
  std::unique_ptr<Inventory> inner_;
};

class FaultyQueue final : public OrderQueue {
 public:
  FaultyQueue(std::string_view thread, std::string_view port, std::shared_ptr<OrderQueue> inner)
      : name_(std::string(thread) + "." + std::string(port) + "."), inner_(std::move(inner)) {}

  bool decides() const noexcept override { return inner_->decides(); }
  Task<std::vector<Receipt>> publish(Ticks deadline, In<OrderMessage> messages) override {
    using Receipts = std::vector<Receipt>;
    auto work = [=, this] {
      return inner_->publish(deadline, messages);
    };
    auto receipts = co_await faulty<Receipts>(name_ + "publish", std::move(work));
    // A queue tells of a lost answer in the receipts.
    if (receipts || receipts.error() != Errc::unknown) co_return receipts;
    co_return Receipts(messages.size());
  }
  Task<> fence(Ticks deadline, Fence fence) override {
    auto work = [=, this] {
      return inner_->fence(deadline, fence);
    };
    co_return co_await faulty<void>(name_ + "fence", std::move(work));
  }

 private:
  std::string name_;
  std::shared_ptr<OrderQueue> inner_;
};

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

std::unique_ptr<Inventory> with_faults(std::string_view thread, std::unique_ptr<Inventory> inner) {
  return std::make_unique<FaultyInventory>(thread, std::move(inner));
}

std::unique_ptr<OrderStore> with_faults(std::string_view thread,
                                        std::unique_ptr<OrderStore> inner) {
  return std::make_unique<FaultyStore>(thread, std::move(inner));
}

std::unique_ptr<OrderTransitions> with_faults(std::string_view thread,
                                              std::unique_ptr<OrderTransitions> inner) {
  return std::make_unique<FaultyMoves>(thread, std::move(inner));
}

std::shared_ptr<OrderQueue> with_faults(std::string_view thread, std::string_view port,
                                        std::shared_ptr<OrderQueue> inner) {
  return std::make_shared<FaultyQueue>(thread, port, std::move(inner));
}

}  // namespace

void add_failpoints(HttpPorts& ports) {
  ports.inventory = with_faults("http", std::move(ports.inventory));
  ports.queue = with_faults("http", "queue", std::move(ports.queue));
  ports.moves = with_faults("http", std::move(ports.moves));
  if (ports.direct) ports.direct = with_faults("http", "direct", std::move(ports.direct));
}

void add_failpoints(ControlPorts& ports) {
  ports.inventory = with_faults("control", std::move(ports.inventory));
  ports.queue = with_faults("control", "queue", std::move(ports.queue));
  ports.orders = with_faults("control", std::move(ports.orders));
  ports.moves = with_faults("control", std::move(ports.moves));
}

void add_failpoints(FulfilmentPorts& ports) {
  ports.inventory = with_faults("fulfilment", std::move(ports.inventory));
  ports.store = with_faults("fulfilment", std::move(ports.store));
}

}  // namespace sluice

#endif
