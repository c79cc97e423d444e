#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "simulation/log.hpp"
#include "simulation/redis.hpp"
#include "simulation/store.hpp"
#include "simulation/story.hpp"

namespace sluice::simulation {

/// Watches the services from outside, and holds them to the invariants while the run goes on.
class Ledger {
 public:
  Ledger(const Scheduler& scheduler, Story& story, Store& store, Redis& redis, Log& log,
         const Network& network);

  // What the run does to the services, and what it excuses.

  /// Redis lost data or could not be reached: reservations that only it knew may be refused.
  void redis_in_trouble() { redis_trouble_ = true; }
  /// Somebody changed what Redis holds of the lane under that epoch, which must be found out.
  /// Until then it grants too much or too little; what it granted under it may be refused.
  void drifted(LaneId lane, Epoch epoch);
  /// So did somebody who deleted the record of that order.
  void forgotten(const OrderId& order) { forgotten_.insert(order); }
  bool was_forgotten(const OrderId& order) const { return forgotten_.contains(order); }
  /// An operator raises fences past what the log still has.
  void forced(SaleId sale) { forced_.insert(sale); }
  /// An operator asks for that state; the ticket is for when he is told that it holds.
  std::uint64_t asked(SaleId sale);
  void enforced(SaleId sale, SaleState state, std::uint64_t ticket);

  /// What is wrong with an acknowledged order that ended in this way; empty: nothing.
  std::string judge(const OrderId& id, LaneId lane, OrderStatus status, RejectReason reason) const;

  /// The order is a live one, or may still become one, and nobody made Redis forget it.
  bool may_live(const OrderId& id, LaneId lane) const;

  /// Why that order cannot be moved, as far as its row says; empty: it can.
  std::string unmovable(const OrderId& id, LaneId lane, Move move) const;

  /// A call of which its user had heard the answer before, at `answered`, came to Redis again, or
  /// late, and was granted then: he was told something else, and finds the order when he looks.
  bool granted_late(const OrderId& id, Ticks answered) const {
    const auto granted = granted_at_.find(id);
    return granted != granted_at_.end() && granted->second > answered;
  }

  /// What keeps the services from being at rest; empty: nothing.
  std::string unrest() const;

  /// All units of the lane are sold and none can come back, or its projection was made to say so.
  bool sold_out(LaneId lane) const;

  /// What is counted of a run, to see that runs reach what they should.
  struct Figures {
    std::uint64_t grants = 0;
    std::uint64_t openings = 0;
    std::uint64_t lost = 0;        ///< Reservations lost with Redis' data.
    std::uint64_t late = 0;        ///< Logged behind a fence.
    std::uint64_t adopted = 0;     ///< Of these, granted again.
    std::uint64_t by_store = 0;    ///< Lanes that the store took over.
    std::uint64_t rejected = 0;    ///< Acknowledged orders that ended rejected.
    std::uint64_t at_once = 0;     ///< Purchases that were answered confirmed.
    std::uint64_t backlogged = 0;  ///< Purchases that were answered so.
    std::uint64_t unknown = 0;     ///< Purchases whose outcome was left open.
    std::uint64_t paid = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t expired = 0;
    std::uint64_t relayed = 0;  ///< Units of cancelled and expired orders that reached Redis.
    std::uint64_t drifts = 0;   ///< Changes of Redis behind everybody's back.
    std::uint64_t ghosts = 0;   ///< Grants to users whose purchase was answered long before.
  };
  Figures figures;

 private:
  struct Drift {
    Epoch epoch = 0;
    std::optional<Ticks> over;  ///< When the fence passed it.
  };

  void committed(LaneId lane);
  void moved(const Store::Row& row, OrderStatus before);
  void suspected(LaneId lane, Accuser accuser);
  void granted(LaneId lane, Epoch epoch, const Attempt& attempt);
  void refused(const LateRefusal& refusal);
  void returned(LaneId lane, Epoch epoch, const OrderId& id);
  void opened(LaneId lane, Epoch epoch);
  void appended(const Log::Record& record);

  const Scheduler& scheduler_;
  Story& story_;
  Store& store_;
  Redis& redis_;
  const Network& network_;
  std::map<LaneId, LaneHead> heads_;
  std::map<LaneId, Epoch> opened_;
  std::map<LaneId, Drift> drifts_;
  std::set<std::pair<LaneId, Epoch>> drifted_;
  std::unordered_set<OrderId> forgotten_;
  std::unordered_map<OrderId, Ticks> granted_at_;  ///< By Redis, for the first time.
  /// How often an order came into a lane of that epoch, less how often it returned its units.
  std::map<std::tuple<LaneId, Epoch, OrderId>, int> held_;
  std::map<LaneId, Epoch> fence_logged_;
  std::unordered_set<OrderId> logged_in_time_;
  std::unordered_set<OrderId> logged_;
  std::map<LaneId, Ticks> returned_at_;   ///< When units came back last.
  std::map<SaleId, SaleState> enforced_;  ///< What an operator relies on.
  std::uint64_t last_asked_ = 0;
  std::set<SaleId> forced_;
  std::set<LaneId> store_sold_;  ///< Lanes that were once taken from Redis.
  bool redis_trouble_ = false;
};

}  // namespace sluice::simulation
