#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sluice/base/time.hpp"
#include "sluice/domain/order.hpp"
#include "sluice/fulfilment/order_feed.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice::test {

/// A store that keeps positions and the messages applied to it, in memory, for tests of feeds. It
/// decides nothing. Use it from one thread, or share it between feeds that take turns.
class PositionStore final : public OrderStore {
 public:
  /// While true, `position` answers `Errc::unavailable`.
  void fail_positions(bool failing) { failing_ = failing; }

  void place(std::int32_t partition, std::int64_t next) { positions_[partition] = next; }

  /// In the order in which they were applied.
  const std::vector<OrderMessage>& applied() const { return applied_; }

  /// In the order in which they were raised.
  const std::vector<Fence>& fences() const { return fences_; }

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override;
  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override;

  Task<std::vector<std::optional<Order>>> find(Ticks, In<OrderKey>) override;
  Task<std::optional<Order>> find_live(Ticks, SaleId, UserId) override;
  Task<LaneHead> head(Ticks, LaneId) override;
  Task<std::vector<std::pair<LaneId, LaneHead>>> heads(Ticks, In<SaleId>) override;
  Task<Epoch> next_epoch(Ticks, LaneId, Authority, std::optional<Term>) override;
  Task<> begin_opening(Ticks, Fence, Term) override;
  Task<> raise_fence(Ticks, Fence, std::optional<Epoch>, std::optional<Term>) override;
  Task<> suspect(Ticks, LaneId) override;
  Task<StoredImage> image(Ticks, LaneId) override;
  Task<LaneSnapshot> lane_snapshot(Ticks, LaneId, In<UserId>) override;
  Task<std::vector<UserId>> winners(Ticks, LaneId, std::string, std::size_t) override;
  Task<LogProgress> progress(Ticks, std::string, std::int32_t) override;
  Task<std::vector<LaneFigures>> audit(Ticks, SaleId) override;

 private:
  bool failing_ = false;
  std::map<std::int32_t, std::int64_t> positions_;
  std::vector<OrderMessage> applied_;
  std::vector<Fence> fences_;
};

/// One feed and the log it reads, as the contract suite sees them.
class OrderFeedHarness {
 public:
  virtual ~OrderFeedHarness() = default;

  /// Reads positions from `store()`.
  virtual OrderFeed& feed() = 0;
  virtual PositionStore& store() = 0;

  /// A lane whose records belong into that partition.
  virtual LaneId lane(std::int32_t partition) = 0;

  /// Adds values to a partition, in order; they are in the log when this returns.
  virtual void append(std::int32_t partition, std::vector<std::string> values) = 0;

  /// What was dead-lettered. Waits until there are at least `count`, at most about ten seconds.
  virtual std::vector<Poison> dead_letters(std::size_t count) = 0;
};

inline constexpr std::int32_t kContractPartitions = 3;

/// How the contract suite makes an implementation's harness: `make` gives a fresh one each time,
/// with an empty log of `kContractPartitions` partitions. Registered at static initialisation by
/// one source of the adapter's test program:
///
///     const test::OrderFeedContract kKafka{"Kafka", [] { return std::make_unique<World>(); }};
///     const bool kRegistered = test::register_order_feed_contract(kKafka);
///
/// The tests then appear as `Contract/OrderFeedTest.…/Kafka`.
struct OrderFeedContract {
  std::string name;  ///< Letters and digits.
  std::function<std::unique_ptr<OrderFeedHarness>()> make;
};

/// Adds an implementation to the suite: what every `OrderFeed` promises. Call it at static
/// initialisation. Always true.
bool register_order_feed_contract(OrderFeedContract contract);

}  // namespace sluice::test
