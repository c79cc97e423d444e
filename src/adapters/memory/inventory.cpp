#include <string>
#include <utility>

#include "sluice/adapters/memory/memory.hpp"

#include "adapters/memory/lanes.hpp"

namespace sluice {
namespace {

class MemoryInventory final : public Inventory {
 public:
  explicit MemoryInventory(MemoryLanes lanes) : lanes_(std::move(lanes)) {}

  Task<ReserveReply> reserve(Call call, In<Attempt> attempts) override {
    co_return lanes_->at(call.lane)->reserve(call, attempts, lanes_->now());
  }

  Task<> settle(Call call, In<Settlement> settlements) override {
    lanes_->at(call.lane)->settle(call.epoch, settlements);
    co_return Result<void>{};
  }

  Task<std::vector<std::optional<OrderView>>> find(Call call, In<UserId> users) override {
    co_return lanes_->at(call.lane)->find(call.epoch, users);
  }

  Task<LaneView> view(Call call) override { co_return lanes_->at(call.lane)->view(); }

  Task<WinnersPage> winners(Call call, std::string cursor, std::size_t max) override {
    co_return lanes_->at(call.lane)->winners(call.epoch, cursor, max);
  }

  Task<std::vector<OrderMessage>> overdue(Call call, Millis age, std::size_t max) override {
    co_return lanes_->at(call.lane)->overdue(call.lane, lanes_->now() - age, max);
  }

  Task<> close(Call call) override {
    lanes_->get_or_create(call.lane)->close(call.epoch);
    co_return Result<void>{};
  }

  Task<> stage(Call call, std::size_t place, In<LiveOrder> orders) override {
    const auto earlier = lanes_->get_or_create(call.lane)->stage(call, place, orders);
    if (!earlier) co_return earlier.error();
    co_return Result<void>{};
  }

  Task<> unstage(Call call) override {
    const auto earlier = lanes_->get_or_create(call.lane)->unstage(call.epoch);
    co_return Result<void>{};
  }

  Task<> rebuild(Call call, const LaneImage& image, std::size_t staged) override {
    const auto old = lanes_->get_or_create(call.lane)->rebuild(call, image, staged);
    if (!old) co_return old.error();
    co_return Result<void>{};
  }

  Task<> set_window(Call call, LaneWindow window) override {
    co_return lanes_->at(call.lane)->set_window(call.epoch, window);
  }

 private:
  MemoryLanes lanes_;
};

}  // namespace

MemoryLanes create_memory_lanes(std::shared_ptr<const Clock> clock) {
  return std::make_shared<memory::Lanes>(std::move(clock));
}

std::unique_ptr<Inventory> create_memory_inventory(MemoryLanes lanes) {
  return std::make_unique<MemoryInventory>(std::move(lanes));
}

}  // namespace sluice
