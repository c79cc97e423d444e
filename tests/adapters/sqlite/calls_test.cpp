#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

#include "adapters/sqlite/faulty_disk.hpp"
#include "adapters/sqlite/sqlite_support.hpp"
#include "support/store_values.hpp"
#include "support/temp_folder.hpp"

namespace sluice::test {
namespace {

using Messages = std::vector<OrderMessage>;

Ticks from_now(Millis delay) { return std::chrono::steady_clock::now() + delay; }

/// A database on a disk that the test makes hang.
class SqliteCalls : public testing::Test {
 protected:
  SqliteCalls() {
    const auto sale = run_awaitable(stores_->sales->create(soon(), draft_of(1'000))).value();
    lane_ = {sale.id, 0};
  }
  ~SqliteCalls() override { disk_.go_on(); }

  Messages some(std::size_t count) {
    Messages messages;
    for (std::size_t i = 0; i < count; ++i)
      messages.push_back(message_of(lane_, user_of(++users_)));
    return messages;
  }

  /// Starts to apply; the messages outlive the call.
  auto apply(const Messages& messages, Ticks deadline = soon()) {
    return start_on(thread_context(), stores_->orders->apply(deadline, messages, std::nullopt));
  }

  /// Makes the disk hang, and lets a call of one message wait for it.
  auto block(const Messages& message) {
    disk_.hang();
    auto answer = apply(message);
    run_until(thread_context(), [&] { return disk_.hangs.load(); });
    return answer;
  }

  TempFolder folder_;
  FaultyDisk disk_;
  std::shared_ptr<SqliteDatabase> database_ = open_sqlite({folder_.path("sluice.db")});
  std::unique_ptr<SqliteStores> stores_ = std::make_unique<SqliteStores>(stores_on(database_));
  LaneId lane_;
  std::uint64_t users_ = 0;
};

TEST_F(SqliteCalls, what_waits_for_the_disk_shares_the_next_sync) {
  const auto first = some(1);
  const auto begun = block(first);
  const auto before = disk_.syncs.load();
  std::vector<Messages> sent;
  for (int i = 0; i < 8; ++i) sent.push_back(some(10));
  std::vector<decltype(apply(first))> answers;
  for (const auto& messages : sent) answers.push_back(apply(messages));
  thread_context().poll();
  disk_.go_on();
  EXPECT_EQ(begun().value().at(0), confirmed(first[0]));
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const auto outcomes = answers[i]().value();
    ASSERT_EQ(outcomes.size(), sent[i].size());
    for (std::size_t k = 0; k < outcomes.size(); ++k) {
      EXPECT_EQ(outcomes[k], confirmed(sent[i][k]));
    }
  }
  EXPECT_EQ(disk_.syncs - before, 2) << "the one that hung, and one for all others";
}

TEST_F(SqliteCalls, a_joined_transaction_has_at_most_4096_messages) {
  const auto first = some(1);
  const auto begun = block(first);
  const auto before = disk_.syncs.load();
  std::vector<Messages> sent;
  for (int i = 0; i < 5; ++i) sent.push_back(some(1'000));
  std::vector<decltype(apply(first))> answers;
  for (const auto& messages : sent) answers.push_back(apply(messages));
  thread_context().poll();
  disk_.go_on();
  begun();
  for (const auto& answer : answers) EXPECT_EQ(answer().value().size(), 1'000u);
  EXPECT_EQ(disk_.syncs - before, 3);
}

TEST_F(SqliteCalls, a_failed_sync_leaves_every_joined_call_unknown) {
  const auto first = some(1);
  const auto begun = block(first);
  const auto second = some(2);
  const auto third = some(3);
  const auto answers = {apply(second), apply(third)};
  thread_context().poll();
  disk_.syncs_fail = true;
  disk_.go_on();
  EXPECT_EQ(begun().error(), Errc::unknown);
  for (const auto& answer : answers) EXPECT_EQ(answer().error(), Errc::unknown);
  disk_.syncs_fail = false;
  EXPECT_EQ(apply(third)().value().size(), 3u);
}

TEST_F(SqliteCalls, at_its_deadline_a_call_that_began_is_unknown_and_one_that_did_not_is_undone) {
  disk_.hang();
  const auto first = some(1);
  const auto begun = apply(first, from_now(Millis{150}));
  run_until(thread_context(), [&] { return disk_.hangs.load(); });
  const auto second = some(2);
  const auto never = apply(second, from_now(Millis{100}));
  const auto suspect =
      start_on(thread_context(), stores_->orders->suspect(from_now(Millis{100}), lane_));
  EXPECT_EQ(begun().error(), Errc::unknown);
  EXPECT_EQ(never().error(), Errc::unavailable);
  EXPECT_EQ(suspect().error(), Errc::unavailable);
  disk_.go_on();
  EXPECT_EQ(error_of(run_awaitable(stores_->ping(soon()))), "ok");
  EXPECT_EQ(figures_of(*stores_->orders, lane_.sale).live_orders, 1);
  EXPECT_EQ(run_awaitable(stores_->orders->head(soon(), lane_)).value(), LaneHead{});
}

TEST_F(SqliteCalls, what_is_large_is_read_beside_the_writes) {
  const auto first = some(1);
  const auto begun = block(first);
  EXPECT_EQ(run_awaitable(whole_image(*stores_->orders, soon(), lane_)).value().stock, 1'000);
  EXPECT_EQ(figures_of(*stores_->orders, lane_.sale).stock, 1'000);
  disk_.go_on();
  EXPECT_TRUE(begun().has_value());
  EXPECT_EQ(run_awaitable(whole_image(*stores_->orders, soon(), lane_)).value().winners.size(), 1u);
}

TEST_F(SqliteCalls, stores_may_go_while_the_disk_hangs_and_what_did_not_begin_is_never_done) {
  auto other = std::make_unique<TestDependency>("sqlite");
  auto context = std::make_unique<boost::asio::io_context>(1);
  auto stores = create_sqlite_stores(context->get_executor(), database_, *other);
  disk_.hang();
  const auto first = some(1);
  const auto second = some(1);
  start_on(*context, stores.orders->apply(soon(), first, std::nullopt));
  run_until(*context, [&] { return disk_.hangs.load(); });
  start_on(*context, stores.orders->apply(soon(), second, std::nullopt));
  start_on(*context, stores.orders->suspect(soon(), lane_));
  context->poll();
  stores = SqliteStores{};
  context.reset();
  other.reset();
  disk_.go_on();
  EXPECT_EQ(error_of(run_awaitable(stores_->ping(soon()))), "ok");
  EXPECT_EQ(figures_of(*stores_->orders, lane_.sale).live_orders, 1);
  EXPECT_EQ(run_awaitable(stores_->orders->head(soon(), lane_)).value(), LaneHead{});
}

TEST_F(SqliteCalls, the_log_is_written_back_while_orders_come) {
  const auto sale = run_awaitable(stores_->sales->create(soon(), draft_of(1'000'000))).value();
  lane_ = {sale.id, 0};
  const auto file = folder_.path("sluice.db");
  const auto size_at_first = std::filesystem::file_size(file);
  std::size_t batches = 0;
  while (std::filesystem::file_size(file) == size_at_first && batches < 1'000) {
    const auto messages = some(200);
    ASSERT_TRUE(apply(messages)().has_value());
    ++batches;
  }
  ASSERT_LT(batches, 1'000u) << "nothing was ever written back";
  EXPECT_LT(std::filesystem::file_size(file + "-wal"), 40u << 20);
  EXPECT_EQ(figures_of(*stores_->orders, sale.id).live_orders,
            static_cast<std::int64_t>(batches * 200));
}

TEST_F(SqliteCalls, threads_use_stores_of_their_own_at_once) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kCalls = 50;
  std::vector<std::thread> threads;
  std::vector<std::vector<Messages>> sent(kThreads);
  for (auto& calls : sent) {
    for (std::size_t i = 0; i < kCalls; ++i) calls.push_back(some(5));
  }
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      auto stores = stores_on(database_);
      for (const auto& messages : sent[t]) {
        const auto outcomes = run_awaitable(stores.orders->apply(soon(), messages, std::nullopt));
        EXPECT_EQ(outcomes.value().at(4), confirmed(messages[4]));
        EXPECT_TRUE(run_awaitable(whole_image(*stores.orders, soon(), lane_)).has_value());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(figures_of(*stores_->orders, lane_.sale).live_orders, kThreads * kCalls * 5);
}

}  // namespace
}  // namespace sluice::test
