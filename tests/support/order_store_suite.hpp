#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/contract_registry.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {

using Messages = std::vector<OrderMessage>;
using Outcomes = std::vector<Outcome>;

inline Result<Outcomes> try_apply(OrderStore& store, const Messages& messages,
                                  std::optional<OffsetRange> range = std::nullopt) {
  return run_awaitable(store.apply(soon(), messages, std::move(range)));
}

/// One fresh database for each test of an order store. The suites are sections of one contract.
class OrderStoreSuite : public testing::TestWithParam<StoreContract> {
 protected:
  OrderStoreSuite() : world_(GetParam().make()), stores_(world_->open()) {}

  Sale create_sale(std::int64_t stock, std::uint32_t lanes = 1, std::uint32_t limit = 1000) {
    auto sale = run_awaitable(stores_.sales->create(soon(), draft_of(stock, lanes, limit)));
    return sale.value();
  }

  LaneId create_lane(std::int64_t stock) { return LaneId{create_sale(stock).id, 0}; }

  Outcomes apply(const Messages& messages, std::optional<OffsetRange> range = std::nullopt) {
    return try_apply(orders(), messages, std::move(range)).value();
  }

  std::optional<Order> find(const OrderMessage& message) {
    const std::vector<OrderKey> keys{{message.id, message.lane.sale, message.user}};
    return run_awaitable(orders().find(soon(), keys)).value().at(0);
  }

  SaleFigures audit(SaleId sale) { return figures_of(orders(), sale); }

  LaneHead head(LaneId lane) { return run_awaitable(orders().head(soon(), lane)).value(); }

  Epoch next_epoch(LaneId lane, Authority authority = Authority::inventory) {
    return run_awaitable(orders().next_epoch(soon(), lane, authority, std::nullopt)).value();
  }

  void raise_fence(LaneId lane, Epoch epoch) {
    run_awaitable(orders().raise_fence(soon(), Fence{lane, epoch}, std::nullopt, std::nullopt))
        .value();
  }

  /// Allots an epoch and raises the fence to it.
  Epoch fence(LaneId lane, Authority authority = Authority::inventory) {
    const auto epoch = next_epoch(lane, authority);
    raise_fence(lane, epoch);
    return epoch;
  }

  WholeImage image(LaneId lane) {
    return run_awaitable(whole_image(orders(), soon(), lane)).value();
  }

  std::int64_t position(const std::string& topic, std::int32_t partition = 0) {
    return run_awaitable(orders().position(soon(), topic, partition)).value();
  }

  LogProgress progress(const std::string& topic, std::int32_t partitions) {
    return run_awaitable(orders().progress(soon(), topic, partitions)).value();
  }

  OrderStore& orders() { return *stores_.orders; }

  std::unique_ptr<StoreWorld> world_;
  StoreSet stores_;
};

/// Applies slices of messages and remembers what it saw: one of several instances at once.
struct Racer {
  std::vector<std::pair<std::size_t, Outcome>> seen;
  std::string problem;

  /// Applies `messages`, forward or backward, each of them twice.
  void run(StoreWorld& world, const Messages& messages, bool forward, std::size_t slice);
};

/// The sections, each registered like the whole.
bool register_order_store_log(StoreContract contract);
bool register_order_store_epochs(StoreContract contract);
bool register_late_orders(StoreContract contract);

}  // namespace sluice::test
