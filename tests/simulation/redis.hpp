#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "sluice/inventory/inventory.hpp"

#include "adapters/memory/lanes.hpp"
#include "simulation/network.hpp"

namespace sluice::simulation {

/// One Redis that all nodes share: the lanes of the memory inventory, which can be lost in all the
/// ways of a real Redis. Its functions are those that others want to hear of.
class Redis {
 public:
  struct Opened {
    memory::Lane lane;
    std::uint64_t replication = 0;  ///< Of the Redis in which it was opened.
  };
  using Lanes = std::map<LaneId, Opened>;

  explicit Redis(const Clock& clock) : clock_(clock) {}

  std::function<void(const Call&, const Attempt&)> on_grant = [](const Call&, const Attempt&) {};
  /// A unit of that order returned to the lane, which is open under that epoch.
  std::function<void(LaneId, Epoch, const OrderId&)> on_return = [](LaneId, Epoch, const OrderId&) {
  };
  /// A reservation that was there is not there any more.
  std::function<void(const OrderId&)> on_loss = [](const OrderId&) {};
  /// The lane was opened under that epoch.
  std::function<void(LaneId, Epoch)> on_open = [](LaneId, Epoch) {};

  Result<ReserveReply> reserve(const Call& call, In<Attempt> attempts);
  Result<void> settle(const Call& call, In<Settlement> settlements);
  std::vector<OrderMessage> overdue(LaneId id, Millis age, std::size_t max) const;
  Result<void> close(LaneId id, Epoch epoch);
  Result<void> stage(const Call& call, std::size_t place, In<LiveOrder> orders);
  Result<void> unstage(const Call& call);
  Result<void> rebuild(const Call& call, const LaneImage& image, std::size_t staged);

  /// The lane for all other calls: one that serves nothing when it was not opened in this Redis.
  memory::Lane& at(LaneId id);

  /// HINCRBY of a lane's units, as far as there are units. False when it is not open.
  bool drift_units(LaneId id, std::int64_t by);

  /// HDEL of the success record of some decided order; empty when there is none.
  std::optional<OrderId> forget_a_winner(LaneId id, std::uint64_t choice);

  /// FLUSHALL.
  void flush() { become({}); }

  /// A restart, or another server in its place, that has the data of some moment.
  void restart(Lanes with);

  const Lanes& lanes() const { return lanes_; }
  void lose(LaneId id) { lanes_.erase(id); }

 private:
  void become(Lanes lanes);

  const Clock& clock_;
  Lanes lanes_;
  memory::Lane absent_;
  std::uint64_t replication_ = 1;
};

std::unique_ptr<Inventory> create_inventory(Network& network, Caller caller, Redis& redis);

}  // namespace sluice::simulation
