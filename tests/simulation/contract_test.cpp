#include <boost/asio/co_spawn.hpp>
#include <memory>
#include <thread>
#include <utility>

#include "simulation/clock.hpp"
#include "simulation/log.hpp"
#include "simulation/redis.hpp"
#include "simulation/results.hpp"
#include "simulation/store.hpp"
#include "support/control_store_contract.hpp"
#include "support/inventory_contract.hpp"
#include "support/order_feed_contract.hpp"
#include "support/order_queue_contract.hpp"
#include "support/order_store_contract.hpp"
#include "support/order_transitions_contract.hpp"
#include "support/result_feed_contract.hpp"
#include "support/sale_store_contract.hpp"

// The simulated services keep the promises of the ports, as the real adapters do: otherwise the
// simulator would prove something about another program.

namespace sluice::simulation {
namespace {

using std::chrono::steady_clock;

/// A scheduler and a network without faults.
struct Ground {
  Ground() { network.be_instant(); }

  Caller caller() { return {thread, 1}; }

  Scheduler scheduler{1};
  Story story{scheduler};
  Network network{scheduler, story};
  Thread thread{scheduler};
  std::shared_ptr<Clock> clock = system_clock();
};

class SimulatedStores final : public test::StoreWorld {
 public:
  test::StoreSet open() override {
    test::StoreSet set;
    set.orders = create_order_store(ground_.network, ground_.caller(), store_);
    set.moves = create_order_transitions(ground_.network, ground_.caller(), store_);
    set.late = create_late_orders(ground_.network, ground_.caller(), store_);
    set.sales = create_sale_store(ground_.network, ground_.caller(), store_);
    set.control = create_control_store(ground_.network, ground_.caller(), store_);
    return set;
  }

  // The suite would use them from several threads.
  bool concurrent() const override { return false; }

 private:
  Ground ground_;
  Store store_{*ground_.clock};
};

const test::StoreContract kStores{"Simulated", [] { return std::make_unique<SimulatedStores>(); }};
[[maybe_unused]] const bool kOrders = test::register_order_store_contract(kStores);
[[maybe_unused]] const bool kMoves = test::register_order_moves_contract(kStores);
[[maybe_unused]] const bool kSales = test::register_sale_store_contract(kStores);
[[maybe_unused]] const bool kControl = test::register_control_store_contract(kStores);

class SimulatedRedis final : public test::InventoryWorld {
 public:
  boost::asio::io_context& context() override { return ground_.thread.context(); }
  Inventory& inventory() override { return *inventory_; }
  LaneId make_lane(std::uint32_t index) override { return {++sales_, index}; }
  void lose(LaneId lane) override { redis_.lose(lane); }

 private:
  Ground ground_;
  Redis redis_{*ground_.clock};
  std::unique_ptr<Inventory> inventory_ =
      create_inventory(ground_.network, ground_.caller(), redis_);
  SaleId sales_ = 0;
};

[[maybe_unused]] const bool kInventory = test::register_inventory_contract(
    {"Simulated", [] { return std::make_unique<SimulatedRedis>(); }});

class SimulatedResults final : public test::ResultFeedWorld {
 public:
  SimulatedResults() { results_.be_instant(); }

  boost::asio::io_context& context() override { return ground_.thread.context(); }
  std::unique_ptr<ResultFeed> make_feed() override {
    return create_result_feed(ground_.network, ground_.caller(), results_);
  }

 private:
  Ground ground_;
  Results results_{ground_.scheduler};
};

[[maybe_unused]] const bool kResults = test::register_result_feed_contract(
    {"Simulated", [] { return std::make_unique<SimulatedResults>(); }});

/// The simulated log, for callers in real time: virtual time keeps step with it.
class PacedLog {
 public:
  explicit PacedLog(std::int32_t partitions) : log(scheduler, story, world_clock, partitions) {}

  Ticks virtual_time(Ticks real) const { return real - began_ + scheduler_began_; }

  TimePoint real_time(TimePoint simulated) const {
    return simulated - kWallStart - std::chrono::floor<Millis>(kVirtualStart.time_since_epoch()) +
           wall_began_;
  }

  /// Runs a coroutine on the simulated thread to its end.
  template <class T>
  T run(boost::asio::awaitable<T> work) {
    std::optional<T> value;
    boost::asio::co_spawn(thread.context(), std::move(work),
                          [&value](std::exception_ptr thrown, T result) {
                            if (thrown) std::rethrow_exception(thrown);
                            value.emplace(std::move(result));
                          });
    thread.wake();
    while (!value) step();
    return std::move(*value);
  }

  void step() {
    if (const auto until = scheduler.idle_until()) {
      std::this_thread::sleep_until(*until - scheduler_began_ + began_);
    }
    scheduler.step();
  }

  Scheduler scheduler{1};
  Story story{scheduler};
  WorldClock world_clock{scheduler};
  Network network{scheduler, story};
  Thread thread{scheduler};
  Skew skew;
  NodeClock clock{thread, skew, Millis{0}};
  Log log;

 private:
  const Ticks scheduler_began_ = scheduler.now();
  const Ticks began_ = steady_clock::now();
  const TimePoint wall_began_ = std::chrono::floor<Millis>(std::chrono::system_clock::now());
};

class SimulatedQueue final : public test::OrderQueueHarness {
 public:
  std::vector<Result<std::vector<Receipt>>> publish(std::vector<Publish> calls) override {
    std::vector<std::optional<Result<std::vector<Receipt>>>> got(calls.size());
    std::size_t missing = calls.size();
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const auto deadline = paced_.virtual_time(calls[i].deadline);
      auto work = queue_->publish(deadline, calls[i].messages);
      boost::asio::co_spawn(paced_.thread.context(), std::move(work),
                            [&got, &missing, i](std::exception_ptr thrown, auto answer) {
                              if (thrown) std::rethrow_exception(thrown);
                              got[i].emplace(std::move(answer));
                              --missing;
                            });
    }
    paced_.thread.wake();
    while (missing > 0) paced_.step();
    std::vector<Result<std::vector<Receipt>>> answers;
    for (auto& answer : got) answers.push_back(std::move(*answer));
    return answers;
  }

  Result<void> fence(Ticks deadline, Fence fence) override {
    return paced_.run(queue_->fence(paced_.virtual_time(deadline), fence));
  }

  std::vector<OrderMessage> arrived(std::size_t) override {
    std::vector<OrderMessage> messages;
    for (const auto& record : paced_.log.records(0)) {
      if (const auto* message = std::get_if<OrderMessage>(&record)) messages.push_back(*message);
    }
    return messages;
  }

  std::vector<ArrivedFence> fences(std::size_t, std::size_t) override {
    std::vector<ArrivedFence> fences;
    for (const auto& record : paced_.log.records(0)) {
      if (const auto* fence = std::get_if<Fence>(&record)) fences.push_back({*fence, 0});
    }
    for (auto& arrived : fences) arrived.behind = before(arrived.fence);
    return fences;
  }

  void silence() override {
    paced_.network.freeze(Service::log, paced_.scheduler.now() + std::chrono::hours(1));
  }

 private:
  std::size_t before(const Fence& fence) const {
    std::size_t count = 0;
    for (const auto& record : paced_.log.records(0)) {
      if (std::holds_alternative<Fence>(record) && std::get<Fence>(record) == fence) break;
      const auto* message = std::get_if<OrderMessage>(&record);
      count += message != nullptr && message->lane == fence.lane;
    }
    return count;
  }

  PacedLog paced_{1};
  std::unique_ptr<OrderQueue> queue_ = create_queue(paced_.network, {paced_.thread, 1}, paced_.log);
};

[[maybe_unused]] const bool kQueue = test::register_order_queue_contract(
    {"Simulated", [] { return std::make_unique<SimulatedQueue>(); }});

/// Runs the calls of a real caller in virtual time.
class PacedFeed final : public OrderFeed {
 public:
  PacedFeed(PacedLog& paced, OrderStore& positions)
      : paced_(paced),
        inner_(create_feed(paced.network, {paced.thread, 1}, paced.log, positions, paced.clock)) {}

  Task<Delivery> next(Ticks deadline, std::size_t max) override {
    auto delivery = paced_.run(inner_->next(paced_.virtual_time(deadline), max));
    if (delivery && delivery->range) {
      delivery->range->log_time = paced_.real_time(delivery->range->log_time);
    }
    co_return delivery;
  }

  Task<> leave(Ticks deadline) override {
    co_return paced_.run(inner_->leave(paced_.virtual_time(deadline)));
  }

  Task<> rewind(Ticks deadline, OffsetRange range) override {
    co_return paced_.run(inner_->rewind(paced_.virtual_time(deadline), std::move(range)));
  }

  Task<> dead_letter(Ticks deadline, const OffsetRange& range, In<Poison> poison) override {
    co_return paced_.run(inner_->dead_letter(paced_.virtual_time(deadline), range, poison));
  }

 private:
  PacedLog& paced_;
  std::unique_ptr<OrderFeed> inner_;
};

class SimulatedFeed final : public test::OrderFeedHarness {
 public:
  OrderFeed& feed() override { return feed_; }
  test::PositionStore& store() override { return store_; }
  LaneId lane(std::int32_t partition) override {
    return {test::kContractPartitions, static_cast<std::uint32_t>(partition)};
  }

  void append(std::int32_t partition, std::vector<std::string> values) override {
    for (auto& value : values) {
      Log::Record record = std::move(value);
      const auto& bytes = std::get<std::string>(record);
      if (const auto message = parse_order_message(bytes)) {
        record = *message;
      } else if (const auto fence = parse_fence(bytes)) {
        record = *fence;
      }
      paced_.log.append(partition, std::move(record));
    }
  }

  std::vector<Poison> dead_letters(std::size_t) override { return paced_.log.dead_letters; }

 private:
  PacedLog paced_{test::kContractPartitions};
  test::PositionStore store_;
  PacedFeed feed_{paced_, store_};
};

[[maybe_unused]] const bool kFeed = test::register_order_feed_contract(
    {"Simulated", [] { return std::make_unique<SimulatedFeed>(); }});

}  // namespace
}  // namespace sluice::simulation
