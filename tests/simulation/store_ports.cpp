#include <algorithm>
#include <memory>
#include <type_traits>
#include <utility>

#include "simulation/store.hpp"

namespace sluice::simulation {
namespace {

/// How one thread reaches the store.
class Way {
 public:
  Way(Network& network, Caller caller, Store& store)
      : network_(network), caller_(caller), store_(store) {}

  /// Calls that function of the store. The arguments travel with the call, by value.
  template <class Function, class... Arguments>
  auto go(Ticks deadline, Function function, Arguments... arguments) {
    using Reply = std::invoke_result_t<Function, Store&, const Arguments&...>;
    auto work = [&store = store_, function, ... arguments = std::move(arguments)] {
      return (store.*function)(arguments...);
    };
    return network_.call<typename Reply::value_type>(caller_, Service::store, deadline,
                                                     std::move(work));
  }

 private:
  Network& network_;
  Caller caller_;
  Store& store_;
};

/// The pages of a snapshot, so small that a sale has several.
class Pages final : public ImagePages {
 public:
  Pages(Way way, std::vector<LiveOrder> orders) : way_(way), orders_(std::move(orders)) {}

  Task<ImagePage> next(Ticks deadline) override {
    constexpr std::size_t kPageOrders = 5;
    const auto count = std::min(kPageOrders, orders_.size() - at_);
    const auto begin = orders_.begin() + static_cast<std::ptrdiff_t>(at_);
    at_ += count;
    ImagePage page{{begin, begin + static_cast<std::ptrdiff_t>(count)}, at_ == orders_.size()};
    return way_.go(deadline, &Store::image_page, std::move(page));
  }

 private:
  Way way_;
  std::vector<LiveOrder> orders_;
  std::size_t at_ = 0;
};

class OrderPort final : public OrderStore {
 public:
  OrderPort(Way way, Accuser accuser) : way_(way), accuser_(accuser) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    return way_.go(deadline, &Store::apply, copy_of(messages), std::move(range));
  }

  Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) override {
    return way_.go(deadline, &Store::find, copy_of(keys));
  }

  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override {
    return way_.go(deadline, &Store::find_live, sale, std::move(user));
  }

  Task<LaneHead> head(Ticks deadline, LaneId lane) override {
    return way_.go(deadline, &Store::head, lane);
  }

  Task<std::vector<std::pair<LaneId, LaneHead>>> heads(Ticks deadline, In<SaleId> sales) override {
    return way_.go(deadline, &Store::heads, copy_of(sales));
  }

  Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority,
                         std::optional<Term> leader) override {
    return way_.go(deadline, &Store::next_epoch, lane, authority, leader);
  }

  Task<> begin_opening(Ticks deadline, Fence fence, Term leader) override {
    return way_.go(deadline, &Store::begin_opening, fence, leader);
  }

  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen,
                     std::optional<Term> leader) override {
    return way_.go(deadline, &Store::raise_fence, fence, seen, leader);
  }

  Task<> suspect(Ticks deadline, LaneId lane) override {
    return way_.go(deadline, &Store::suspect, lane, accuser_);
  }

  Task<StoredImage> image(Ticks deadline, LaneId lane) override {
    auto taken = co_await way_.go(deadline, &Store::image, lane);
    if (!taken) co_return taken.error();
    StoredImage image;
    image.lane = taken->lane;
    image.pages = std::make_unique<Pages>(way_, std::move(taken->orders));
    co_return image;
  }

  Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) override {
    return way_.go(deadline, &Store::lane_snapshot, lane, copy_of(users));
  }

  Task<std::vector<UserId>> winners(Ticks deadline, LaneId lane, std::string after,
                                    std::size_t max) override {
    return way_.go(deadline, &Store::winners, lane, std::move(after), max);
  }

  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override {
    return way_.go(deadline, &Store::position, std::move(topic), partition);
  }

  Task<LogProgress> progress(Ticks deadline, std::string topic, std::int32_t partitions) override {
    return way_.go(deadline, &Store::progress, std::move(topic), partitions);
  }

  Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) override {
    return way_.go(deadline, &Store::audit, sale);
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
    return way_.go(deadline, &Store::move, copy_of(transitions));
  }

  Task<std::vector<OrderKey>> due(Ticks deadline, std::size_t max) override {
    return way_.go(deadline, &Store::due, max);
  }

  Task<std::vector<LaneId>> returning(Ticks deadline, std::size_t max) override {
    return way_.go(deadline, &Store::returning, max);
  }

  Task<std::vector<Settlement>> outbox(Ticks deadline, LaneId lane, std::size_t max) override {
    return way_.go(deadline, &Store::outbox, lane, max);
  }

  Task<> relayed(Ticks deadline, Fence taken, In<OrderId> orders) override {
    return way_.go(deadline, &Store::relayed, taken, copy_of(orders));
  }

 private:
  Way way_;
};

class LatePort final : public LateOrders {
 public:
  explicit LatePort(Way way) : way_(way) {}

  Task<> note(Ticks deadline, In<OrderKey> orders) override {
    return way_.go(deadline, &Store::note_late, copy_of(orders));
  }

  Task<std::vector<LateOrder>> undecided(Ticks deadline, std::int64_t after,
                                         std::size_t max) override {
    return way_.go(deadline, &Store::undecided_late, after, max);
  }

  Task<> refuse(Ticks deadline, In<LateRefusal> refusals, Term leader) override {
    return way_.go(deadline, &Store::refuse_late, copy_of(refusals), leader);
  }

 private:
  Way way_;
};

class SalePort final : public SaleStore {
 public:
  explicit SalePort(Way way) : way_(way) {}

  Task<Sale> create(Ticks deadline, SaleDraft draft) override {
    return way_.go(deadline, &Store::create, std::move(draft));
  }

  Task<std::vector<Sale>> list(Ticks deadline, SaleFilter which, SaleId before,
                               std::size_t max) override {
    return way_.go(deadline, &Store::list, which, before, max);
  }

  Task<std::uint64_t> last_change(Ticks deadline) override {
    return way_.go(deadline, &Store::last_change);
  }

  Task<std::vector<Sale>> changed(Ticks deadline, std::uint64_t after, std::size_t max) override {
    return way_.go(deadline, &Store::changed, after, max);
  }

  Task<std::vector<Sale>> find(Ticks deadline, std::vector<SaleId> sales) override {
    return way_.go(deadline, &Store::find_sales, std::move(sales));
  }

  Task<> finish(Ticks deadline, std::vector<SaleId> sales) override {
    return way_.go(deadline, &Store::finish, std::move(sales));
  }

  Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) override {
    return way_.go(deadline, &Store::get, sale);
  }

  Task<Sale> set_state(Ticks deadline, SaleId sale, SaleState state) override {
    return way_.go(deadline, &Store::set_state, sale, state);
  }

 private:
  Way way_;
};

class ControlPort final : public ControlStore {
 public:
  explicit ControlPort(Way way) : way_(way) {}

  Task<Lease> acquire(Ticks deadline, std::string name, std::string holder, Millis ttl) override {
    return way_.go(deadline, &Store::acquire, std::move(name), std::move(holder), ttl);
  }

  Task<std::string> requested(Ticks deadline, std::string name) override {
    return way_.go(deadline, &Store::requested, std::move(name));
  }

  Task<> request(Ticks deadline, std::string name, std::string value) override {
    return way_.go(deadline, &Store::request, std::move(name), std::move(value));
  }

  Task<> release(Ticks deadline, std::string name, std::string holder) override {
    return way_.go(deadline, &Store::release, std::move(name), std::move(holder));
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

std::unique_ptr<LateOrders> create_late_orders(Network& network, Caller caller, Store& store) {
  return std::make_unique<LatePort>(Way(network, caller, store));
}

std::unique_ptr<SaleStore> create_sale_store(Network& network, Caller caller, Store& store) {
  return std::make_unique<SalePort>(Way(network, caller, store));
}

std::unique_ptr<ControlStore> create_control_store(Network& network, Caller caller, Store& store) {
  return std::make_unique<ControlPort>(Way(network, caller, store));
}

}  // namespace sluice::simulation
