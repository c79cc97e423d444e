#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "simulation/clock.hpp"
#include "simulation/crowd.hpp"
#include "simulation/ledger.hpp"
#include "simulation/node.hpp"
#include "simulation/plan.hpp"

namespace sluice::simulation {

/// One run: services, nodes and users, what befalls them, and the checks.
class World {
 public:
  /// `metrics` may be shared by runs: nothing depends on it.
  World(std::uint64_t seed, Metrics& metrics);
  ~World();

  /// Trouble, then peace, then rest; ends at the first violation.
  void run();

  const Story& story() const { return story_; }
  const Ledger::Figures& figures() const { return ledger_.figures; }
  std::uint64_t steps() const { return scheduler_.steps(); }
  std::uint64_t requests() const { return crowd_.requests(); }
  Millis virtual_time() const;

 private:
  void open_the_sales();
  void invite();
  void befall(const Incident& incident);
  void befall_node(const Incident& incident);
  void befall_redis(const Incident& incident);
  void befall_service(const Incident& incident);
  void slow_log(Millis lasts);
  void drift(const Incident& incident);
  void operate(const Incident& incident);
  void set_state(SaleId sale, SaleState state, Node& node);
  void start_node(std::size_t index);
  Node* some_node(std::uint64_t choice);

  void make_peace();
  void come_to_rest();
  void sell_the_rest();
  void pay_what_is_unpaid();
  bool sellable(const Sale& sale) const;

  /// Steps until then, or until a violation.
  void run_until(Ticks when);
  Ticks start() const { return kVirtualStart; }
  Services services();

  Plan plan_;
  Scheduler scheduler_;
  Story story_{scheduler_};
  WorldClock clock_{scheduler_};
  Network network_{scheduler_, story_};
  Store store_{clock_};
  Redis redis_{clock_};
  Log log_;
  Results results_{scheduler_};
  OrderIdSeal seal_{"simulation"};
  Metrics& metrics_;
  Ledger ledger_{scheduler_, story_, store_, redis_, log_, network_};
  Cluster nodes_;
  Crowd crowd_{services(), nodes_, ledger_};
  std::vector<unsigned> lives_;
  bool peace_ = false;
  bool all_paid_ = false;  ///< The shop pays all orders of all sales from now on.
};

}  // namespace sluice::simulation
