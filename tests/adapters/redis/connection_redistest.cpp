#include <chrono>
#include <gtest/gtest.h>
#include <stdexcept>
#include <string>
#include <vector>

#include "redis_support.hpp"
#include "support/run_on.hpp"
#include "support/store_values.hpp"
#include "support/test_dependency.hpp"

namespace sluice::test {
namespace {

using std::chrono::steady_clock;

/// A Redis of its own, because these tests hurt it.
class RedisTrouble : public testing::Test {
 protected:
  Ticks in(int ms) { return steady_clock::now() + Millis{ms}; }

  Result<ReserveReply> reserve_by(Ticks deadline, const std::vector<Attempt>& attempts) {
    auto call = lane_.call();
    call.deadline = deadline;
    return run_on(world_.context(), world_.inventory().reserve(call, attempts));
  }

  PrivateRedis server_;
  RedisSettings settings_ = settings_of(server_.url());
  RedisWorld world_{settings_};
  LaneDriver lane_{world_};
};

TEST_F(RedisTrouble, RunsScriptsThatRedisForgot) {
  lane_.open(5);
  ASSERT_EQ(world_.admin().ask({"SCRIPT", "FLUSH"}), "OK");
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("ann")).verdict, Verdict::granted);
  ASSERT_EQ(world_.admin().ask({"SCRIPT", "FLUSH"}), "OK");
  EXPECT_EQ(lane_.view().stock, 4);
}

TEST_F(RedisTrouble, ConnectsAgainAfterItsConnectionWasKilled) {
  lane_.open(5);
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  for (int i = 0; i < 3; ++i) {
    ASSERT_NE(world_.admin().ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}), "0");
    // Either the loss is known by now, or the command is lost with it.
    const auto lost = lane_.try_reserve({attempt});
    if (!lost) {
      EXPECT_TRUE(lost.error() == Errc::unknown || lost.error() == Errc::unavailable);
    }
    ASSERT_EQ(error_of(world_.ping()), "ok");
    EXPECT_EQ(lane_.reserve_one(attempt).verdict, Verdict::granted);
    EXPECT_EQ(lane_.view().stock, 4);
  }
}

TEST_F(RedisTrouble, AnswersUnknownAtTheDeadlineAndTheRetryFindsItself) {
  lane_.open(5);
  const auto attempt = lane_.attempt("ann");
  world_.admin().ask({"CLIENT", "PAUSE", "300", "ALL"});
  const auto begin = steady_clock::now();
  EXPECT_EQ(reserve_by(in(50), {attempt}).error(), Errc::unknown);
  EXPECT_GE(steady_clock::now() - begin, Millis{50});
  EXPECT_LT(steady_clock::now() - begin, Millis{250});
  EXPECT_EQ(lane_.reserve_one(attempt).verdict, Verdict::granted);
  EXPECT_EQ(lane_.view().stock, 4);
  EXPECT_EQ(lane_.view().pending, 1U);
}

TEST_F(RedisTrouble, GrantsNothingThatItsCallerWaitsForNoMore) {
  lane_.open(5);
  lane_.reserve_one(lane_.attempt("ann"));
  world_.admin().ask({"CLIENT", "PAUSE", "300", "ALL"});
  EXPECT_EQ(reserve_by(in(50), {lane_.attempt("bob")}).error(), Errc::unknown);
  // On the same connection: when this is answered, so is what was sent before.
  EXPECT_EQ(lane_.view().stock, 4);
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("bob")).verdict, Verdict::granted);
}

TEST_F(RedisTrouble, SendsNothingAfterTheDeadline) {
  lane_.open(5);
  EXPECT_EQ(reserve_by(in(-1), {lane_.attempt("ann")}).error(), Errc::unavailable);
  EXPECT_EQ(lane_.view().stock, 5);
}

TEST_F(RedisTrouble, BoundsTheCommandsInFlight) {
  settings_.in_flight_max = 3;
  RedisWorld small(settings_);
  LaneDriver lane(small);
  lane.open(5);
  world_.admin().ask({"CLIENT", "PAUSE", "100", "ALL"});
  const auto call = lane.call();
  std::vector<std::function<Result<LaneView>()>> started;
  for (int i = 0; i < 5; ++i) {
    started.push_back(start_on(small.context(), small.inventory().view(call)));
  }
  for (int i = 0; i < 5; ++i) {
    const auto view = started[static_cast<std::size_t>(i)]();
    EXPECT_EQ(error_of(view), i < 3 ? "ok" : make_error_code(Errc::overloaded).message());
  }
  EXPECT_EQ(lane.view().stock, 5);
}

TEST_F(RedisTrouble, IsNotReadyAfterAFlush) {
  lane_.open(5);
  world_.admin().ask({"FLUSHALL"});
  EXPECT_EQ(lane_.try_reserve({lane_.attempt("ann")}).error(), Errc::not_ready);
  EXPECT_FALSE(lane_.view().ready);
  ++lane_.epoch;
  lane_.open(3);
  EXPECT_EQ(lane_.view().stock, 3);
}

TEST_F(RedisTrouble, IsUnavailableWithoutRedisAndNotReadyInTheNextOne) {
  lane_.open(5);
  server_.stop();
  run_until(world_.context(), [&] {
    const auto lost = lane_.try_reserve({lane_.attempt("ann")});
    return !lost && lost.error() == Errc::unavailable;
  });
  EXPECT_EQ(world_.ping(Millis{30}).error(), Errc::unavailable);
  server_.start();
  ASSERT_EQ(error_of(world_.ping()), "ok");
  EXPECT_EQ(lane_.try_reserve({lane_.attempt("ann")}).error(), Errc::not_ready);
}

TEST_F(RedisTrouble, IsNotReadyAfterAFailoverKeptTheData) {
  PrivateRedis replica({"--replicaof", "127.0.0.1 " + server_.url().substr(18)});
  RedisAdmin there(replica.url());
  run_until(world_.context(), [&] {
    return there.ask({"INFO", "replication"}).find("master_link_status:up") != std::string::npos;
  });
  // Only now: the first replica gives its master a new replication id.
  lane_.open(5);
  lane_.reserve_one(lane_.attempt("ann"));
  run_until(world_.context(), [&] { return there.ask({"ZCARD", keys_of(lane_.lane)[3]}) == "2"; });

  RedisWorld beyond(settings_of(replica.url()));
  LaneDriver lane(beyond);
  lane.lane = lane_.lane;
  EXPECT_EQ(lane.view().stock, 4);
  EXPECT_EQ(lane.try_reserve({lane.attempt("bob")}).error(), Errc::unavailable);

  there.ask({"REPLICAOF", "NO", "ONE"});
  ASSERT_EQ(error_of(beyond.ping()), "ok");
  EXPECT_EQ(lane.try_reserve({lane.attempt("bob")}).error(), Errc::not_ready);
  EXPECT_EQ(lane.overdue().size(), 1U);
}

TEST_F(RedisTrouble, DropsAConnectionThatAnswersNothing) {
  settings_.silence_max = Millis{100};
  settings_.connect_timeout = Millis{100};
  RedisWorld world(settings_);
  server_.freeze();
  run_until(world.context(), [&] { return world.ping(Millis{20}).error() == Errc::unavailable; });
  server_.thaw();
  EXPECT_EQ(error_of(world.ping()), "ok");
}

TEST_F(RedisTrouble, ServesAgainAfterALongIdleTime) {
  settings_.silence_max = Millis{40};
  RedisWorld world(settings_);
  const auto before = world.admin().ask({"INFO", "stats"});
  world.context().restart();
  world.context().run_for(Millis{300});
  const auto connections = [](const std::string& info) {
    const auto at = info.find("total_connections_received:");
    return info.substr(at, info.find('\r', at) - at);
  };
  EXPECT_EQ(connections(world.admin().ask({"INFO", "stats"})), connections(before));
  EXPECT_EQ(error_of(world.ping()), "ok");
}

TEST_F(RedisTrouble, RefusesToServeWhereKeysMayBeEvicted) {
  world_.admin().ask({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  boost::asio::io_context context(1);
  const auto connection = connect_redis(context.get_executor(), settings_);
  EXPECT_EQ(run_on(context, ping(connection, in(200))).error(), Errc::unavailable);
  world_.admin().ask({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  EXPECT_EQ(error_of(run_on(context, ping(connection, in(5000)))), "ok");
}

TEST_F(RedisTrouble, GrantsNothingWithoutMemory) {
  lane_.open(5);
  world_.admin().ask({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_EQ(lane_.try_reserve({lane_.attempt("ann")}).error(), Errc::unavailable);
  EXPECT_EQ(lane_.rebuild(lane_.image(9, 2)).error(), Errc::unavailable);
  world_.admin().ask({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(lane_.view().stock, 5);
  EXPECT_EQ(lane_.view().pending, 0U);
  EXPECT_EQ(lane_.reserve_one(lane_.attempt("ann")).verdict, Verdict::granted);
}

TEST_F(RedisTrouble, LogsInAndSelectsADatabase) {
  auto& admin = world_.admin();
  admin.ask({"ACL", "SETUSER", "shop", "on", ">p@ss:w/rd", "~*", "&*", "+@all"});
  RedisWorld shop(settings_of("redis://" + server_.address()));
  auto settings = settings_of("redis://shop:p%40ss%3Aw%2Frd@" + server_.address() + "/3");
  boost::asio::io_context context(1);
  const auto connection = connect_redis(context.get_executor(), settings);
  ASSERT_EQ(error_of(run_on(context, ping(connection, in(5000)))), "ok");
  const auto clients = admin.ask({"CLIENT", "LIST"});
  const auto line = clients.substr(clients.find("name=" + settings.client_name));
  EXPECT_NE(line.substr(0, line.find('\n')).find("db=3 "), std::string::npos) << line;
  EXPECT_NE(line.substr(0, line.find('\n')).find("user=shop "), std::string::npos) << line;
}

TEST_F(RedisTrouble, ServesWithAWarningWhereConfigIsDenied) {
  world_.admin().ask({"ACL", "SETUSER", "poor", "on", ">secret", "~*", "&*", "+@all", "-config"});
  boost::asio::io_context context(1);
  const auto connection = connect_redis(context.get_executor(),
                                        settings_of("redis://poor:secret@" + server_.address()));
  EXPECT_EQ(error_of(run_on(context, ping(connection, in(5000)))), "ok");
}

TEST_F(RedisTrouble, DoesNotServeAWrongPassword) {
  boost::asio::io_context context(1);
  const auto connection =
      connect_redis(context.get_executor(), settings_of("redis://shop:wrong@" + server_.address()));
  EXPECT_EQ(run_on(context, ping(connection, in(100))).error(), Errc::unavailable);
}

TEST(RedisConnection, IsUnavailableWhereNothingListens) {
  boost::asio::io_context context(1);
  const auto connection = connect_redis(context.get_executor(), settings_of(url_without_redis()));
  const auto inventory = create_redis_inventory(connection, redis_dependency());
  const Call call{{1, 0}, 1, soon()};
  EXPECT_EQ(run_on(context, inventory->view(call)).error(), Errc::unavailable);
  const auto soon_over = steady_clock::now() + Millis{50};
  EXPECT_EQ(run_on(context, ping(connection, soon_over)).error(), Errc::unavailable);
}

TEST(RedisConnection, IsUnavailableWhereTheHostHasNoAddress) {
  boost::asio::io_context context(1);
  const auto connection =
      connect_redis(context.get_executor(), settings_of("redis://no-such-host.invalid"));
  const auto soon_over = steady_clock::now() + Millis{50};
  EXPECT_EQ(run_on(context, ping(connection, soon_over)).error(), Errc::unavailable);
}

TEST(RedisConnection, RefusesABadUrl) {
  boost::asio::io_context context(1);
  RedisSettings settings;
  settings.url = "http://127.0.0.1";
  EXPECT_THROW(connect_redis(context.get_executor(), settings), std::invalid_argument);
}

}  // namespace
}  // namespace sluice::test
