#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "sluice/adapters/memory/memory.hpp"

#include "adapters/memory/lanes.hpp"
#include "support/inventory_contract.hpp"
#include "support/run_on.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

class MemoryWorld final : public InventoryWorld {
 public:
  explicit MemoryWorld(std::shared_ptr<const Clock> clock = system_clock())
      : lanes_(create_memory_lanes(std::move(clock))),
        inventory_(create_memory_inventory(lanes_)) {}

  boost::asio::io_context& context() override { return context_; }
  Inventory& inventory() override { return *inventory_; }
  LaneId make_lane(std::uint32_t index) override { return {++sales_, index}; }
  void lose(LaneId lane) override { lanes_->forget(lane); }

  const MemoryLanes& lanes() const { return lanes_; }

 private:
  boost::asio::io_context context_{1};
  MemoryLanes lanes_;
  std::unique_ptr<Inventory> inventory_;
  SaleId sales_ = 0;
};

const bool kRegistered =
    register_inventory_contract({"Memory", [] { return std::make_unique<MemoryWorld>(); }});

/// Stands still until the test moves it.
class ManualClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  Ticks ticks() const override { return Ticks{now_.time_since_epoch()}; }
  boost::asio::awaitable<void> sleep_until(Ticks) override { co_return; }

  void set(TimePoint now) { now_ = now; }

 private:
  TimePoint now_{};
};

TEST(MemoryInventory, OpensAndClosesOnTheMillisecond) {
  const auto clock = std::make_shared<ManualClock>();
  MemoryWorld world(clock);
  LaneDriver lane(world);
  auto image = lane.image(10);
  image.window = {SaleState::open, TimePoint{Millis{1000}}, TimePoint{Millis{2000}}};
  ASSERT_EQ(error_of(lane.rebuild(image)), "ok");
  const auto at = [&](int ms, const char* user) {
    clock->set(TimePoint{Millis{ms}});
    return lane.reserve_one(lane.attempt(user)).verdict;
  };
  EXPECT_EQ(at(999, "a"), Verdict::not_open);
  EXPECT_EQ(at(1000, "b"), Verdict::granted);
  EXPECT_EQ(at(1999, "c"), Verdict::granted);
  EXPECT_EQ(at(2000, "d"), Verdict::not_open);
}

TEST(MemoryInventory, CountsTheAgeOfAReservationByItsClock) {
  const auto clock = std::make_shared<ManualClock>();
  MemoryWorld world(clock);
  LaneDriver lane(world);
  auto image = lane.image(10);
  image.window = {SaleState::open, TimePoint{}, TimePoint{std::chrono::hours(1)}};
  ASSERT_EQ(error_of(lane.rebuild(image)), "ok");
  const auto older = lane.attempt("older");
  const auto newer = lane.attempt("newer");
  clock->set(TimePoint{Millis{1000}});
  lane.reserve_one(older);
  clock->set(TimePoint{Millis{1500}});
  lane.reserve_one(newer);
  clock->set(TimePoint{Millis{2000}});
  EXPECT_TRUE(lane.overdue(Millis{1001}).empty());
  ASSERT_EQ(lane.overdue(Millis{1000}).size(), 1U);
  EXPECT_EQ(lane.overdue(Millis{1000})[0].id, older.id);
  EXPECT_EQ(lane.overdue(Millis{1000})[0].reserved_at, TimePoint{Millis{1000}});
  ASSERT_EQ(lane.overdue(Millis{500}).size(), 2U);
  EXPECT_EQ(lane.overdue(Millis{500})[0].id, older.id);
}

TEST(MemoryInventory, SellsEveryUnitOnceToManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kBuyers = 2000;
  constexpr int kStock = 5000;
  MemoryWorld world;
  LaneDriver lane(world);
  lane.open(kStock);
  std::atomic<int> granted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    std::vector<Attempt> attempts;
    for (int i = 0; i < kBuyers; ++i) {
      attempts.push_back(lane.attempt("t" + std::to_string(t) + "-" + std::to_string(i)));
    }
    threads.emplace_back([&granted, attempts, call = lane.call(), lanes = world.lanes()] {
      boost::asio::io_context context(1);
      const auto inventory = create_memory_inventory(lanes);
      for (std::size_t at = 0; at < attempts.size(); at += 10) {
        const auto batch = std::span(attempts).subspan(at, 10);
        const auto reply = run_on(context, inventory->reserve(call, batch)).value();
        for (const auto& one : reply.reservations) granted += one.verdict == Verdict::granted;
        // Others act between this thread's batches.
        (void)run_on(context, inventory->view(call)).value();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(granted, kStock);
  EXPECT_EQ(lane.view().stock, 0);
  EXPECT_EQ(lane.view().pending, static_cast<std::uint64_t>(kStock));
  EXPECT_EQ(lane.winners().size(), static_cast<std::size_t>(kStock));
}

}  // namespace
}  // namespace sluice::test
