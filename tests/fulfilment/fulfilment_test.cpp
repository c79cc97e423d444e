#include "sluice/fulfilment/fulfilment.hpp"

#include <boost/asio/post.hpp>
#include <functional>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_feed.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_store.hpp"
#include "support/log_spy.hpp"
#include "support/store_values.hpp"

namespace sluice {
namespace {

using test::message_of;
using test::user_of;

const LaneId kLane{7, 0};
const LaneId kOther{7, 1};

class FulfilmentTest : public testing::Test {
 protected:
  FulfilmentTest() {
    for (const auto lane : {kLane, kOther}) {
      inventory_.open_lane(lane, 100);
      store_.lanes[lane].stock = 100;
    }
    Fulfilment::Ports ports{feed_, store_, inventory_, results_, mode_, clock_, metrics_};
    fulfilment_.emplace(settings_, ports);
  }

  static OffsetRange range_of(std::int64_t begin, std::int64_t next) {
    OffsetRange range;
    range.topic = "orders";
    range.begin = begin;
    range.next = next;
    return range;
  }

  /// The messages as the next stretch, which begins at `begin`; they are reserved as well.
  Delivery& deliver(std::vector<OrderMessage> messages, std::int64_t begin = 0) {
    for (const auto& message : messages) {
      auto& lane = inventory_.lane(message.lane);
      lane.stock -= message.quantity;
      lane.records[message.user].order = {message.id, OrderStatus::queued, message.quantity};
    }
    Delivery delivery;
    delivery.range = range_of(begin, begin + static_cast<std::int64_t>(messages.size()));
    delivery.messages = std::move(messages);
    feed_.deliveries.push_back(std::move(delivery));
    return feed_.deliveries.back();
  }

  void step() {
    auto running = loop_.start(fulfilment_->step());
    loop_.turn();
    ASSERT_TRUE(running.done()) << "it waits";
  }

  /// Begins a step that is expected to pause.
  test::Running<bool> start_step() {
    auto running = loop_.start(fulfilment_->step());
    loop_.turn();
    return running;
  }

  void advance() {
    clock_.advance(settings_.retry_wait);
    loop_.turn();
  }

  OrderStatus projected(const OrderMessage& message) {
    return inventory_.lane(message.lane).records.at(message.user).order.status;
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeInventory inventory_{clock_};
  test::FakeOrderStore store_;
  test::FakeFeed feed_;
  test::FakeResults results_;
  Metrics metrics_;
  ModeSnapshot mode_{std::make_shared<ModeState>()};
  FulfilmentSettings settings_;
  std::optional<Fulfilment> fulfilment_;
  OrderMessage one_ = message_of(kLane, user_of(1));
  OrderMessage two_ = message_of(kLane, user_of(2), 3);
};

TEST_F(FulfilmentTest, AppliesSettlesAndAnnouncesAStretch) {
  deliver({one_, two_});
  step();
  EXPECT_EQ(store_.orders.at(one_.id).status, OrderStatus::confirmed);
  EXPECT_EQ(store_.lanes[kLane].stock, 96);
  EXPECT_EQ((store_.positions[{"orders", 0}]), 2);
  EXPECT_EQ(projected(one_), OrderStatus::confirmed);
  EXPECT_EQ(projected(two_), OrderStatus::confirmed);
  EXPECT_EQ(results_.announced,
            (std::vector<Outcome>{test::confirmed(one_), test::confirmed(two_)}));
  EXPECT_TRUE(feed_.rewound.empty());
}

TEST_F(FulfilmentTest, NothingAssignedIsNothingToDo) {
  step();
  EXPECT_EQ(store_.on_apply.calls(), 0U);
}

TEST_F(FulfilmentTest, AnEmptyStretchMovesThePositionsLogTimeAlone) {
  Delivery idle;
  idle.range = range_of(0, 0);
  idle.range->log_time = clock_.now();
  feed_.deliveries.push_back(idle);
  step();
  ASSERT_EQ(store_.apply_calls.size(), 1U);
  EXPECT_EQ(store_.apply_calls[0].range->log_time, clock_.now());
  EXPECT_EQ(inventory_.on_settle.calls(), 0U);
  EXPECT_EQ(results_.on_announce.calls(), 0U);
}

TEST_F(FulfilmentTest, ALogThatDoesNotAnswerIsAskedAgainAfterAPause) {
  feed_.on_next.fail(Errc::unavailable);
  const auto running = start_step();
  EXPECT_FALSE(running.done());
  advance();
  EXPECT_TRUE(running.done());
}

TEST_F(FulfilmentTest, PoisonIsKeptBeforeThePositionMovesPastIt) {
  auto& delivery = deliver({one_});
  delivery.range->next = 2;
  delivery.poison.push_back({"{\"v\":2}", "another version"});
  feed_.on_dead_letter.before([&] { EXPECT_TRUE(store_.apply_calls.empty()); });
  step();
  ASSERT_EQ(feed_.dead_letters.size(), 1U);
  EXPECT_EQ(feed_.dead_letters[0].poison.at(0).bytes, "{\"v\":2}");
  EXPECT_EQ(feed_.dead_letters[0].range.next, 2);
  EXPECT_EQ((store_.positions[{"orders", 0}]), 2);
  EXPECT_EQ(projected(one_), OrderStatus::confirmed) << "its neighbours are not held up";
}

TEST_F(FulfilmentTest, PoisonAloneMovesThePosition) {
  auto& delivery = deliver({});
  delivery.range->next = 1;
  delivery.poison.push_back({"x", "no JSON"});
  step();
  EXPECT_EQ((store_.positions[{"orders", 0}]), 1);
}

TEST_F(FulfilmentTest, PoisonThatCannotBeKeptIsReadAgainAfterAPause) {
  auto& delivery = deliver({one_});
  delivery.poison.push_back({"x", "no JSON"});
  feed_.on_dead_letter.fail(Errc::unavailable);
  const auto running = start_step();
  EXPECT_FALSE(running.done()) << "no hot loop while it cannot be kept";
  advance();
  EXPECT_TRUE(running.done());
  EXPECT_TRUE(store_.apply_calls.empty()) << "the position did not move";
  ASSERT_EQ(feed_.rewound.size(), 1U);
  step();
  EXPECT_EQ(feed_.dead_letters.size(), 1U);
  EXPECT_EQ(projected(one_), OrderStatus::confirmed);
}

TEST_F(FulfilmentTest, AStaleStretchIsReadAgainAndNothingIsSettled) {
  deliver({one_});
  store_.positions[{"orders", 0}] = 5;
  step();
  ASSERT_EQ(feed_.rewound.size(), 1U);
  EXPECT_EQ(feed_.rewound[0].begin, 0);
  EXPECT_EQ(inventory_.on_settle.calls(), 0U);
  EXPECT_TRUE(results_.announced.empty());
}

TEST_F(FulfilmentTest, ARewindThatFailsPauses) {
  deliver({one_});
  store_.positions[{"orders", 0}] = 5;
  feed_.on_rewind.fail(Errc::unavailable);
  const auto running = start_step();
  EXPECT_FALSE(running.done());
  advance();
  EXPECT_TRUE(running.done());
}

TEST_F(FulfilmentTest, ALostAnswerOfACommitStillSettlesItsOutcomes) {
  deliver({one_, two_});
  store_.on_apply.fail(Errc::unknown, true);
  const auto running = start_step();
  EXPECT_FALSE(running.done());
  advance();
  ASSERT_TRUE(running.done());
  ASSERT_EQ(store_.apply_calls.size(), 3U) << "lost, stale, and the outcomes alone";
  EXPECT_TRUE(store_.apply_calls[1].range);
  EXPECT_FALSE(store_.apply_calls[2].range);
  EXPECT_EQ(projected(one_), OrderStatus::confirmed);
  EXPECT_EQ(results_.announced.size(), 2U);
  EXPECT_EQ(store_.lanes[kLane].stock, 96) << "applied once";
  EXPECT_TRUE(feed_.rewound.empty());
}

TEST_F(FulfilmentTest, TheOutcomesOfALostCommitAreAskedForUntilTheyCome) {
  deliver({one_});
  store_.on_apply.fail(Errc::unknown, true);
  auto running = start_step();
  store_.on_apply.before(
      [&] { store_.on_apply.fail(Errc::stale), store_.on_apply.fail(Errc::unavailable); });
  advance();
  EXPECT_FALSE(running.done());
  advance();
  ASSERT_TRUE(running.done());
  EXPECT_EQ(projected(one_), OrderStatus::confirmed);
  EXPECT_TRUE(feed_.rewound.empty());
}

TEST_F(FulfilmentTest, ALostAnswerThatWasNoCommitIsAppliedAgain) {
  deliver({one_});
  store_.on_apply.fail(Errc::unknown, false);
  const auto running = start_step();
  advance();
  ASSERT_TRUE(running.done());
  EXPECT_EQ(store_.apply_calls.size(), 2U);
  EXPECT_EQ(projected(one_), OrderStatus::confirmed);
  EXPECT_EQ((store_.positions[{"orders", 0}]), 1);
}

TEST_F(FulfilmentTest, WaitsOutAStoreThatDoesNotAnswer) {
  deliver({one_});
  store_.on_apply.fail_always(Errc::unavailable);
  const auto running = start_step();
  for (int i = 0; i < 20; ++i) advance();
  EXPECT_FALSE(running.done());
  EXPECT_EQ(store_.on_apply.calls(), 21U);
  store_.on_apply.work_again();
  advance();
  ASSERT_TRUE(running.done());
  EXPECT_EQ(projected(one_), OrderStatus::confirmed);
  EXPECT_TRUE(feed_.rewound.empty()) << "nothing was dropped";
}

TEST_F(FulfilmentTest, AnIsolatedNodeLeavesItsPartitionsToOthers) {
  deliver({one_});
  store_.on_apply.fail_always(Errc::unavailable);
  const auto running = start_step();
  advance();
  EXPECT_FALSE(running.done());
  auto isolated = std::make_shared<ModeState>();
  isolated->isolated = true;
  mode_.publish(isolated);
  advance();
  ASSERT_TRUE(running.done()) << "it does not wait for the store any more";
  EXPECT_EQ(feed_.rewound.size(), 1U);
  const auto leaving = start_step();
  EXPECT_FALSE(feed_.joined);
  advance();
  ASSERT_TRUE(leaving.done());

  store_.on_apply.work_again();
  mode_.publish(std::make_shared<ModeState>());
  step();
  EXPECT_TRUE(feed_.joined);
  EXPECT_EQ(projected(one_), OrderStatus::confirmed);
}

TEST_F(FulfilmentTest, StopEndsTheWaitForTheStore) {
  deliver({one_});
  store_.on_apply.fail_always(Errc::unavailable);
  const auto running = start_step();
  fulfilment_->stop();
  advance();
  ASSERT_TRUE(running.done());
  EXPECT_TRUE(results_.announced.empty());
}

TEST_F(FulfilmentTest, StopLetsALostCommitFindItsOutcomes) {
  deliver({one_});
  store_.on_apply.fail(Errc::unknown, true);
  const auto running = start_step();
  fulfilment_->stop();
  advance();
  ASSERT_TRUE(running.done());
  EXPECT_EQ(projected(one_), OrderStatus::confirmed);
}

TEST_F(FulfilmentTest, RunStepsUntilStop) {
  deliver({one_});
  deliver({two_}, 1);
  feed_.on_next.before(
      [&] { feed_.on_next.before([&] { feed_.on_next.before([&] { fulfilment_->stop(); }); }); });
  auto running = loop_.start(fulfilment_->run());
  loop_.turn();
  EXPECT_TRUE(running.done());
  EXPECT_EQ(projected(one_), OrderStatus::confirmed);
  EXPECT_EQ(projected(two_), OrderStatus::confirmed);
  EXPECT_EQ(feed_.on_next.calls(), 3U);
}

TEST_F(FulfilmentTest, RunLeavesTheLoopToOthersBetweenSteps) {
  std::function<void()> bound = [&] {
    if (feed_.on_next.calls() > 50) fulfilment_->stop();
    feed_.on_next.before(bound);
  };
  feed_.on_next.before(bound);
  auto running = loop_.start(fulfilment_->run());
  boost::asio::post(loop_.context(), [&] { fulfilment_->stop(); });
  loop_.turn();
  EXPECT_TRUE(running.done());
  EXPECT_LT(feed_.on_next.calls(), 5U) << "the other work came in between";
}

TEST_F(FulfilmentTest, SettlesByLaneAndEpoch) {
  const auto old = message_of(kLane, user_of(3), 1, 1);
  inventory_.open_lane(kLane, 100, 2);
  store_.lanes[kLane].fence = 2;
  const auto young = message_of(kLane, user_of(4), 1, 2);
  const auto elsewhere = message_of(kOther, user_of(5));
  deliver({young, old, elsewhere});
  step();
  ASSERT_EQ(inventory_.settled.size(), 2U) << "what is parked is not settled";
  for (const auto& [call, settlements] : inventory_.settled) {
    ASSERT_EQ(settlements.size(), 1U);
    const auto& id = settlements[0].id;
    EXPECT_EQ(call.epoch, id.epoch());
    EXPECT_EQ(call.lane.index, id.lane());
    EXPECT_EQ(settlements[0].action, SettleAction::keep);
  }
  EXPECT_EQ(results_.announced.size(), 2U) << "nor announced";
  EXPECT_TRUE(store_.late.contains(old.id));
}

TEST_F(FulfilmentTest, RejectedOrdersAreDroppedOrGivenBack) {
  store_.lanes[kLane].stock = 2;
  const auto again = message_of(kLane, user_of(1), 1);
  deliver({one_, two_});
  step();
  EXPECT_EQ(inventory_.lane(kLane).stock, 96) << "the three of two_ never were";
  EXPECT_FALSE(inventory_.lane(kLane).records.contains(two_.user));
  EXPECT_EQ(results_.announced.at(1), test::rejected(two_, RejectReason::stock));

  // Two reservations of one user can only come from two lives of the lane.
  deliver({again}, 2);
  step();
  EXPECT_EQ(results_.announced.at(2), test::rejected(again, RejectReason::duplicate));
  EXPECT_EQ(inventory_.lane(kLane).stock, 96) << "given back";
}

TEST_F(FulfilmentTest, OutcomesAreAnnouncedAlsoWhenSettlingFails) {
  deliver({one_});
  inventory_.on_settle.fail(Errc::unavailable);
  step();
  EXPECT_EQ(results_.announced.size(), 1U);
  deliver({two_}, 1);
  results_.on_announce.fail(Errc::unavailable);
  step();
  EXPECT_EQ(projected(two_), OrderStatus::confirmed);
}

TEST_F(FulfilmentTest, AnInventoryThatIsBackLearnsOfItsOrdersBeforeAnythingElse) {
  inventory_.on_settle.fail_always(Errc::unavailable);
  deliver({one_});
  step();
  deliver({two_}, 1);
  step();
  EXPECT_EQ(projected(one_), OrderStatus::queued);
  EXPECT_EQ(results_.announced.size(), 2U) << "buyers are told meanwhile";
  inventory_.on_settle.work_again();
  step();
  EXPECT_EQ(projected(one_), OrderStatus::confirmed) << "nothing new was delivered";
  EXPECT_EQ(projected(two_), OrderStatus::confirmed);
  const auto calls = inventory_.on_settle.calls();
  step();
  EXPECT_EQ(inventory_.on_settle.calls(), calls) << "each is settled once";
}

TEST_F(FulfilmentTest, WhileTheInventoryIsAwayAStepAsksItOnce) {
  inventory_.on_settle.fail_always(Errc::unavailable);
  for (int i = 0; i < 5; ++i) {
    deliver({message_of(kLane, user_of(10 + static_cast<std::uint64_t>(i)))}, i);
    const auto before = inventory_.on_settle.calls();
    step();
    EXPECT_EQ(inventory_.on_settle.calls(), before + 1);
  }
}

TEST_F(FulfilmentTest, WhatIsKeptForSettlingIsBounded) {
  settings_.unsettled_max = 2;
  Fulfilment::Ports ports{feed_, store_, inventory_, results_, mode_, clock_, metrics_};
  fulfilment_.emplace(settings_, ports);
  inventory_.on_settle.fail_always(Errc::unavailable);
  for (int i = 0; i < 3; ++i) {
    deliver({message_of(kLane, user_of(10 + static_cast<std::uint64_t>(i)))}, i);
    step();
  }
  inventory_.on_settle.work_again();
  step();
  EXPECT_EQ(inventory_.lane(kLane).records.at(user_of(10)).order.status, OrderStatus::queued)
      << "left for recovery";
  EXPECT_EQ(inventory_.lane(kLane).records.at(user_of(11)).order.status, OrderStatus::confirmed);
  EXPECT_EQ(inventory_.lane(kLane).records.at(user_of(12)).order.status, OrderStatus::confirmed);
}

TEST_F(FulfilmentTest, LogsWhatIsUnusualAndAtLevelDebugAllWithTheRequest) {
  store_.lanes[kLane].stock = 1;
  one_.request_id = "r-1";
  const auto lines = [this](const char* level, std::int64_t begin) {
    set_log_level(level);
    const test::LogSpy spy;
    deliver({one_, two_}, begin);
    step();
    set_log_level("info");
    return spy.lines();
  };
  const auto rejected =
      "order " + two_.id.text() + " of sale 7, lane 0, epoch 1: rejected, stock (request unknown)";
  EXPECT_EQ(lines("info", 0), std::vector<std::string>{rejected});
  EXPECT_EQ(lines("debug", 2),
            (std::vector<std::string>{
                "order " + one_.id.text() + " of sale 7, lane 0, epoch 1: confirmed (request r-1)",
                rejected}));
}

TEST_F(FulfilmentTest, LogsOnlyAFewUnusualOrdersOfOneStretch) {
  store_.lanes[kLane].stock = 0;
  std::vector<OrderMessage> messages;
  for (std::uint64_t i = 1; i <= 40; ++i) messages.push_back(message_of(kLane, user_of(i)));
  deliver(std::move(messages));
  const test::LogSpy spy;
  step();
  EXPECT_EQ(spy.lines().size(), 16U);
}

TEST_F(FulfilmentTest, CountsWhatWasDecided) {
  store_.lanes[kLane].stock = 1;
  deliver({one_, two_});
  step();
  const auto text = metrics_.text();
  EXPECT_NE(text.find("sluice_orders_decided_total{rejected=\"none\"} 1"), std::string::npos);
  EXPECT_NE(text.find("sluice_orders_decided_total{rejected=\"stock\"} 1"), std::string::npos);
}

}  // namespace
}  // namespace sluice
