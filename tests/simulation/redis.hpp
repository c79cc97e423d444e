#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "sluice/inventory/inventory.hpp"

#include "simulation/network.hpp"

namespace sluice::simulation {

/// One Redis that all nodes share, as the scripts under `lua/` make it behave. Each function is one
/// script. It can lose what it holds, in all the ways of a real one.
class Redis {
 public:
  struct Record {
    OrderView order;
    TimePoint reserved_at{};
  };

  /// The four keys of a lane.
  struct Lane {
    Epoch epoch = 0;
    std::uint64_t replication = 0;  ///< Of the Redis in which it was opened.
    bool closed = false;
    std::uint64_t version = 0;
    std::int64_t stock = 0;
    LaneWindow window;
    std::map<UserId, Record> records;
    std::map<std::pair<TimePoint, OrderId>, UserId> pending;
  };
  using Lanes = std::map<LaneId, Lane>;

  explicit Redis(const Clock& clock) : clock_(clock) {}

  std::function<void(LaneId, const Attempt&)> on_grant = [](LaneId, const Attempt&) {
  };
  /// A unit of that order returned to the lane, which is open under that epoch.
  std::function<void(LaneId, Epoch, const OrderId&)> on_return = [](LaneId, Epoch, const OrderId&) {
  };
  /// A reservation that was there is not there any more.
  std::function<void(const OrderId&)> on_loss = [](const OrderId&) {
  };
  /// The lane was opened under that epoch.
  std::function<void(LaneId, Epoch)> on_open = [](LaneId, Epoch) {
  };

  Result<ReserveReply> reserve(LaneId lane, Epoch epoch, const std::vector<Attempt>& attempts);
  Result<void> settle(LaneId lane, Epoch epoch, const std::vector<Settlement>& settlements);
  Result<std::vector<std::optional<OrderView>>> find(LaneId lane, Epoch epoch,
                                                     const std::vector<UserId>& users) const;
  Result<LaneView> view(LaneId lane) const;
  Result<Winners> winners(LaneId lane, Epoch epoch) const;
  Result<std::vector<Pending>> overdue(LaneId lane, Millis age, std::size_t max) const;
  Result<void> close(LaneId lane, Epoch epoch);
  Result<void> rebuild(LaneId lane, const LaneImage& image);
  Result<void> set_window(LaneId lane, Epoch epoch, LaneWindow window);

  /// HINCRBY of a lane's units, as far as there are units. False when it is not open.
  bool drift_units(LaneId lane, std::int64_t by);

  /// HDEL of the success record of some decided order; empty when there is none.
  std::optional<OrderId> forget_a_winner(LaneId lane, std::uint64_t choice);

  /// FLUSHALL.
  void flush() { become({}); }

  /// A restart, or another server in its place, that has the data of some moment.
  void restart(Lanes with);

  const Lanes& lanes() const { return lanes_; }
  void lose(LaneId lane) { lanes_.erase(lane); }

 private:
  Lane* ready(LaneId lane, Epoch epoch);
  const Lane* ready(LaneId lane, Epoch epoch) const;
  bool valid(const Lane& lane) const;
  Reservation decide(LaneId id, Lane& lane, const Attempt& attempt);
  void settle_one(LaneId id, Lane& lane, const Settlement& settlement);
  void become(Lanes lanes);

  const Clock& clock_;
  Lanes lanes_;
  std::uint64_t replication_ = 1;
};

std::unique_ptr<Inventory> create_inventory(Network& network, Caller caller, Redis& redis);

}  // namespace sluice::simulation
