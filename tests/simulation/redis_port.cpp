#include <memory>
#include <string>
#include <utility>

#include "sluice/base/mutation.hpp"

#include "simulation/redis.hpp"

namespace sluice::simulation {
namespace {

class InventoryPort final : public Inventory {
 public:
  InventoryPort(Network& network, Caller caller, Redis& redis)
      : network_(network), caller_(caller), redis_(redis) {}

  Task<ReserveReply> reserve(Call call, In<Attempt> attempts) override {
    const auto& now = network_.scheduler();
    return go<ReserveReply>(
        call, [call, attempts = copy_of(attempts), &now](Redis& redis) -> Result<ReserveReply> {
          if (now.now() > call.deadline && !mutant("reserve.outlives_call")) {
            return Errc::unavailable;
          }
          return redis.reserve(call, attempts);
        });
  }

  Task<> settle(Call call, In<Settlement> settlements) override {
    return go<void>(call, [call, settlements = copy_of(settlements)](Redis& redis) {
      return redis.settle(call, settlements);
    });
  }

  Task<std::vector<std::optional<OrderView>>> find(Call call, In<UserId> users) override {
    using Found = std::vector<std::optional<OrderView>>;
    return go<Found>(call, [call, users = copy_of(users)](Redis& redis) {
      return redis.at(call.lane).find(call.epoch, users);
    });
  }

  Task<LaneView> view(Call call) override {
    return go<LaneView>(call, [call](Redis& redis) { return redis.at(call.lane).view(); });
  }

  Task<WinnersPage> winners(Call call, std::string cursor, std::size_t max) override {
    return go<WinnersPage>(call, [call, cursor = std::move(cursor), max](Redis& redis) {
      return redis.at(call.lane).winners(call.epoch, cursor, max);
    });
  }

  Task<std::vector<OrderMessage>> overdue(Call call, Millis age, std::size_t max) override {
    return go<std::vector<OrderMessage>>(
        call, [call, age, max](Redis& redis) { return redis.overdue(call.lane, age, max); });
  }

  Task<> close(Call call) override {
    return go<void>(call, [call](Redis& redis) { return redis.close(call.lane, call.epoch); });
  }

  Task<> stage(Call call, std::size_t place, In<LiveOrder> orders) override {
    return go<void>(call, [call, place, orders = copy_of(orders)](Redis& redis) {
      return redis.stage(call, place, orders);
    });
  }

  Task<> unstage(Call call) override {
    return go<void>(call, [call](Redis& redis) { return redis.unstage(call); });
  }

  Task<> rebuild(Call call, const LaneImage& image, std::size_t staged) override {
    return go<void>(
        call, [call, image, staged](Redis& redis) { return redis.rebuild(call, image, staged); });
  }

  Task<> set_window(Call call, LaneWindow window) override {
    return go<void>(call, [call, window](Redis& redis) {
      return redis.at(call.lane).set_window(call.epoch, window);
    });
  }

 private:
  template <class T, class Work>
  Task<T> go(const Call& call, Work work) {
    auto bound = [&redis = redis_, work = std::move(work)]() -> Result<T> { return work(redis); };
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
