#include <algorithm>
#include <utility>

#include "sluice/adapters/memory/memory.hpp"

#include "adapters/memory/lanes.hpp"

namespace sluice {
namespace {

constexpr std::size_t kBatchMax = 1024;

bool valid(const Call& call, const Attempt& attempt) {
  return attempt.quantity > 0 && !attempt.user.text().empty() && attempt.id.epoch() == call.epoch &&
         attempt.id.lane() == call.lane.index;
}

class MemoryInventory final : public Inventory {
 public:
  explicit MemoryInventory(MemoryLanes lanes) : lanes_(std::move(lanes)) {}

  Task<ReserveReply> reserve(Call call, In<Attempt> attempts) override {
    const auto is_valid = [&](const Attempt& attempt) {
      return valid(call, attempt);
    };
    if (attempts.size() > kBatchMax || !std::ranges::all_of(attempts, is_valid)) {
      co_return Errc::invalid;
    }
    const auto lane = lanes_->get(call.lane);
    if (!lane) co_return Errc::not_ready;
    co_return lane->reserve(call.epoch, attempts, lanes_->now());
  }

  Task<> settle(Call call, In<Settlement> settlements) override {
    if (const auto lane = lanes_->get(call.lane)) lane->settle(call.epoch, settlements);
    co_return Result<void>{};
  }

  Task<std::vector<std::optional<OrderView>>> find(Call call, In<UserId> users) override {
    const auto lane = lanes_->get(call.lane);
    if (!lane) co_return Errc::not_ready;
    co_return lane->find(call.epoch, users);
  }

  Task<LaneView> view(Call call) override {
    const auto lane = lanes_->get(call.lane);
    if (!lane) co_return LaneView{};
    co_return lane->view();
  }

  Task<Winners> winners(Call call) override {
    const auto lane = lanes_->get(call.lane);
    if (!lane) co_return Errc::not_ready;
    co_return lane->winners(call.epoch);
  }

  Task<std::vector<Pending>> overdue(Call call, Millis age, std::size_t max) override {
    const auto lane = lanes_->get(call.lane);
    if (!lane) co_return std::vector<Pending>{};
    co_return lane->overdue(call.lane, lanes_->now() - age, max);
  }

  Task<> close(Call call) override {
    lanes_->get_or_create(call.lane)->close(call.epoch);
    co_return Result<void>{};
  }

  Task<> rebuild(Call call, const LaneImage& image) override {
    const bool is_valid =
        image.lane == call.lane && image.epoch >= 1 && image.epoch <= kEpochMax && image.stock >= 0;
    if (!is_valid) co_return Errc::invalid;
    co_return lanes_->get_or_create(call.lane)->rebuild(image);
  }

  Task<> set_window(Call call, LaneWindow window) override {
    const auto lane = lanes_->get(call.lane);
    if (!lane) co_return Errc::not_ready;
    co_return lane->set_window(call.epoch, window);
  }

 private:
  MemoryLanes lanes_;
};

}  // namespace

MemoryLanes create_memory_lanes(std::shared_ptr<const Clock> clock) {
  return std::make_shared<memory::Lanes>(std::move(clock));
}

void forget_lane(memory::Lanes& lanes, LaneId lane) { lanes.forget(lane); }

std::unique_ptr<Inventory> create_memory_inventory(MemoryLanes lanes) {
  return std::make_unique<MemoryInventory>(std::move(lanes));
}

}  // namespace sluice
