#include <chrono>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <list>
#include <thread>

#include "adapters/postgres/postgres_world.hpp"
#include "adapters/postgres/stalled_server.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;
using postgres::Params;
using postgres::Pool;
using postgres::Statement;

Ticks in(Millis wait) { return Clock::now() + wait; }

/// One lane of ten units, an applier, and a second connection to disturb it.
class PostgresFailures : public testing::Test {
 protected:
  PostgresFailures()
      : stores_(world_.create(world_.database().settings())), other_(world_.database().settings()) {
    const auto sale = run_awaitable(stores_.sales->create(soon(), draft_of(10))).value();
    message_ = message_of({sale.id, 0}, user_of(1));
  }

  Result<std::vector<Outcome>> apply(Ticks deadline) {
    return run_awaitable(stores_.orders->apply(deadline, messages_of_one(), std::nullopt));
  }

  /// The same, going on while the test does something else.
  auto start_apply(Ticks deadline) {
    return start_on(thread_context(),
                    stores_.orders->apply(deadline, messages_of_one(), std::nullopt));
  }

  SaleFigures audit() { return figures_of(*stores_.orders, message_.lane.sale); }

  /// Keeps the lane's row locked until `unlock`.
  void lock() {
    ASSERT_EQ(error_of(other_.script("BEGIN; SELECT 1 FROM product_stock FOR UPDATE")), "ok");
  }
  void unlock() { ASSERT_EQ(error_of(other_.script("ROLLBACK")), "ok"); }

  /// While what was started goes on, does `function` (pg_cancel_backend, …) to the backend that
  /// waits for the lane's row, once it is there. True when it was found.
  bool strike(const std::string& function) {
    const std::string sql = "SELECT " + function +
                            "(pid) FROM pg_stat_activity WHERE datname = current_database()"
                            " AND wait_event_type = 'Lock'";
    Pool observer(thread_context().get_executor(), world_.database().settings());
    const Statement statement{"strike", sql.c_str()};
    const Params none;
    for (const auto end = soon(); Clock::now() < end;) {
      if (run_awaitable(observer.run(soon(), statement, none)).value().size() > 0) return true;
      std::this_thread::sleep_for(Millis{2});
    }
    return false;
  }

  std::vector<OrderMessage>& messages_of_one() {
    messages_ = {message_};
    return messages_;
  }

  PostgresWorld world_;
  PostgresStores stores_;
  PostgresSession other_;
  OrderMessage message_;
  std::vector<OrderMessage> messages_;
};

TEST_F(PostgresFailures, a_deadline_that_passes_in_the_server_leaves_the_outcome_unknown) {
  lock();
  const auto began = Clock::now();
  EXPECT_EQ(apply(in(Millis{150})).error(), Errc::unknown);
  EXPECT_LT(Clock::now() - began, Millis{1000});
  unlock();
  EXPECT_THAT(apply(soon()).value(), ElementsAre(confirmed(message_)));
  const SaleFigures expected{10, 9, 1, 1, 0, 0};
  EXPECT_EQ(audit(), expected);
}

TEST_F(PostgresFailures, a_move_whose_answer_is_lost_is_unknown_and_returns_its_units_once) {
  apply(soon()).value();
  const std::vector<Transition> transitions{
      {{message_.id, message_.lane.sale, message_.user}, Move::cancel}};
  const auto cancel = [&](Ticks deadline) {
    return run_awaitable(stores_.moves->move(deadline, transitions));
  };
  lock();
  EXPECT_EQ(cancel(in(Millis{150})).error(), Errc::unknown);
  unlock();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(cancel(soon()).value().at(0)->status, OrderStatus::cancelled);
  }
  const SaleFigures whole{10, 10, 0, 0, 0, 0};
  EXPECT_EQ(audit(), whole);
  const auto rows = run_awaitable(stores_.moves->outbox(soon(), message_.lane, 10)).value();
  EXPECT_EQ(rows.size(), 1u);
}

TEST_F(PostgresFailures, a_deadline_already_past_sends_nothing) {
  stores_ = world_.create(world_.database().settings());
  EXPECT_EQ(apply(Clock::now() - Millis{1}).error(), Errc::unavailable);
  const SaleFigures untouched{10, 10, 0, 0, 0, 0};
  EXPECT_EQ(audit(), untouched);
}

TEST_F(PostgresFailures, a_backend_killed_while_idle_is_replaced_unnoticed) {
  const std::string kill =
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
      " WHERE datname = current_database() AND pid <> pg_backend_pid()";
  ASSERT_EQ(error_of(apply(soon())), "ok");
  ASSERT_EQ(error_of(other_.script(kill)), "ok");
  EXPECT_THAT(apply(soon()).value(), ElementsAre(confirmed(message_)));
}

TEST_F(PostgresFailures,
       a_backend_killed_amid_a_batch_leaves_it_unknown_and_the_next_call_recovers) {
  lock();
  const auto applied = start_apply(soon());
  EXPECT_TRUE(strike("pg_terminate_backend"));
  EXPECT_EQ(applied().error(), Errc::unknown);
  unlock();
  EXPECT_THAT(apply(soon()).value(), ElementsAre(confirmed(message_)));
  const SaleFigures expected{10, 9, 1, 1, 0, 0};
  EXPECT_EQ(audit(), expected);
}

TEST_F(PostgresFailures, a_cancelled_statement_was_not_done) {
  lock();
  const auto applied = start_apply(soon());
  EXPECT_TRUE(strike("pg_cancel_backend"));
  EXPECT_EQ(applied().error(), Errc::unavailable);
  unlock();
  const SaleFigures untouched{10, 10, 0, 0, 0, 0};
  EXPECT_EQ(audit(), untouched);
  EXPECT_THAT(apply(soon()).value(), ElementsAre(confirmed(message_)));
}

TEST_F(PostgresFailures, a_row_locked_for_too_long_is_given_up_by_the_server) {
  auto settings = world_.database().settings();
  settings.lock_timeout = Millis{50};
  stores_ = world_.create(settings);
  lock();
  EXPECT_EQ(apply(soon()).error(), Errc::unavailable);
  unlock();
  EXPECT_THAT(apply(soon()).value(), ElementsAre(confirmed(message_)));
}

TEST_F(PostgresFailures, a_script_whose_connection_is_lost_is_not_begun_anew) {
  Pool pool(thread_context().get_executor(), world_.database().settings());
  const std::string sell = "UPDATE product_stock SET stock = stock - 1;";
  lock();
  const auto sold = start_on(thread_context(), pool.script(soon(), sell + sell));
  EXPECT_TRUE(strike("pg_terminate_backend"));
  EXPECT_EQ(sold().error(), Errc::unknown);
  unlock();
  EXPECT_EQ(audit(), (SaleFigures{10, 10, 0, 0, 0, 0}));
}

TEST_F(PostgresFailures, a_call_given_up_does_not_keep_the_only_connection) {
  auto settings = world_.database().settings();
  settings.pool_size = 1;
  stores_ = world_.create(settings);
  lock();
  EXPECT_EQ(apply(in(Millis{150})).error(), Errc::unknown);
  const auto began = Clock::now();
  EXPECT_EQ(error_of(run_awaitable(stores_.orders->head(soon(), message_.lane))), "ok");
  EXPECT_LT(Clock::now() - began, Millis{1000});
  unlock();
}

TEST_F(PostgresFailures, calls_behind_one_that_is_given_up_keep_their_own_deadlines) {
  auto settings = world_.database().settings();
  settings.pool_size = 1;
  stores_ = world_.create(settings);
  EXPECT_EQ(error_of(run_awaitable(stores_.ping(soon()))), "ok");
  lock();
  const auto applied = start_apply(in(Millis{150}));
  const auto head = start_on(thread_context(), stores_.orders->head(soon(), message_.lane));
  EXPECT_EQ(applied().error(), Errc::unknown);
  unlock();
  EXPECT_EQ(error_of(head()), "ok");
}

TEST_F(PostgresFailures, an_image_whose_connection_is_lost_is_unavailable_and_the_next_is_whole) {
  const auto lane = message_.lane;
  ASSERT_EQ(error_of(apply(soon())), "ok");
  ASSERT_EQ(error_of(other_.script("BEGIN; LOCK TABLE orders")), "ok");
  const auto image = start_on(thread_context(), whole_image(*stores_.orders, soon(), lane));
  EXPECT_TRUE(strike("pg_terminate_backend"));
  EXPECT_EQ(image().error(), Errc::unavailable);
  unlock();
  EXPECT_EQ(run_awaitable(whole_image(*stores_.orders, soon(), lane)).value().winners.size(), 1u);
}

TEST_F(PostgresFailures, an_image_is_of_one_instant_whatever_is_applied_while_it_is_read) {
  const auto lane = message_.lane;
  ASSERT_EQ(error_of(other_.script("BEGIN; LOCK TABLE orders")), "ok");
  const auto image = start_on(thread_context(), whole_image(*stores_.orders, soon(), lane));
  // The lane is read, its winners are not.
  EXPECT_TRUE(strike("pg_blocking_pids"));
  const std::string sell =
      "UPDATE product_stock SET stock = 7;"
      "INSERT INTO orders (order_id, sale_id, unit_price_minor, reserved_at, status, epoch,"
      "                    quantity, lane, currency, user_id)"
      " VALUES (gen_random_uuid(), " +
      std::to_string(lane.sale) + ", 1, now(), 'confirmed', 1, 3, 0, 'EUR', 'late'); COMMIT";
  ASSERT_EQ(error_of(other_.script(sell)), "ok");
  const auto earlier = image().value();
  EXPECT_EQ(earlier.stock, 10);
  EXPECT_TRUE(earlier.winners.empty());
  const auto later = run_awaitable(whole_image(*stores_.orders, soon(), lane)).value();
  EXPECT_EQ(later.stock, 7);
  EXPECT_EQ(later.winners.size(), 1u);
}

TEST_F(PostgresFailures, the_lanes_of_messages_and_of_fences_are_locked_in_one_order) {
  const auto sale = run_awaitable(stores_.sales->create(soon(), draft_of(10, 2))).value();
  const std::string row = "SELECT 1 FROM product_stock WHERE sale_id = " + std::to_string(sale.id);
  ASSERT_EQ(error_of(other_.script("BEGIN; " + row + " AND lane = 0 FOR UPDATE")), "ok");
  const std::vector<OrderMessage> messages{message_of({sale.id, 1}, user_of(1))};
  OffsetRange range{"orders", 0, 0, 2, TimePoint{Millis{100}}};
  range.fences = {Fence{{sale.id, 0}, 1}};
  const auto applied = start_on(thread_context(), stores_.orders->apply(soon(), messages, range));
  EXPECT_TRUE(strike("pg_blocking_pids"));
  EXPECT_EQ(error_of(other_.script(row + " AND lane = 1 FOR UPDATE NOWAIT")), "ok")
      << "the later lane was locked before the earlier one";
  unlock();
  EXPECT_EQ(error_of(applied()), "ok");
}

TEST_F(PostgresFailures, text_the_database_cannot_store_is_invalid) {
  auto draft = draft_of(1);
  draft.title = "\xff\xfe";
  EXPECT_EQ(run_awaitable(stores_.sales->create(soon(), draft)).error(), Errc::invalid);
  EXPECT_EQ(error_of(run_awaitable(stores_.ping(soon()))), "ok");
}

TEST(PostgresConnection, a_server_that_never_answers_costs_no_more_than_the_deadline) {
  StalledServer server;
  TestDependency dependency("postgres");
  const auto settings = postgres_settings(server.url());
  auto stores = create_postgres_stores(thread_context().get_executor(), settings, dependency);
  const auto began = Clock::now();
  EXPECT_EQ(run_awaitable(stores.ping(in(Millis{200}))).error(), Errc::unavailable);
  EXPECT_GE(Clock::now() - began, Millis{190});
  EXPECT_LT(Clock::now() - began, Millis{1000});
}

TEST(PostgresConnection, a_server_that_never_answers_costs_no_more_than_the_connect_timeout) {
  StalledServer server;
  auto settings = postgres_settings(server.url());
  settings.connect_timeout = Millis{100};
  settings.backoff_min = Millis{60'000};
  settings.backoff_max = Millis{60'000};
  TestDependency dependency("postgres");
  auto stores = create_postgres_stores(thread_context().get_executor(), settings, dependency);
  const auto began = Clock::now();
  EXPECT_EQ(run_awaitable(stores.ping(soon())).error(), Errc::unavailable);
  EXPECT_LT(Clock::now() - began, Millis{1000});
  const auto again = Clock::now();
  EXPECT_EQ(run_awaitable(stores.ping(soon())).error(), Errc::unavailable);
  EXPECT_LT(Clock::now() - again, Millis{50}) << "between attempts calls fail at once";
}

TEST(PostgresConnection, says_why_it_cannot_connect) {
  std::string closed;
  {
    StalledServer server;
    closed = server.url();
  }
  PostgresSession refused(postgres_settings(closed));
  EXPECT_EQ(refused.script("SELECT 1").error(), Errc::unavailable);
  EXPECT_THAT(refused.problem(), HasSubstr("Connection refused"));
  PostgresSession lost(postgres_settings(postgres_url_of("nowhere")));
  EXPECT_EQ(lost.script("SELECT 1").error(), Errc::unavailable);
  EXPECT_THAT(lost.problem(), HasSubstr("\"nowhere\" does not exist"));
}

TEST(PostgresConnection, does_not_repeat_the_password_of_a_wrong_url) {
  PostgresSession connection(postgres_settings("postgresql://u:hush@h/b?nonsense=1"));
  EXPECT_EQ(connection.script("SELECT 1").error(), Errc::unavailable);
  EXPECT_THAT(connection.problem(), HasSubstr("not a PostgreSQL URL"));
  EXPECT_EQ(connection.problem().find("hush"), std::string::npos);
}

TEST(PostgresConnection, commits_are_durable_whatever_the_database_is_set_to) {
  PostgresDatabase database;
  database.run(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off',"
      " current_database()); END $$");
  PostgresSession connection(database.settings());
  const auto rows = connection.run("SELECT current_setting('synchronous_commit')");
  EXPECT_EQ(rows.value().value<std::string>(), "on");
}

TEST(PostgresConnection, a_script_stops_at_its_first_error_and_says_which) {
  PostgresSession connection(postgres_settings(postgres_server_url()));
  EXPECT_EQ(connection.script("SELECT 1; SELECT nonsense; SELECT 1/0").error(), Errc::internal);
  EXPECT_THAT(connection.problem(), HasSubstr("nonsense"));
  EXPECT_EQ(error_of(connection.script("SELECT 1")), "ok");
}

/// One connection, warm, and calls on it that are all sent before the first answer.
class PostgresPipeline : public testing::Test {
 protected:
  PostgresPipeline() : pool_(thread_context().get_executor(), settings()) {
    ask("SELECT 0::bigint")().value();
  }

  static PostgresSettings settings() {
    auto settings = postgres_settings(postgres_server_url());
    settings.pool_size = 1;
    return settings;
  }

  std::function<Result<postgres::Rows>()> ask(const char* sql, const Params& params = none) {
    const auto& statement = statements_.emplace_back(Statement{sql, sql});
    return start_on(thread_context(), pool_.run(soon(), statement, params));
  }

  static const Params none;
  std::list<Statement> statements_;
  Pool pool_;
};

const Params PostgresPipeline::none;

TEST_F(PostgresPipeline, answers_go_to_their_callers_and_an_error_to_its_own_alone) {
  const char* identify = "SELECT pg_backend_pid()";
  const auto first = ask(identify);
  const auto refused = ask("SELECT 1/0");
  const auto unknown = ask("SELECT nonsense");
  const auto last = ask("SELECT 7::bigint, pg_backend_pid()");
  const auto again = ask(identify);
  const auto rows = last().value();
  const auto backend = first().value().value<std::int64_t>();
  EXPECT_EQ(rows.value<std::int64_t>(), 7);
  EXPECT_EQ(rows.value<std::int64_t>(0, 1), backend);
  EXPECT_EQ(again().value().value<std::int64_t>(), backend);
  EXPECT_EQ(refused().error(), Errc::invalid);
  EXPECT_EQ(unknown().error(), Errc::internal);
  EXPECT_EQ(ask("SELECT nonsense")().error(), Errc::internal);
  EXPECT_EQ(ask(identify)().value().value<std::int64_t>(), backend) << "the connection was kept";
}

TEST_F(PostgresPipeline, what_fills_every_buffer_both_ways_arrives_whole) {
  const std::string much(8'000'000, 'x');
  const Params params(much);
  std::vector<std::function<Result<postgres::Rows>()>> answers;
  answers.reserve(4);
  for (int i = 0; i < 4; ++i) answers.push_back(ask("SELECT $1::text", params));
  for (const auto& answer : answers) EXPECT_EQ(answer().value().value<std::string>(), much);
}

TEST_F(PostgresPipeline, a_snapshot_that_fails_leaves_no_transaction_behind) {
  const Statement good{"good", "SELECT 1::bigint"};
  const Statement bad{"bad", "SELECT 1/0"};
  std::vector<postgres::Query> queries{{&good, &none}, {&bad, &none}, {&good, &none}};
  const auto read = [&] {
    postgres::Pool::Snapshot snapshot(pool_);
    return run_awaitable(snapshot.run(soon(), queries));
  };
  EXPECT_EQ(read().error(), Errc::invalid);
  EXPECT_EQ(error_of(ask("CREATE TEMPORARY TABLE scratch (i integer)")()), "ok");
  queries.erase(queries.begin() + 1);
  EXPECT_EQ(read().value().size(), 2u);
}

}  // namespace
}  // namespace sluice::test
