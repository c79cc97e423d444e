#pragma once

#include <memory>

#include "sluice/base/time.hpp"

#include "simulation/scheduler.hpp"

namespace sluice::simulation {

/// When virtual time began, on the wall.
inline constexpr TimePoint kWallStart{Millis{1'800'000'000'000}};

/// The true wall time, which Redis, the log and the store go by.
TimePoint wall_time(const Scheduler& scheduler);

/// What a node's wall clock is wrong by. It may jump.
struct Skew {
  Millis by{0};
};

/// The clock of one thread of a node. Sleeps end through the scheduler's heap; they may be longer
/// than asked for by up to `sloth`, as on a busy machine.
class NodeClock final : public Clock {
 public:
  NodeClock(Thread& thread, const Skew& skew, Millis sloth)
      : thread_(thread), skew_(skew), sloth_(sloth) {}

  TimePoint now() const override { return wall_time(thread_.scheduler()) + skew_.by; }
  Ticks ticks() const override { return thread_.scheduler().now(); }
  boost::asio::awaitable<void> sleep_until(Ticks when) override;

 private:
  Thread& thread_;
  const Skew& skew_;
  Millis sloth_;
};

/// The clock of the services.
class WorldClock final : public Clock {
 public:
  explicit WorldClock(const Scheduler& scheduler) : scheduler_(scheduler) {}

  TimePoint now() const override { return wall_time(scheduler_); }
  Ticks ticks() const override { return scheduler_.now(); }
  boost::asio::awaitable<void> sleep_until(Ticks when) override;

 private:
  const Scheduler& scheduler_;
};

}  // namespace sluice::simulation
