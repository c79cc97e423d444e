#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "simulation/log.hpp"
#include "simulation/redis.hpp"
#include "simulation/store.hpp"
#include "simulation/story.hpp"

namespace sluice::simulation {

/// Watches the services from outside, and holds them to the invariants while the run goes on.
class Ledger {
 public:
  Ledger(const Scheduler& scheduler, Story& story, Store& store, Redis& redis, Log& log);

  // What the run does to the services, and what it excuses.

  /// Redis lost data or could not be reached: reservations that only it knew may be refused.
  void redis_in_trouble() { redis_trouble_ = true; }
  /// An operator gives up what only the log knows.
  void forced(SaleId sale) { forced_.insert(sale); }
  /// An operator asks for that state; the ticket is for when he is told that it holds.
  std::uint64_t asked(SaleId sale);
  void enforced(SaleId sale, SaleState state, std::uint64_t ticket);

  /// What is wrong with an acknowledged order that ended in this way; empty: nothing.
  std::string judge(const OrderId& id, LaneId lane, OrderStatus status, RejectReason reason) const;

  /// The order is a live one, or may still become one.
  bool may_live(const OrderId& id, LaneId lane) const;

  /// What keeps the services from being at rest; empty: nothing.
  std::string unrest() const;

  /// All units of every lane that may sell are sold.
  bool sold_out(LaneId lane) const;

  /// What is counted of a run, to see that runs reach what they should.
  struct Figures {
    std::uint64_t grants = 0;
    std::uint64_t openings = 0;
    std::uint64_t lost = 0;        ///< Reservations lost with Redis' data.
    std::uint64_t late = 0;        ///< Logged behind a fence.
    std::uint64_t by_store = 0;    ///< Lanes that the store took over.
    std::uint64_t rejected = 0;    ///< Acknowledged orders that ended rejected.
    std::uint64_t at_once = 0;     ///< Purchases that were answered confirmed.
    std::uint64_t backlogged = 0;  ///< Purchases that were answered so.
    std::uint64_t unknown = 0;     ///< Purchases whose outcome was left open.
  };
  Figures figures;

 private:
  void committed(LaneId lane);
  void granted(LaneId lane, const Attempt& attempt);
  void opened(LaneId lane, Epoch epoch);
  void appended(const Log::Record& record);

  const Scheduler& scheduler_;
  Story& story_;
  Store& store_;
  Redis& redis_;
  std::map<LaneId, LaneHead> heads_;
  std::map<LaneId, Epoch> opened_;
  std::map<LaneId, Epoch> fence_logged_;
  std::unordered_set<OrderId> logged_in_time_;
  std::map<SaleId, SaleState> enforced_;  ///< What an operator relies on.
  std::uint64_t last_asked_ = 0;
  std::set<SaleId> forced_;
  std::set<LaneId> store_sold_;  ///< Lanes that were once taken from Redis.
  bool redis_trouble_ = false;
};

}  // namespace sluice::simulation
