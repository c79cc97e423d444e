#include "simulation/clock.hpp"

#include <stdexcept>
#include <utility>

#include "simulation/wait.hpp"

namespace sluice::simulation {
namespace {

struct Sleep {
  std::shared_ptr<Wait<bool>> wait;
  Scheduler* scheduler;
  Ticks until;

  void operator()(Completion<bool> completion) {
    wait->begin(std::move(completion));
    scheduler->at(until, [wait = wait] { wait->answer(true); });
  }
};

}  // namespace

TimePoint wall_time(const Scheduler& scheduler) {
  return kWallStart + std::chrono::floor<Millis>(scheduler.now().time_since_epoch());
}

boost::asio::awaitable<void> NodeClock::sleep_until(Ticks when) {
  auto& scheduler = thread_.scheduler();
  if (when <= scheduler.now()) co_return;
  const auto until = when + scheduler.rng().between(Millis{0}, sloth_);
  Sleep sleep{std::make_shared<Wait<bool>>(thread_), &scheduler, until};
  co_await suspend<bool>(std::move(sleep));
}

boost::asio::awaitable<void> WorldClock::sleep_until(Ticks) {
  throw std::logic_error("services do not sleep");
  co_return;
}

}  // namespace sluice::simulation
