#include <memory>
#include <utility>

#include "simulation/store.hpp"

namespace sluice::simulation {
namespace {

/// How one thread reaches the store. Arguments travel with the call, by value.
class Way {
 public:
  Way(Network& network, Caller caller, Store& store)
      : network_(network), caller_(caller), store_(store) {}

  template <class T, class Work>
  Task<T> go(Ticks deadline, Work work) {
    auto bound = [&store = store_, work = std::move(work)] { return work(store); };
    return network_.call<T>(caller_, Service::store, deadline, std::move(bound));
  }

 private:
  Network& network_;
  Caller caller_;
  Store& store_;
};

class OrderPort final : public OrderStore {
 public:
  OrderPort(Way way, Accuser accuser) : way_(way), accuser_(accuser) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    std::vector<OrderMessage> copy(messages.begin(), messages.end());
    auto work = [copy = std::move(copy), range = std::move(range)](Store& store) {
      return store.apply(copy, range);
    };
    return way_.go<std::vector<Outcome>>(deadline, std::move(work));
  }

  Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) override {
    std::vector<OrderKey> copy(keys.begin(), keys.end());
    auto work = [copy = std::move(copy)](Store& store) { return store.find(copy); };
    return way_.go<std::vector<std::optional<Order>>>(deadline, std::move(work));
  }

  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override {
    auto work = [sale, user = std::move(user)](Store& store) {
      return store.find_live(sale, user);
    };
    return way_.go<std::optional<Order>>(deadline, std::move(work));
  }

  Task<LaneHead> head(Ticks deadline, LaneId lane) override {
    auto work = [lane](Store& store) { return store.head(lane); };
    return way_.go<LaneHead>(deadline, std::move(work));
  }

  Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority) override {
    auto work = [lane, authority](Store& store) { return store.next_epoch(lane, authority); };
    return way_.go<Epoch>(deadline, std::move(work));
  }

  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen) override {
    auto work = [fence, seen](Store& store) { return store.raise_fence(fence, seen); };
    return way_.go<void>(deadline, std::move(work));
  }

  Task<> suspect(Ticks deadline, LaneId lane) override {
    auto work = [lane, accuser = accuser_](Store& store) { return store.suspect(lane, accuser); };
    return way_.go<void>(deadline, std::move(work));
  }

  Task<LaneImage> image(Ticks deadline, LaneId lane) override {
    auto work = [lane](Store& store) { return store.image(lane); };
    return way_.go<LaneImage>(deadline, std::move(work));
  }

  Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) override {
    std::vector<UserId> copy(users.begin(), users.end());
    auto work = [lane, copy = std::move(copy)](Store& store) {
      return store.lane_snapshot(lane, copy);
    };
    return way_.go<LaneSnapshot>(deadline, std::move(work));
  }

  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override {
    auto work = [topic = std::move(topic), partition](Store& store) {
      return store.position(topic, partition);
    };
    return way_.go<std::int64_t>(deadline, std::move(work));
  }

  Task<LogProgress> progress(Ticks deadline, std::string topic, std::int32_t partitions) override {
    auto work = [topic = std::move(topic), partitions](Store& store) {
      return store.progress(topic, partitions);
    };
    return way_.go<LogProgress>(deadline, std::move(work));
  }

  Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) override {
    auto work = [sale](Store& store) { return store.audit(sale); };
    return way_.go<std::vector<LaneFigures>>(deadline, std::move(work));
  }

 private:
  Way way_;
  Accuser accuser_;
};

class MovesPort final : public OrderTransitions {
 public:
  explicit MovesPort(Way way) : way_(way) {}

  Task<std::vector<std::optional<Order>>> move(Ticks deadline,
                                               In<Transition> transitions) override {
    std::vector<Transition> copy(transitions.begin(), transitions.end());
    auto work = [copy = std::move(copy)](Store& store) { return store.move(copy); };
    return way_.go<std::vector<std::optional<Order>>>(deadline, std::move(work));
  }

  Task<std::vector<OrderKey>> due(Ticks deadline, std::size_t max) override {
    auto work = [max](Store& store) { return store.due(max); };
    return way_.go<std::vector<OrderKey>>(deadline, std::move(work));
  }

  Task<std::vector<LaneId>> returning(Ticks deadline, std::size_t max) override {
    auto work = [max](Store& store) { return store.returning(max); };
    return way_.go<std::vector<LaneId>>(deadline, std::move(work));
  }

  Task<std::vector<Settlement>> outbox(Ticks deadline, LaneId lane, std::size_t max) override {
    auto work = [lane, max](Store& store) { return store.outbox(lane, max); };
    return way_.go<std::vector<Settlement>>(deadline, std::move(work));
  }

  Task<> relayed(Ticks deadline, Fence taken, In<OrderId> orders) override {
    std::vector<OrderId> copy(orders.begin(), orders.end());
    auto work = [taken, copy = std::move(copy)](Store& store) {
      return store.relayed(taken, copy);
    };
    return way_.go<void>(deadline, std::move(work));
  }

 private:
  Way way_;
};

class SalePort final : public SaleStore {
 public:
  explicit SalePort(Way way) : way_(way) {}

  Task<Sale> create(Ticks deadline, SaleDraft draft) override {
    auto work = [draft = std::move(draft)](Store& store) { return store.create(draft); };
    return way_.go<Sale>(deadline, std::move(work));
  }

  Task<std::vector<Sale>> list(Ticks deadline, std::size_t max) override {
    auto work = [max](Store& store) { return store.list(max); };
    return way_.go<std::vector<Sale>>(deadline, std::move(work));
  }

  Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) override {
    auto work = [sale](Store& store) { return store.get(sale); };
    return way_.go<std::optional<Sale>>(deadline, std::move(work));
  }

  Task<Sale> set_state(Ticks deadline, SaleId sale, SaleState state) override {
    auto work = [sale, state](Store& store) { return store.set_state(sale, state); };
    return way_.go<Sale>(deadline, std::move(work));
  }

 private:
  Way way_;
};

class ControlPort final : public ControlStore {
 public:
  explicit ControlPort(Way way) : way_(way) {}

  Task<Lease> acquire(Ticks deadline, std::string name, std::string holder, Millis ttl) override {
    auto work = [name = std::move(name), holder = std::move(holder), ttl](Store& store) {
      return store.acquire(name, holder, ttl);
    };
    return way_.go<Lease>(deadline, std::move(work));
  }

  Task<std::string> requested(Ticks deadline, std::string name) override {
    auto work = [name = std::move(name)](Store& store) { return store.requested(name); };
    return way_.go<std::string>(deadline, std::move(work));
  }

  Task<> request(Ticks deadline, std::string name, std::string value) override {
    auto work = [name = std::move(name), value = std::move(value)](Store& store) {
      return store.request(name, value);
    };
    return way_.go<void>(deadline, std::move(work));
  }

  Task<> release(Ticks deadline, std::string name, std::string holder) override {
    auto work = [name = std::move(name), holder = std::move(holder)](Store& store) {
      return store.release(name, holder);
    };
    return way_.go<void>(deadline, std::move(work));
  }

 private:
  Way way_;
};

}  // namespace

std::unique_ptr<OrderStore> create_order_store(Network& network, Caller caller, Store& store,
                                               Accuser accuser) {
  return std::make_unique<OrderPort>(Way(network, caller, store), accuser);
}

std::unique_ptr<OrderTransitions> create_order_transitions(Network& network, Caller caller,
                                                           Store& store) {
  return std::make_unique<MovesPort>(Way(network, caller, store));
}

std::unique_ptr<SaleStore> create_sale_store(Network& network, Caller caller, Store& store) {
  return std::make_unique<SalePort>(Way(network, caller, store));
}

std::unique_ptr<ControlStore> create_control_store(Network& network, Caller caller, Store& store) {
  return std::make_unique<ControlPort>(Way(network, caller, store));
}

}  // namespace sluice::simulation
