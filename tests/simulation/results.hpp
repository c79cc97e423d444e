#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sluice/fulfilment/result_feed.hpp"

#include "simulation/network.hpp"

namespace sluice::simulation {

/// Carries announcements between nodes; some are lost.
class Results {
 public:
  explicit Results(Scheduler& scheduler) : scheduler_(scheduler) {}

  std::uint32_t lose = 0;  ///< So many in a million never arrive.

  /// Announcements arrive at once, without the scheduler: for contract tests.
  void be_instant() { instant_ = true; }

  struct Listener {
    Thread* thread;
    ResultFeed::Listener call;
  };

  void add(std::shared_ptr<Listener> listener) { listeners_.push_back(std::move(listener)); }
  void remove(const std::shared_ptr<Listener>& listener) { std::erase(listeners_, listener); }
  void announce(const std::vector<Outcome>& outcomes);

 private:
  static void deliver(std::weak_ptr<Listener> to, std::vector<Outcome> outcomes);

  Scheduler& scheduler_;
  bool instant_ = false;
  std::vector<std::shared_ptr<Listener>> listeners_;
};

std::unique_ptr<ResultFeed> create_result_feed(Network& network, Caller caller, Results& results);

}  // namespace sluice::simulation
