#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/dependency/dependency.hpp"

#include "simulation/rng.hpp"
#include "simulation/scheduler.hpp"
#include "simulation/story.hpp"
#include "simulation/wait.hpp"

namespace sluice::simulation {

enum class Service : std::uint8_t { redis, log, store };
inline constexpr std::size_t kServices = 3;

/// How often single calls go wrong, in a million.
struct CallFaults {
  std::uint32_t refuse = 0;     ///< Nothing is done and the caller knows.
  std::uint32_t drop = 0;       ///< Nothing is done and the caller does not know.
  std::uint32_t lose = 0;       ///< Done, and the caller does not know.
  std::uint32_t duplicate = 0;  ///< Done, and done again later.
  std::uint32_t slow = 0;       ///< It takes up to `slow_max`.
  Millis slow_max{3000};
};

/// One thread's way to the services.
struct Caller {
  Thread& thread;
  Who node;
  /// Through which its calls are made, as those of real adapters are; none in contract tests.
  Dependency* dependency = nullptr;
};

/// For a call, which owns what it is made with.
template <class T>
std::vector<T> copy_of(std::span<const T> values) {
  return {values.begin(), values.end()};
}

/// Carries calls from nodes to services and answers back, late, twice or never. A call that was
/// sent is carried out even when its node is dead by then.
class Network {
 public:
  Network(Scheduler& scheduler, Story& story) : scheduler_(scheduler), story_(story) {}

  /// Makes `work()`, which owns what it needs, at the service, and answers what it returned. By the
  /// deadline at the latest: `Errc::unknown` then, and whenever the answer is lost. A service that
  /// is away: `Errc::unavailable`.
  template <class T, class Work>
  Task<T> call(Caller caller, Service to, Ticks deadline, Work work) {
    if (caller.dependency == nullptr) return send_out<T>(caller, to, deadline, std::move(work));
    auto operation = [this, caller, to, deadline, work = std::move(work)] {
      return send_out<T>(caller, to, deadline, work);
    };
    return caller.dependency->call<T>(Step{"call"}, deadline, std::move(operation));
  }

  template <class T, class Work>
  Task<T> send_out(Caller caller, Service to, Ticks deadline, Work work) {
    auto exchange = std::make_shared<Exchange<T, Work>>(caller.thread, std::move(work));
    exchange->deadline = deadline;
    exchange->node = caller.node;
    exchange->to = to;
    Begin<T, Work> begin{this, std::move(exchange)};
    return suspend<Result<T>>(std::move(begin));
  }

  CallFaults& faults(Service service) { return state(service).faults; }

  /// Nobody reaches the service (nothing listens) until `heal`.
  void down(Service service, bool is_down) { state(service).down = is_down; }
  bool is_down(Service service) const { return states_[index(service)].down; }

  /// The service takes calls and answers none until then (SIGSTOP).
  void freeze(Service service, Ticks until) { state(service).frozen_until = until; }

  /// Calls take this much longer.
  void drag(Service service, Millis by) { state(service).drag = by; }

  /// Cuts all connections: calls under way end unknown, done or not.
  void cut(Service service) { ++state(service).connections; }

  /// Between this node and that service nothing passes.
  void part(Who node, Service service) { parted_.emplace(node, service); }
  void join(Who node, Service service) { parted_.erase({node, service}); }

  /// Whether calls of the node arrive there now.
  bool reaches(Who node, Service service) const {
    return !states_[index(service)].down && !parted_.contains({node, service});
  }

  /// What happens now is a call that is carried out again.
  bool repeats() const { return repeats_; }

  /// No more faults of any kind.
  void heal();

  /// Calls are carried out and answered at once, without the scheduler: for contract tests.
  void be_instant() { instant_ = true; }

  Scheduler& scheduler() { return scheduler_; }
  Story& story() { return story_; }

 private:
  struct State {
    CallFaults faults;
    Ticks frozen_until{};
    Millis drag{0};
    std::uint32_t connections = 0;
    bool down = false;
  };

  template <class T, class Work>
  struct Exchange : Wait<Result<T>> {
    Exchange(Thread& thread, Work w) : Wait<Result<T>>(thread), work(std::move(w)) {}
    Work work;
    Ticks deadline;
    Who node = 0;
    Service to = Service::redis;
    std::uint32_t connection = 0;
    bool lose = false;
  };

  template <class T, class Work>
  struct Begin {
    Network* network;
    std::shared_ptr<Exchange<T, Work>> exchange;
    void operator()(Completion<Result<T>> completion) {
      exchange->begin(std::move(completion));
      if (exchange->deadline <= network->scheduler_.now()) {
        exchange->answer(Errc::unavailable);
      } else if (network->instant_) {
        exchange->answer(exchange->work());
      } else {
        network->send(exchange);
      }
    }
  };

  static std::size_t index(Service service) { return static_cast<std::size_t>(service); }
  State& state(Service service) { return states_[index(service)]; }
  Micros one_way(Service service);

  template <class X>
  void send(std::shared_ptr<X> exchange) {
    auto& service = state(exchange->to);
    auto& rng = scheduler_.rng();
    exchange->connection = service.connections;
    const auto there = one_way(exchange->to);
    if (!reaches(exchange->node, exchange->to) || rng.ppm(service.faults.refuse)) {
      reply(exchange, there, Errc::unavailable);
      return;
    }
    if (rng.ppm(service.faults.drop)) {
      give_up(exchange);
      return;
    }
    exchange->lose = rng.ppm(service.faults.lose);
    if (rng.ppm(service.faults.duplicate)) {
      const auto late = rng.between(Millis{1}, rng.one_in(3) ? Millis{10'000} : Millis{300});
      scheduler_.in(there + late, [this, exchange] { repeat(exchange); });
    }
    scheduler_.in(there, [this, exchange] { arrive(exchange); });
  }

  template <class X>
  void arrive(std::shared_ptr<X> exchange) {
    auto& service = state(exchange->to);
    if (exchange->connection != service.connections || !reaches(exchange->node, exchange->to)) {
      reply(exchange, Micros{100}, Errc::unknown);
      return;
    }
    if (service.frozen_until > scheduler_.now()) {
      give_up(exchange);
      const auto wakes = service.frozen_until + scheduler_.rng().between(Micros{1}, Micros{3000});
      scheduler_.at(wakes, [this, exchange] { arrive(exchange); });
      return;
    }
    auto result = exchange->work();
    if (exchange->lose) {
      story_.note(exchange->node, "an answer of service {} is lost",
                  static_cast<std::int64_t>(exchange->to));
      give_up(exchange);
    } else {
      reply(exchange, one_way(exchange->to), std::move(result));
    }
  }

  template <class X>
  void repeat(std::shared_ptr<X> exchange) {
    auto& service = state(exchange->to);
    const bool asleep = service.frozen_until > scheduler_.now();
    if (exchange->connection != service.connections || service.down || asleep) return;
    story_.note(exchange->node, "a call to service {} is carried out again",
                static_cast<std::int64_t>(exchange->to));
    repeats_ = true;
    exchange->work();
    repeats_ = false;
  }

  template <class X, class R>
  void reply(std::shared_ptr<X> exchange, Micros after, R result) {
    if (scheduler_.now() + after > exchange->deadline) {
      give_up(exchange);
      return;
    }
    scheduler_.in(after, [exchange, result = std::move(result)]() mutable {
      exchange->answer(std::move(result));
    });
  }

  template <class X>
  void give_up(std::shared_ptr<X> exchange) {
    scheduler_.at(exchange->deadline, [exchange] { exchange->answer(Errc::unknown); });
  }

  Scheduler& scheduler_;
  Story& story_;
  std::array<State, kServices> states_;
  std::set<std::pair<Who, Service>> parted_;
  bool instant_ = false;
  bool repeats_ = false;
};

}  // namespace sluice::simulation
