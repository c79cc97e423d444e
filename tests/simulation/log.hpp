#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sluice/fulfilment/order_feed.hpp"
#include "sluice/orders/order_queue.hpp"
#include "sluice/orders/order_store.hpp"

#include "simulation/network.hpp"

namespace sluice::simulation {

inline constexpr auto kTopic = "orders";

/// The partitioned log. A record, once in it, stays where it is.
class Log {
 public:
  using Record = std::variant<OrderMessage, Fence, std::string>;

  /// Who reads partitions: told what is his, late, so that two may think it theirs for a moment.
  class Consumer {
   public:
    virtual ~Consumer() = default;
    virtual void assign(std::vector<std::int32_t> partitions) = 0;
    virtual bool responsive() const = 0;
  };

  Log(Scheduler& scheduler, Story& story, const Clock& clock, std::int32_t partitions);

  std::function<void(const Record&)> on_append = [](const Record&) {};

  std::int32_t partitions() const { return static_cast<std::int32_t>(records_.size()); }
  std::int32_t partition_of(LaneId lane) const;

  void append(std::int32_t partition, Record record);

  /// What a producer is told about one message: mostly that it is there. So often in a million it
  /// comes later and nobody is told.
  std::uint32_t tardy = 0;
  Receipt take(std::int32_t partition, const OrderMessage& message);

  /// How many were ever sent.
  std::int64_t heartbeats = 0;

  /// What consumers put aside.
  std::vector<Poison> dead_letters;

  const std::vector<Record>& records(std::int32_t partition) const {
    return records_.at(static_cast<std::size_t>(partition));
  }

  /// Records ever written.
  std::int64_t end() const;

  /// From `begin`, at most `max` records; complete up to now.
  Delivery read(std::int32_t partition, std::int64_t begin, std::size_t max) const;

  /// Calls `wake` once when something is appended.
  void await(std::function<void()> wake) { sleepers_.push_back(std::move(wake)); }

  void join(Consumer* consumer);
  /// It says that it is gone.
  void leave(Consumer* consumer);
  /// It is gone without a word; the others learn of it after the session's time.
  void lose(Consumer* consumer);
  /// Deals the partitions out anew.
  void rebalance();

 private:
  void tell(Consumer* consumer, std::vector<std::int32_t> partitions);

  Scheduler& scheduler_;
  Story& story_;
  const Clock& clock_;
  std::vector<std::vector<Record>> records_;
  std::vector<Consumer*> consumers_;
  std::vector<std::function<void()>> sleepers_;
  std::uint64_t generation_ = 0;
};

std::unique_ptr<OrderQueue> create_queue(Network& network, Caller caller, Log& log);

/// `positions` belongs to the same thread.
std::unique_ptr<OrderFeed> create_feed(Network& network, Caller caller, Log& log,
                                       OrderStore& positions, Clock& clock);

}  // namespace sluice::simulation
