#include <memory>
#include <utility>

#include "simulation/redis.hpp"

namespace sluice::simulation {
namespace {

class InventoryPort final : public Inventory {
 public:
  InventoryPort(Network& network, Caller caller, Redis& redis)
      : network_(network), caller_(caller), redis_(redis) {}

  Task<ReserveReply> reserve(Call call, In<Attempt> attempts) override {
    std::vector<Attempt> copy(attempts.begin(), attempts.end());
    auto work = [call, copy = std::move(copy)](Redis& redis) {
      return redis.reserve(call.lane, call.epoch, copy);
    };
    return go<ReserveReply>(call, std::move(work));
  }

  Task<> settle(Call call, In<Settlement> settlements) override {
    std::vector<Settlement> copy(settlements.begin(), settlements.end());
    auto work = [call, copy = std::move(copy)](Redis& redis) {
      return redis.settle(call.lane, call.epoch, copy);
    };
    return go<void>(call, std::move(work));
  }

  Task<std::vector<std::optional<OrderView>>> find(Call call, In<UserId> users) override {
    std::vector<UserId> copy(users.begin(), users.end());
    auto work = [call, copy = std::move(copy)](Redis& redis) {
      return redis.find(call.lane, call.epoch, copy);
    };
    return go<std::vector<std::optional<OrderView>>>(call, std::move(work));
  }

  Task<LaneView> view(Call call) override {
    auto work = [call](Redis& redis) {
      return redis.view(call.lane);
    };
    return go<LaneView>(call, std::move(work));
  }

  Task<Winners> winners(Call call) override {
    auto work = [call](Redis& redis) {
      return redis.winners(call.lane, call.epoch);
    };
    return go<Winners>(call, std::move(work));
  }

  Task<std::vector<Pending>> overdue(Call call, Millis age, std::size_t max) override {
    auto work = [call, age, max](Redis& redis) {
      return redis.overdue(call.lane, age, max);
    };
    return go<std::vector<Pending>>(call, std::move(work));
  }

  Task<> close(Call call) override {
    auto work = [call](Redis& redis) {
      return redis.close(call.lane, call.epoch);
    };
    return go<void>(call, std::move(work));
  }

  Task<> rebuild(Call call, const LaneImage& image) override {
    auto work = [call, image](Redis& redis) {
      return redis.rebuild(call.lane, image);
    };
    return go<void>(call, std::move(work));
  }

  Task<> set_window(Call call, LaneWindow window) override {
    auto work = [call, window](Redis& redis) {
      return redis.set_window(call.lane, call.epoch, window);
    };
    return go<void>(call, std::move(work));
  }

 private:
  template <class T, class Work>
  Task<T> go(const Call& call, Work work) {
    auto bound = [&redis = redis_, work = std::move(work)] {
      return work(redis);
    };
    return network_.call<T>(caller_, Service::redis, call.deadline, std::move(bound));
  }

  Network& network_;
  Caller caller_;
  Redis& redis_;
};

}  // namespace

std::unique_ptr<Inventory> create_inventory(Network& network, Caller caller, Redis& redis) {
  return std::make_unique<InventoryPort>(network, caller, redis);
}

}  // namespace sluice::simulation
