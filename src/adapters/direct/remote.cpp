#include "sluice/adapters/direct/remote.hpp"

#include <exception>
#include <utility>
#include <vector>

#include "sluice/base/log.hpp"

#include "adapters/direct/crossing.hpp"

namespace sluice {
namespace {

template <class R, class Call>
boost::asio::awaitable<void> serve(std::shared_ptr<direct::Ticket<R>> ticket, Call call) {
  if (!ticket->begin()) co_return;
  try {
    auto answer = co_await call();
    ticket->answer(std::move(answer));
  } catch (const std::exception& e) {
    log().critical("a store failed: {}", e.what());
    ticket->answer(Errc::unknown);
  }
}

/// How to reach the inner store.
struct Way {
  boost::asio::any_io_executor executor;
  std::shared_ptr<Clock> clock;

  /// Makes `call`, which owns its arguments, where the inner store lives.
  template <class Call>
  auto go(Ticks deadline, Call call) const -> decltype(call()) {
    using R = typename decltype(call())::value_type;
    auto ticket = std::make_shared<direct::Ticket<R>>();
    auto work = serve<R>(ticket, std::move(call));
    return direct::cross<R>(executor, clock, deadline, std::move(ticket), std::move(work));
  }
};

class RemoteOrderStore final : public OrderStore {
 public:
  RemoteOrderStore(Way way, OrderStore& inner) : way_(std::move(way)), inner_(inner) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    std::vector<OrderMessage> copy(messages.begin(), messages.end());
    return way_.go(deadline,
                   [&inner = inner_, deadline, copy = std::move(copy), range = std::move(range)] {
                     return inner.apply(deadline, copy, range);
                   });
  }

  Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) override {
    std::vector<OrderKey> copy(keys.begin(), keys.end());
    return way_.go(deadline, [&inner = inner_, deadline, copy = std::move(copy)] {
      return inner.find(deadline, copy);
    });
  }

  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override {
    return way_.go(deadline, [&inner = inner_, deadline, sale, user = std::move(user)] {
      return inner.find_live(deadline, sale, user);
    });
  }

  Task<LaneHead> head(Ticks deadline, LaneId lane) override {
    return way_.go(deadline,
                   [&inner = inner_, deadline, lane] { return inner.head(deadline, lane); });
  }

  Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority) override {
    return way_.go(deadline, [&inner = inner_, deadline, lane, authority] {
      return inner.next_epoch(deadline, lane, authority);
    });
  }

  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen) override {
    return way_.go(deadline, [&inner = inner_, deadline, fence, seen] {
      return inner.raise_fence(deadline, fence, seen);
    });
  }

  Task<> suspect(Ticks deadline, LaneId lane) override {
    return way_.go(deadline,
                   [&inner = inner_, deadline, lane] { return inner.suspect(deadline, lane); });
  }

  Task<LaneImage> image(Ticks deadline, LaneId lane) override {
    return way_.go(deadline,
                   [&inner = inner_, deadline, lane] { return inner.image(deadline, lane); });
  }

  Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) override {
    std::vector<UserId> copy(users.begin(), users.end());
    return way_.go(deadline, [&inner = inner_, deadline, lane, copy = std::move(copy)] {
      return inner.lane_snapshot(deadline, lane, copy);
    });
  }

  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override {
    return way_.go(deadline, [&inner = inner_, deadline, topic = std::move(topic), partition] {
      return inner.position(deadline, topic, partition);
    });
  }

  Task<LogProgress> progress(Ticks deadline, std::string topic, std::int32_t partitions) override {
    return way_.go(deadline, [&inner = inner_, deadline, topic = std::move(topic), partitions] {
      return inner.progress(deadline, topic, partitions);
    });
  }

  Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) override {
    return way_.go(deadline,
                   [&inner = inner_, deadline, sale] { return inner.audit(deadline, sale); });
  }

 private:
  Way way_;
  OrderStore& inner_;
};

class RemoteOrderTransitions final : public OrderTransitions {
 public:
  RemoteOrderTransitions(Way way, OrderTransitions& inner) : way_(std::move(way)), inner_(inner) {}

  Task<std::vector<std::optional<Order>>> move(Ticks deadline,
                                               In<Transition> transitions) override {
    std::vector<Transition> copy(transitions.begin(), transitions.end());
    return way_.go(deadline, [&inner = inner_, deadline, copy = std::move(copy)] {
      return inner.move(deadline, copy);
    });
  }

  Task<std::vector<OrderKey>> due(Ticks deadline, std::size_t max) override {
    return way_.go(deadline, [&inner = inner_, deadline, max] { return inner.due(deadline, max); });
  }

  Task<std::vector<LaneId>> returning(Ticks deadline, std::size_t max) override {
    return way_.go(deadline,
                   [&inner = inner_, deadline, max] { return inner.returning(deadline, max); });
  }

  Task<std::vector<Settlement>> outbox(Ticks deadline, LaneId lane, std::size_t max) override {
    return way_.go(deadline, [&inner = inner_, deadline, lane, max] {
      return inner.outbox(deadline, lane, max);
    });
  }

  Task<> relayed(Ticks deadline, Fence taken, In<OrderId> orders) override {
    std::vector<OrderId> copy(orders.begin(), orders.end());
    return way_.go(deadline, [&inner = inner_, deadline, taken, copy = std::move(copy)] {
      return inner.relayed(deadline, taken, copy);
    });
  }

 private:
  Way way_;
  OrderTransitions& inner_;
};

class RemoteSaleStore final : public SaleStore {
 public:
  RemoteSaleStore(Way way, SaleStore& inner) : way_(std::move(way)), inner_(inner) {}

  Task<Sale> create(Ticks deadline, SaleDraft draft) override {
    return way_.go(deadline, [&inner = inner_, deadline, draft = std::move(draft)] {
      return inner.create(deadline, draft);
    });
  }

  Task<std::vector<Sale>> list(Ticks deadline, std::size_t max) override {
    return way_.go(deadline,
                   [&inner = inner_, deadline, max] { return inner.list(deadline, max); });
  }

  Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) override {
    return way_.go(deadline,
                   [&inner = inner_, deadline, sale] { return inner.get(deadline, sale); });
  }

  Task<Sale> set_state(Ticks deadline, SaleId sale, SaleState state) override {
    return way_.go(deadline, [&inner = inner_, deadline, sale, state] {
      return inner.set_state(deadline, sale, state);
    });
  }

 private:
  Way way_;
  SaleStore& inner_;
};

class RemoteControlStore final : public ControlStore {
 public:
  RemoteControlStore(Way way, ControlStore& inner) : way_(std::move(way)), inner_(inner) {}

  Task<Lease> acquire(Ticks deadline, std::string name, std::string holder, Millis ttl) override {
    return way_.go(deadline,
                   [&inner = inner_, deadline, name = std::move(name), holder = std::move(holder),
                    ttl] { return inner.acquire(deadline, name, holder, ttl); });
  }

  Task<> release(Ticks deadline, std::string name, std::string holder) override {
    return way_.go(deadline,
                   [&inner = inner_, deadline, name = std::move(name), holder = std::move(holder)] {
                     return inner.release(deadline, name, holder);
                   });
  }

  Task<std::string> requested(Ticks deadline, std::string name) override {
    return way_.go(deadline, [&inner = inner_, deadline, name = std::move(name)] {
      return inner.requested(deadline, name);
    });
  }

  Task<> request(Ticks deadline, std::string name, std::string value) override {
    return way_.go(deadline,
                   [&inner = inner_, deadline, name = std::move(name), value = std::move(value)] {
                     return inner.request(deadline, name, value);
                   });
  }

 private:
  Way way_;
  ControlStore& inner_;
};

}  // namespace

std::unique_ptr<OrderStore> create_remote_order_store(boost::asio::any_io_executor executor,
                                                      OrderStore& inner,
                                                      std::shared_ptr<Clock> clock) {
  Way way{std::move(executor), std::move(clock)};
  return std::make_unique<RemoteOrderStore>(std::move(way), inner);
}

std::unique_ptr<OrderTransitions> create_remote_order_transitions(
    boost::asio::any_io_executor executor, OrderTransitions& inner, std::shared_ptr<Clock> clock) {
  Way way{std::move(executor), std::move(clock)};
  return std::make_unique<RemoteOrderTransitions>(std::move(way), inner);
}

std::unique_ptr<SaleStore> create_remote_sale_store(boost::asio::any_io_executor executor,
                                                    SaleStore& inner,
                                                    std::shared_ptr<Clock> clock) {
  Way way{std::move(executor), std::move(clock)};
  return std::make_unique<RemoteSaleStore>(std::move(way), inner);
}

std::unique_ptr<ControlStore> create_remote_control_store(boost::asio::any_io_executor executor,
                                                          ControlStore& inner,
                                                          std::shared_ptr<Clock> clock) {
  Way way{std::move(executor), std::move(clock)};
  return std::make_unique<RemoteControlStore>(std::move(way), inner);
}

}  // namespace sluice
