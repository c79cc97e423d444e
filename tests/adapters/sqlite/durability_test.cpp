#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "adapters/sqlite/faulty_disk.hpp"
#include "adapters/sqlite/sqlite_support.hpp"
#include "support/store_values.hpp"
#include "support/temp_folder.hpp"

namespace sluice::test {
namespace {

using Messages = std::vector<OrderMessage>;

SqliteStores open(const TempFolder& folder) { return open_stores({folder.path("sluice.db")}); }

LaneId create_lane(SqliteStores& stores, std::int64_t stock) {
  return LaneId{run_awaitable(stores.sales->create(soon(), draft_of(stock))).value().id, 0};
}

Messages some(LaneId lane, std::size_t count) {
  static std::uint64_t users = 0;
  Messages messages;
  for (std::size_t i = 0; i < count; ++i) messages.push_back(message_of(lane, user_of(++users)));
  return messages;
}

Result<std::vector<Outcome>> decide(SqliteStores& stores, In<OrderMessage> messages,
                                    std::optional<OffsetRange> range = std::nullopt) {
  return run_awaitable(stores.orders->apply(soon(), messages, std::move(range)));
}

SaleFigures audit(SqliteStores& stores, LaneId lane) {
  return figures_of(*stores.orders, lane.sale);
}

LaneHead head(SqliteStores& stores, LaneId lane) {
  return run_awaitable(stores.orders->head(soon(), lane)).value();
}

constexpr std::size_t kBatch = 50;
constexpr std::size_t kBatches = 4'000;
constexpr std::int64_t kStock = kBatch * kBatches / 2 + 7;

/// The child: applies batch after batch and reports each one that was acknowledged, until killed.
[[noreturn]] void apply_until_killed(const TempFolder& folder, const Messages& all,
                                     std::size_t first, int report) {
  auto stores = open(folder);
  for (std::size_t batch = first; batch < kBatches; ++batch) {
    const In<OrderMessage> messages(all.data() + batch * kBatch, kBatch);
    OffsetRange range;
    range.topic = "orders";
    range.begin = static_cast<std::int64_t>(batch);
    range.next = range.begin + 1;
    if (decide(stores, messages, range).has_error()) ::_exit(1);
    const auto done = static_cast<std::uint32_t>(batch + 1);
    if (::write(report, &done, sizeof(done)) != sizeof(done)) ::_exit(2);
  }
  ::_exit(0);
}

/// Lets a child work, kills it after about `reports` acknowledged batches and a random while, and
/// returns how many batches were acknowledged in all.
std::size_t work_and_die(const TempFolder& folder, const Messages& all, std::size_t first,
                         std::size_t reports, unsigned linger_us) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const auto child = ::fork();
  if (child == 0) apply_until_killed(folder, all, first, ends[1]);
  ::close(ends[1]);
  std::uint32_t acknowledged = static_cast<std::uint32_t>(first);
  std::uint32_t done = 0;
  for (std::size_t seen = 0; seen < reports; ++seen) {
    if (::read(ends[0], &done, sizeof(done)) != sizeof(done)) break;
    acknowledged = done;
  }
  ::usleep(linger_us);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself, with " << status;
  while (::read(ends[0], &done, sizeof(done)) == sizeof(done)) acknowledged = done;
  ::close(ends[0]);
  return acknowledged;
}

TEST(SqliteDurability, kill_9_loses_nothing_that_was_acknowledged) {
  TempFolder folder;
  LaneId lane;
  {
    auto stores = open(folder);
    lane = create_lane(stores, kStock);
  }
  const auto all = some(lane, kBatch * kBatches);
  std::minstd_rand random(20240611);
  std::size_t first = 0;
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const auto acknowledged =
        work_and_die(folder, all, first, random() % 40, static_cast<unsigned>(random() % 5'000));
    auto stores = open(folder);
    const auto position = run_awaitable(stores.orders->position(soon(), "orders", 0)).value();
    const auto applied = static_cast<std::size_t>(position);
    ASSERT_GE(applied, acknowledged);
    ASSERT_LE(applied, acknowledged + 1) << "only the batch under way may be there unacknowledged";

    const auto figures = audit(stores, lane);
    const auto decided = static_cast<std::int64_t>(applied * kBatch);
    EXPECT_EQ(figures.stock + figures.live_units, kStock);
    EXPECT_EQ(figures.live_orders + figures.rejected_stock, decided);
    EXPECT_EQ(figures.live_orders, std::min(decided, kStock));
    first = applied;
  }
  EXPECT_GT(first, 0u);
}

TEST(SqliteDurability, every_commit_is_synced_once_before_it_is_acknowledged) {
  TempFolder folder;
  FaultyDisk disk;
  auto stores = open(folder);
  const auto lane = create_lane(stores, 100);
  decide(stores, some(lane, 1)).value();
  const int before = disk.syncs;
  for (int i = 0; i < 10; ++i) decide(stores, some(lane, 5)).value();
  EXPECT_EQ(disk.syncs - before, 10);
}

TEST(SqliteDurability, a_full_disk_is_unavailable_and_the_next_call_works_when_there_is_room) {
  TempFolder folder;
  FaultyDisk disk;
  auto stores = open(folder);
  const auto lane = create_lane(stores, 100);
  const auto before = some(lane, 3);
  decide(stores, before).value();
  const auto messages = some(lane, 5);
  for (const bool full : {true, false}) {
    disk.full = full;
    disk.writes_fail = !full;
    EXPECT_EQ(decide(stores, messages).error(), Errc::unavailable);
    EXPECT_EQ(run_awaitable(stores.sales->create(soon(), draft_of(1))).error(), Errc::unavailable);
    const SaleFigures untouched{100, 97, 3, 3, 0, 0};
    EXPECT_EQ(audit(stores, lane), untouched) << "reading goes on";
  }
  disk.full = disk.writes_fail = false;
  EXPECT_EQ(decide(stores, messages).value().size(), 5u);
  const SaleFigures expected{100, 92, 8, 8, 0, 0};
  EXPECT_EQ(audit(stores, lane), expected);
  stores = SqliteStores{};
  stores = open(folder);
  EXPECT_EQ(audit(stores, lane), expected);
}

TEST(SqliteDurability, a_commit_whose_sync_failed_is_unknown_and_applying_again_tells) {
  TempFolder folder;
  FaultyDisk disk;
  auto stores = open(folder);
  const auto lane = create_lane(stores, 100);
  const auto messages = some(lane, 5);
  disk.syncs_fail = true;
  EXPECT_EQ(decide(stores, messages).error(), Errc::unknown);
  EXPECT_EQ(decide(stores, messages).error(), Errc::unknown);
  disk.syncs_fail = false;
  for (const auto& outcome : decide(stores, messages).value()) {
    EXPECT_EQ(outcome.status, OrderStatus::confirmed);
  }
  const SaleFigures expected{100, 95, 5, 5, 0, 0};
  EXPECT_EQ(audit(stores, lane), expected);
  stores = SqliteStores{};
  stores = open(folder);
  EXPECT_EQ(audit(stores, lane), expected);
}

TEST(SqliteDurability, a_move_that_the_disk_refused_returns_its_units_once) {
  TempFolder folder;
  FaultyDisk disk;
  auto stores = open(folder);
  const auto lane = create_lane(stores, 100);
  const auto order = some(lane, 1).front();
  const Messages messages{order};
  decide(stores, messages).value();
  const std::vector<Transition> transitions{{{order.id, lane.sale, order.user}, Move::cancel}};
  const auto cancel = [&] { return run_awaitable(stores.moves->move(soon(), transitions)); };
  disk.full = true;
  EXPECT_EQ(cancel().error(), Errc::unavailable);
  const SaleFigures sold{100, 99, 1, 1, 0, 0};
  EXPECT_EQ(audit(stores, lane), sold);
  disk.full = false;
  disk.syncs_fail = true;
  EXPECT_EQ(cancel().error(), Errc::unknown);
  EXPECT_EQ(cancel().error(), Errc::unknown);
  disk.syncs_fail = false;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(cancel().value().at(0)->status, OrderStatus::cancelled);
    stores = SqliteStores{};
    stores = open(folder);
  }
  const SaleFigures whole{100, 100, 0, 0, 0, 0};
  EXPECT_EQ(audit(stores, lane), whole);
  EXPECT_EQ(run_awaitable(stores.moves->outbox(soon(), lane, 10)).value().size(), 1u);
}

/// Limits the size of every file this process writes, while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, SIG_DFL);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

TEST(SqliteDurability, a_file_that_the_system_lets_grow_no_further_is_unavailable) {
  TempFolder folder;
  auto stores = open(folder);
  const auto lane = create_lane(stores, 100'000);
  std::int64_t done = 0;
  Messages refused;
  {
    FileSizeLimit limit(1 << 20);
    while (refused.empty()) {
      auto messages = some(lane, 1'000);
      const auto outcomes = decide(stores, messages);
      if (outcomes.has_value()) {
        done += 1'000;
        ASSERT_LT(done, 50'000) << "the limit has no effect";
        continue;
      }
      EXPECT_EQ(outcomes.error(), Errc::unavailable);
      refused = std::move(messages);
    }
    EXPECT_EQ(audit(stores, lane).live_orders, done);
  }
  EXPECT_EQ(decide(stores, refused).value().size(), refused.size());
  EXPECT_EQ(audit(stores, lane).live_orders, done + 1'000);
}

TEST(SqliteDurability, a_full_disk_at_start_is_a_clear_error) {
  TempFolder folder;
  FaultyDisk disk;
  disk.full = true;
  try {
    open(folder);
    FAIL() << "it opened";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), testing::ContainsRegex("cannot use the database file.*full"));
  }
  disk.full = false;
  open(folder);
}

TEST(SqliteDurability, a_call_after_its_deadline_does_nothing) {
  TempFolder folder;
  auto stores = open(folder);
  const auto lane = create_lane(stores, 10);
  const auto messages = some(lane, 2);
  const auto past = std::chrono::steady_clock::now() - Millis{1};
  EXPECT_EQ(run_awaitable(stores.orders->apply(past, messages, std::nullopt)).error(),
            Errc::unavailable);
  EXPECT_EQ(
      run_awaitable(stores.orders->next_epoch(past, lane, Authority::store, std::nullopt)).error(),
      Errc::unavailable);
  const SaleFigures untouched{10, 10, 0, 0, 0, 0};
  EXPECT_EQ(audit(stores, lane), untouched);
  EXPECT_EQ(head(stores, lane), LaneHead{});
}

TEST(SqliteDurability, a_deadline_interrupts_work_that_takes_too_long) {
  TempFolder folder;
  auto stores = open(folder);
  const auto lane = create_lane(stores, 100'000);
  for (int i = 0; i < 10; ++i) decide(stores, some(lane, 4'000)).value();
  const auto tight = std::chrono::steady_clock::now() + Millis{3};
  EXPECT_EQ(run_awaitable(whole_image(*stores.orders, tight, lane)).error(), Errc::unavailable);
  EXPECT_EQ(run_awaitable(whole_image(*stores.orders, soon(), lane)).value().winners.size(),
            40'000u);
}

TEST(SqliteDurability, an_epoch_whose_commit_failed_is_never_used_twice) {
  TempFolder folder;
  FaultyDisk disk;
  auto stores = open(folder);
  const auto lane = create_lane(stores, 10);
  const auto next = [&] {
    return run_awaitable(
        stores.orders->next_epoch(soon(), lane, Authority::inventory, std::nullopt));
  };
  EXPECT_EQ(next().value(), 1u);
  disk.full = true;
  EXPECT_EQ(next().error(), Errc::unavailable);
  EXPECT_EQ(
      run_awaitable(stores.orders->raise_fence(soon(), Fence{lane, 1}, std::nullopt, std::nullopt))
          .error(),
      Errc::unavailable);
  EXPECT_EQ(head(stores, lane), (LaneHead{0, 1, 0, 0}));
  disk.full = false;
  disk.syncs_fail = true;
  EXPECT_EQ(next().error(), Errc::unknown);
  EXPECT_EQ(
      run_awaitable(stores.orders->raise_fence(soon(), Fence{lane, 1}, std::nullopt, std::nullopt))
          .error(),
      Errc::unknown);
  disk.syncs_fail = false;
  EXPECT_GT(next().value(), 1u);
  EXPECT_EQ(error_of(run_awaitable(
                stores.orders->raise_fence(soon(), Fence{lane, 1}, std::nullopt, std::nullopt))),
            "ok");
  EXPECT_EQ(head(stores, lane).fence, 1u);
}

}  // namespace
}  // namespace sluice::test
