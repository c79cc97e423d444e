#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/time.hpp"

#include "simulation/action.hpp"
#include "simulation/rng.hpp"
#include "simulation/wait_list.hpp"

namespace sluice::simulation {

class Scheduler;

/// When virtual time begins. Contract suites set deadlines by the host's monotonic clock, which
/// begins with the machine: a later beginning would be past their deadlines on a machine just
/// started.
inline constexpr Ticks kVirtualStart{std::chrono::seconds(1)};

/// What a real thread would be: an event loop of its own, stepped by the scheduler one handler at a
/// time. Destroy first what lives on it, as with a real one.
class Thread {
 public:
  explicit Thread(Scheduler& scheduler);
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  boost::asio::io_context& context() { return context_; }
  boost::asio::any_io_executor executor() { return context_.get_executor(); }
  Scheduler& scheduler() { return scheduler_; }
  WaitList& waits() { return waits_; }

  /// It may have something to do: call it after handing it anything.
  void wake() { awake_ = true; }

  /// A frozen thread is not stepped (SIGSTOP); what comes meanwhile waits.
  void freeze(bool frozen) { frozen_ = frozen; }
  bool frozen() const { return frozen_; }

 private:
  friend class Scheduler;

  bool runnable() const { return awake_ && !frozen_; }
  void run_one() { awake_ = context_.poll_one() != 0; }

  Scheduler& scheduler_;
  // No other thread ever touches it: no locks.
  boost::asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
      context_.get_executor()};
  WaitList waits_;
  bool awake_ = true;
  bool frozen_ = false;
};

/// Virtual time, and who runs next. Time passes only while no thread has anything to do.
class Scheduler {
 public:
  explicit Scheduler(std::uint64_t seed) : rng_(seed) {}

  Rng& rng() { return rng_; }
  Ticks now() const { return now_; }

  /// Things due at the same moment happen in random order.
  template <class Do>
  void at(Ticks when, Do work) {
    push(when, Action(std::in_place, std::move(work)));
  }

  template <class Duration, class Do>
  void in(Duration delay, Do work) {
    at(now_ + delay, std::move(work));
  }

  /// When time will next have to pass; empty while somebody has something to do, or for ever.
  std::optional<Ticks> idle_until() const;

  /// One handler or one event. False when there will never be another.
  bool step();

  std::uint64_t steps() const { return steps_; }

 private:
  friend class Thread;

  struct Event {
    Ticks at;
    std::uint64_t tie;
    Action action;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : tie > other.tie;
    }
  };

  void push(Ticks when, Action action);
  void fire();

  Rng rng_;
  Ticks now_ = kVirtualStart;
  std::vector<Event> heap_;
  std::vector<Thread*> threads_;
  std::vector<Thread*> runnable_;
  std::uint64_t steps_ = 0;
};

}  // namespace sluice::simulation
