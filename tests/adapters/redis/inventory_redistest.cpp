#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "redis_support.hpp"
#include "support/inventory_contract.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

const bool kRegistered = register_inventory_contract(
    {"Redis", [] { return std::make_unique<RedisWorld>(settings_of(shared_redis_url())); }});

class RedisInventory : public testing::Test {
 protected:
  RedisInventory() { lane_.open(5); }

  std::string ask(const std::vector<std::string>& words) { return world_.admin().ask(words); }

  /// Every call fails or shows nothing, and a settlement changes nothing.
  void expect_not_ready(const Attempt& winner) {
    EXPECT_EQ(lane_.try_reserve({lane_.attempt("new")}).error(), Errc::not_ready);
    EXPECT_EQ(lane_.try_find({winner.user}).error(), Errc::not_ready);
    EXPECT_EQ(lane_.try_winners().error(), Errc::not_ready);
    EXPECT_EQ(lane_.set_window(open_window()).error(), Errc::not_ready);
    EXPECT_FALSE(lane_.view().ready);
    lane_.settle(winner, SettleAction::give_back);
    EXPECT_FALSE(lane_.view().ready);
  }

  void close_up_to(Epoch epoch) {
    const auto before = std::exchange(lane_.epoch, epoch);
    ASSERT_EQ(error_of(lane_.close()), "ok");
    lane_.epoch = before;
  }

  RedisWorld world_{settings_of(shared_redis_url())};
  LaneDriver lane_{world_};
};

TEST_F(RedisInventory, IsNotReadyWithoutAnyOneOfItsKeys) {
  for (std::size_t lost = 0; lost < 5; ++lost) {
    SCOPED_TRACE(keys_of(lane_.lane)[lost]);
    const auto attempt = lane_.attempt("ann");
    ASSERT_EQ(lane_.reserve_one(attempt).verdict, Verdict::granted);
    ASSERT_EQ(ask({"DEL", keys_of(lane_.lane)[lost]}), "1");
    expect_not_ready(attempt);
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(ask({"EXISTS", keys_of(lane_.lane)[i]}), i == lost ? "0" : "1");
    }
    EXPECT_EQ(lane_.overdue().size(), lost == 3 ? 0U : 1U);
    ++lane_.epoch;
    lane_.open(5);
    EXPECT_TRUE(lane_.view().ready);
  }
}

TEST_F(RedisInventory, IsNotReadyWithAKeyOfAnotherEpoch) {
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  const auto keys = keys_of(lane_.lane);
  const std::vector<std::vector<std::string>> damage = {
      {"HSET", keys[0], "epoch", "2"},        {"HSET", keys[1], "epoch", "2"},
      {"HSET", keys[2], "#epoch", "2"},       {"ZADD", keys[3], "2", "#epoch"},
      {"SETRANGE", keys[4], "0", "00000002"},
  };
  auto repair = damage;
  repair[0][3] = repair[1][3] = repair[2][3] = repair[3][2] = "1";
  repair[4][3] = "00000001";
  for (std::size_t i = 0; i < damage.size(); ++i) {
    SCOPED_TRACE(keys[i]);
    ask(damage[i]);
    expect_not_ready(attempt);
    ask(repair[i]);
    EXPECT_TRUE(lane_.view().ready);
    EXPECT_EQ(lane_.view().stock, 4);
  }
}

TEST_F(RedisInventory, IsNotReadyWithAKeyOfAnotherType) {
  const auto attempt = lane_.attempt("ann");
  for (std::size_t i = 0; i < 5; ++i) {
    SCOPED_TRACE(keys_of(lane_.lane)[i]);
    const auto key = keys_of(lane_.lane)[i];
    const std::vector<std::vector<std::string>> others = {
        {"SET", key, "something else"},
        {"RPUSH", key, "something else"},
        {"SADD", key, "something else"},
        i == 3 ? std::vector<std::string>{"HSET", key, "#epoch", "1"}
               : std::vector<std::string>{"ZADD", key, "1", "#epoch"},
    };
    for (const auto& other : others) {
      SCOPED_TRACE(other[0]);
      lane_.reserve_one(attempt);
      ask({"DEL", key});
      ask(other);
      expect_not_ready(attempt);
      EXPECT_EQ(lane_.overdue().size(), i == 3 ? 0U : 1U);
      ++lane_.epoch;
      lane_.open(5);
      EXPECT_TRUE(lane_.view().ready);
      lane_.epoch = 1;
      lane_.world.lose(lane_.lane);
      lane_.open(5);
    }
  }
}

TEST_F(RedisInventory, IsNotReadyWithAFieldThatIsMissingOrNonsense) {
  const auto attempt = lane_.attempt("ann");
  const auto keys = keys_of(lane_.lane);
  const std::vector<std::pair<std::string, std::string>> fields = {
      {keys[0], "epoch"},    {keys[0], "replid"},       {keys[0], "version"},    {keys[0], "state"},
      {keys[0], "revision"}, {keys[0], "starts_at_ms"}, {keys[0], "ends_at_ms"}, {keys[1], "epoch"},
      {keys[1], "units"},    {keys[1], "held"}};
  for (const auto& [key, field] : fields) {
    SCOPED_TRACE(testing::Message() << key << " " << field);
    const auto good = ask({"HGET", key, field});
    ask({"HDEL", key, field});
    expect_not_ready(attempt);
    for (const auto* const bad : {"", "nonsense", "1.5", "1e3", "0x10", " 1", "nan"}) {
      ask({"HSET", key, field, bad});
      expect_not_ready(attempt);
    }
    ask({"HSET", key, field, good});
    EXPECT_EQ(lane_.view().stock, 5);
  }
}

// Whoever still has the older epoch gets grants that the store's fence refuses; everybody else is
// not ready, and the epoch in the view tells the leader to rebuild.
TEST_F(RedisInventory, RolledBackToAnOlderEpochItServesThatEpochAlone) {
  const auto old = lane_.attempt("ann");
  lane_.reserve_one(old);
  const auto keys = keys_of(lane_.lane);
  std::vector<std::string> snapshot;
  for (const auto& key : keys) snapshot.push_back(ask({"DUMP", key}));
  lane_.epoch = 2;
  lane_.open(9);
  const auto newer = lane_.attempt("bob");
  lane_.reserve_one(newer);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ask({"RESTORE", keys[i], "0", snapshot[i], "REPLACE"});
  }
  EXPECT_EQ(lane_.view().epoch, 1U);
  EXPECT_EQ(lane_.try_reserve({lane_.attempt("cid")}).error(), Errc::not_ready);
  EXPECT_EQ(lane_.try_find({newer.user}).error(), Errc::not_ready);
  lane_.settle(newer, SettleAction::give_back);
  lane_.epoch = 1;
  EXPECT_EQ(lane_.view().stock, 4);
  EXPECT_EQ(lane_.find(old.user)->id, old.id);
  lane_.epoch = 3;
  lane_.open(8);
  EXPECT_EQ(lane_.view().stock, 8);
  EXPECT_TRUE(lane_.overdue().empty());
}

// Nothing in Redis can tell; what it grants twice the store rejects, and asks for a rebuild.
TEST_F(RedisInventory, RolledBackWithinAnEpochItForgetsWhatCameAfterAndSettlesNoneOfIt) {
  const auto kept = lane_.attempt("ann", 2);
  lane_.reserve_one(kept);
  const auto keys = keys_of(lane_.lane);
  std::vector<std::string> snapshot;
  for (const auto& key : keys) snapshot.push_back(ask({"DUMP", key}));
  const auto lost = lane_.attempt("bob", 3);
  lane_.reserve_one(lost);
  lane_.settle(kept, SettleAction::keep);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ask({"RESTORE", keys[i], "0", snapshot[i], "REPLACE"});
  }
  for (const auto action : {SettleAction::keep, SettleAction::give_back, SettleAction::drop}) {
    lane_.settle(lost, action);
    EXPECT_EQ(lane_.view().stock, 3);
    EXPECT_EQ(lane_.view().held, 2);
    EXPECT_FALSE(lane_.find(lost.user));
  }
  lane_.settle(kept, SettleAction::keep);
  EXPECT_EQ(lane_.view().held, 0);
  EXPECT_EQ(lane_.find(kept.user)->status, OrderStatus::confirmed);
}

TEST_F(RedisInventory, AClosedLaneLeavesItsKeysAndTheirEpoch) {
  lane_.reserve_one(lane_.attempt("ann"));
  ASSERT_EQ(error_of(lane_.close()), "ok");
  const auto keys = keys_of(lane_.lane);
  EXPECT_EQ(ask({"HGET", keys[0], "epoch"}), "1");
  EXPECT_EQ(ask({"HGET", keys[1], "epoch"}), "1");
  EXPECT_EQ(ask({"HGET", keys[2], "#epoch"}), "1");
  EXPECT_EQ(ask({"ZSCORE", keys[3], "#epoch"}), "1");
  EXPECT_EQ(ask({"ZCARD", keys[3]}), "2");
}

TEST_F(RedisInventory, SettlesNothingOfARecordThatItCannotRead) {
  const auto attempt = lane_.attempt("ann", 2);
  lane_.reserve_one(attempt);
  ask({"HSET", keys_of(lane_.lane)[2], "ann", "q" + attempt.id.text() + "nonsense"});
  for (const auto action : {SettleAction::keep, SettleAction::give_back, SettleAction::drop}) {
    EXPECT_EQ(error_of(lane_.try_settle({settlement_of(attempt, action)})), "ok");
    EXPECT_EQ(lane_.view().stock, 3);
    EXPECT_EQ(lane_.view().held, 2);
  }
}

TEST_F(RedisInventory, IsNotReadyInARedisThatTookOverFromAnother) {
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  ask({"HSET", keys_of(lane_.lane)[0], "replid", std::string(40, 'a')});
  expect_not_ready(attempt);
  EXPECT_EQ(lane_.overdue().size(), 1U);
}

TEST_F(RedisInventory, OpensNoLowerEpochOverTheRuinsOfALane) {
  lane_.epoch = 7;
  lane_.open(5);
  for (const std::size_t kept : {0U, 1U, 2U, 3U, 4U}) {
    for (std::size_t i = 0; i < 5; ++i) {
      if (i != kept) ask({"DEL", keys_of(lane_.lane)[i]});
    }
    EXPECT_EQ(lane_.rebuild(lane_.image(1, lane_.epoch - 1)).error(), Errc::stale);
    EXPECT_FALSE(lane_.view().ready);
    EXPECT_EQ(error_of(lane_.rebuild(lane_.image(1, lane_.epoch))), "ok");
    EXPECT_TRUE(lane_.view().ready);
  }
}

TEST_F(RedisInventory, AClosingOfRuinsLetsNoLateRebuildThrough) {
  for (std::size_t lost = 0; lost < 5; ++lost) {
    const auto key = keys_of(lane_.lane)[lost];
    const std::vector<std::vector<std::string>> damages = {
        {"DEL", key}, {"SET", key, "something else"}, {"SADD", key, "something else"}};
    for (const auto& damage : damages) {
      SCOPED_TRACE(damage[0] + ' ' + key);
      const auto pending = lane_.attempt("ann");
      lane_.reserve_one(pending);
      ask({"DEL", key});
      ask(damage);
      close_up_to(lane_.epoch + 1);
      expect_not_ready(pending);
      EXPECT_EQ(lane_.overdue().size(), lost == 3 ? 0U : 1U);
      EXPECT_EQ(lane_.rebuild(lane_.image(1, lane_.epoch)).error(), Errc::stale);
      EXPECT_EQ(lane_.rebuild(lane_.image(1, lane_.epoch + 1)).error(), Errc::stale);
      lane_.epoch += 2;
      lane_.open(5);
      EXPECT_TRUE(lane_.view().ready);
    }
  }
}

TEST_F(RedisInventory, AClosingBelowTheEpochOfTheRuinsDoesNothing) {
  lane_.epoch = 7;
  lane_.open(5);
  for (const std::size_t kept : {0U, 1U, 2U, 3U, 4U}) {
    SCOPED_TRACE(keys_of(lane_.lane)[kept]);
    for (std::size_t i = 0; i < 5; ++i) {
      if (i != kept) ask({"DEL", keys_of(lane_.lane)[i]});
    }
    close_up_to(6);
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(ask({"EXISTS", keys_of(lane_.lane)[i]}), i == kept ? "1" : "0");
    }
    EXPECT_EQ(lane_.rebuild(lane_.image(1, 6)).error(), Errc::stale);
    EXPECT_EQ(error_of(lane_.rebuild(lane_.image(1, 7))), "ok");
  }
}

TEST_F(RedisInventory, TheFloorOfALaneThatNeverWasStaysInRedisForEver) {
  world_.lose(lane_.lane);
  close_up_to(4);
  const auto keys = keys_of(lane_.lane);
  EXPECT_EQ(ask({"HGET", keys[0], "epoch"}), "4");
  EXPECT_EQ(ask({"PTTL", keys[0]}), "-1");
  for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(ask({"EXISTS", keys[i]}), "0");
}

TEST_F(RedisInventory, KeepsItsKeysForEverAndLeavesNoOthers) {
  auto image = lane_.image(5, 2);
  const auto user = user_of(1);
  image.winners = {{user, {message_of(lane_.lane, user).id, OrderStatus::confirmed, 1}}};
  ASSERT_EQ(error_of(lane_.rebuild(image)), "ok");
  ASSERT_EQ(lane_.rebuild(image).error(), Errc::stale);
  lane_.epoch = 2;
  lane_.reserve_one(lane_.attempt("ann"));
  for (const auto& key : keys_of(lane_.lane)) EXPECT_EQ(ask({"PTTL", key}), "-1") << key;
  const auto tag = "{" + std::to_string(lane_.lane.sale) + ":0}";
  for (const auto* const kind : {"staging", "staged"}) {
    EXPECT_EQ(ask({"KEYS", "seckill:" + std::string(kind) + ':' + tag + "*"}), "");
  }
}

TEST_F(RedisInventory, CountsTheAgeOfAReservationByRedisTime) {
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  const auto member = attempt.id.text() + "1:ann";
  const auto key = keys_of(lane_.lane)[3];
  const auto score = std::stoll(ask({"ZSCORE", key, member}));
  ask({"ZADD", key, std::to_string(score - 60'000), member});
  EXPECT_TRUE(lane_.overdue(Millis{90'000}).empty());
  ASSERT_EQ(lane_.overdue(Millis{60'000}).size(), 1U);
  EXPECT_EQ(lane_.overdue(Millis{60'000})[0].reserved_at, TimePoint{Millis{score - 60'000}});
}

TEST_F(RedisInventory, SkipsPendingRecordsThatItCannotRead) {
  const auto key = keys_of(lane_.lane)[3];
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  for (const auto* const member : {"", "x", "\r\n", "1:ann"}) ask({"ZADD", key, "100000", member});
  ask({"ZADD", key, "100000", attempt.id.text() + "0:ann"});
  ask({"ZADD", key, "100000", attempt.id.text() + "1:"});
  ask({"ZADD", key, "1e300", attempt.id.text() + "1:bob"});
  const auto overdue = lane_.overdue();
  ASSERT_EQ(overdue.size(), 1U);
  EXPECT_EQ(overdue[0].id, attempt.id);
}

TEST_F(RedisInventory, ReportsARecordThatItCannotRead) {
  ask({"HSET", keys_of(lane_.lane)[2], "ann", "nonsense"});
  EXPECT_EQ(lane_.try_find({*UserId::parse("ann")}).error(), Errc::internal);
  EXPECT_EQ(lane_.try_reserve({lane_.attempt("ann")}).error(), Errc::internal);
}

TEST_F(RedisInventory, ServesSeveralConnectionsAtOnce) {
  RedisWorld other(settings_of(shared_redis_url()));
  LaneDriver there(other);
  there.lane = lane_.lane;
  const auto attempt = lane_.attempt("ann");
  lane_.reserve_one(attempt);
  EXPECT_EQ(there.reserve_one(there.attempt("ann")).existing.id, attempt.id);
  there.settle(attempt, SettleAction::keep);
  EXPECT_EQ(lane_.find(attempt.user)->status, OrderStatus::confirmed);
}

}  // namespace
}  // namespace sluice::test
