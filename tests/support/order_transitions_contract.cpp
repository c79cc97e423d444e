#include "support/order_transitions_contract.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "support/order_store_suite.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

constexpr Millis kHour{3'600'000};
constexpr Millis kShortest{1000};

ContractRegistry& registry() {
  static ContractRegistry contracts;
  return contracts;
}

OrderKey key_of(const OrderMessage& message) {
  return {message.id, message.lane.sale, message.user};
}

class OrderTransitionsContract : public OrderStoreSuite {
 protected:
  LaneId create_unpaid_lane(std::int64_t stock, Millis pay_within = kHour) {
    auto draft = draft_of(stock);
    draft.pay_within = pay_within;
    const LaneId lane{run_awaitable(stores_.sales->create(soon(), draft)).value().id, 0};
    fence(lane);
    return lane;
  }

  /// A confirmed order of user `number`.
  OrderMessage buy(LaneId lane, std::uint64_t number, std::uint32_t quantity = 1) {
    auto message = message_of(lane, user_of(number), quantity);
    EXPECT_THAT(apply({message}), ElementsAre(confirmed(message)));
    return message;
  }

  std::vector<std::optional<Order>> move(const std::vector<Transition>& transitions) {
    return run_awaitable(moves().move(soon(), transitions)).value();
  }

  /// The status that the order has after it; empty without such an order.
  std::optional<OrderStatus> move(const OrderKey& key, Move move) {
    const auto orders = this->move(std::vector<Transition>{{key, move}});
    EXPECT_EQ(orders.size(), 1u);
    return orders.at(0) ? std::optional(orders[0]->status) : std::nullopt;
  }
  std::optional<OrderStatus> move(const OrderMessage& message, Move move) {
    return this->move(key_of(message), move);
  }

  std::vector<OrderId> due(std::size_t max = 1000) {
    std::vector<OrderId> ids;
    for (const auto& key : run_awaitable(moves().due(soon(), max)).value()) ids.push_back(key.id);
    return ids;
  }

  void wait_until_due(std::size_t count) {
    const auto give_up = soon();
    while (due().size() < count) {
      ASSERT_LT(system_clock()->ticks(), give_up);
      world_->pass();
    }
  }

  std::vector<LaneId> returning(std::size_t max = 1000) {
    return run_awaitable(moves().returning(soon(), max)).value();
  }

  std::vector<OrderId> outbox(LaneId lane, std::size_t max = 1000) {
    std::vector<OrderId> ids;
    for (const auto& row : run_awaitable(moves().outbox(soon(), lane, max)).value()) {
      ids.push_back(row.id);
    }
    return ids;
  }

  std::string relayed(LaneId lane, Epoch epoch, const std::vector<OrderId>& ids) {
    return error_of(run_awaitable(moves().relayed(soon(), Fence{lane, epoch}, ids)));
  }

  LaneFigures figures(LaneId lane) {
    const auto lanes = run_awaitable(orders().audit(soon(), lane.sale)).value();
    EXPECT_TRUE(lanes.at(lane.index).conserved());
    return lanes.at(lane.index);
  }

  OrderTransitions& moves() { return *stores_.moves; }
};

TEST_P(OrderTransitionsContract, an_order_must_be_paid_by_its_sales_terms) {
  const auto unpaid = buy(create_unpaid_lane(10), 1);
  const auto order = find(unpaid);
  ASSERT_TRUE(order && order->pay_by);
  // Counted from its decision, by the store's clock.
  EXPECT_GT(*order->pay_by, TimePoint{} + kHour);
  EXPECT_FALSE(find(buy(create_lane(10), 1))->pay_by);
  const auto live = run_awaitable(orders().find_live(soon(), unpaid.lane.sale, unpaid.user));
  EXPECT_EQ(live.value()->pay_by, order->pay_by);
}

TEST_P(OrderTransitionsContract, a_paid_order_stays) {
  const auto lane = create_unpaid_lane(10);
  const auto message = buy(lane, 1, 3);
  EXPECT_EQ(move(message, Move::pay), OrderStatus::paid);
  EXPECT_EQ(move(message, Move::pay), OrderStatus::paid);
  EXPECT_EQ(move(message, Move::cancel), OrderStatus::paid);
  EXPECT_EQ(move(message, Move::expire), OrderStatus::paid);
  EXPECT_EQ(find(message)->status, OrderStatus::paid);
  EXPECT_EQ(figures(lane).stock, 7);
  EXPECT_EQ(figures(lane).live_units, 3);
  EXPECT_THAT(outbox(lane), IsEmpty());
}

TEST_P(OrderTransitionsContract, a_cancelled_order_returns_its_units_once) {
  const auto lane = create_unpaid_lane(10);
  const auto message = buy(lane, 1, 3);
  EXPECT_EQ(move(message, Move::cancel), OrderStatus::cancelled);
  EXPECT_EQ(move(message, Move::cancel), OrderStatus::cancelled);
  EXPECT_EQ(move(message, Move::pay), OrderStatus::cancelled);
  EXPECT_EQ(figures(lane).stock, 10);
  EXPECT_EQ(figures(lane).live_units, 0);
  EXPECT_EQ(figures(lane).returning, 3);
  EXPECT_THAT(outbox(lane), ElementsAre(message.id));
  EXPECT_THAT(returning(), ElementsAre(lane));
}

TEST_P(OrderTransitionsContract, the_outbox_says_what_to_give_back_in_order) {
  const auto lane = create_unpaid_lane(10);
  const auto first = buy(lane, 1, 2);
  const auto second = buy(lane, 2);
  move(second, Move::cancel);
  move(first, Move::cancel);
  const auto rows = run_awaitable(moves().outbox(soon(), lane, 1000)).value();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].id, second.id);
  EXPECT_EQ(rows[1].id, first.id);
  EXPECT_EQ(rows[1].user, first.user);
  EXPECT_EQ(rows[1].quantity, 2u);
  EXPECT_EQ(rows[1].action, SettleAction::give_back);
  EXPECT_THAT(outbox(lane, 1), ElementsAre(second.id));
}

TEST_P(OrderTransitionsContract, transitions_of_one_batch_come_one_after_the_other) {
  const auto lane = create_unpaid_lane(10);
  const auto paid = buy(lane, 1);
  const auto cancelled = buy(lane, 2, 2);
  const auto orders = move({{key_of(paid), Move::expire},
                            {key_of(paid), Move::pay},
                            {key_of(cancelled), Move::cancel},
                            {key_of(paid), Move::cancel},
                            {key_of(cancelled), Move::cancel}});
  ASSERT_EQ(orders.size(), 5u);
  for (const auto at : {0u, 1u, 3u}) EXPECT_EQ(orders[at]->status, OrderStatus::paid) << at;
  for (const auto at : {2u, 4u}) EXPECT_EQ(orders[at]->status, OrderStatus::cancelled) << at;
  EXPECT_EQ(orders[2], find(cancelled));
  EXPECT_EQ(figures(lane).stock, 9);
  EXPECT_THAT(outbox(lane), ElementsAre(cancelled.id));
}

TEST_P(OrderTransitionsContract, returns_of_one_batch_add_up_by_lane_in_its_order) {
  const auto lane = create_unpaid_lane(20);
  const auto other = create_unpaid_lane(20);
  std::vector<OrderId> cancelled;
  std::vector<Transition> batch;
  for (std::uint64_t user = 1; user <= 5; ++user) {
    const auto message = buy(lane, user, 2);
    cancelled.push_back(message.id);
    batch.push_back({key_of(message), Move::cancel});
    batch.push_back({key_of(buy(other, user)), user == 3 ? Move::cancel : Move::pay});
  }
  move(batch);
  EXPECT_EQ(figures(lane).stock, 20);
  EXPECT_EQ(figures(lane).returning, 10);
  EXPECT_THAT(outbox(lane), ElementsAreArray(cancelled));
  EXPECT_EQ(figures(other).stock, 16);
  EXPECT_EQ(figures(other).returning, 1);
}

TEST_P(OrderTransitionsContract, nobody_moves_what_is_not_his) {
  const auto lane = create_unpaid_lane(10);
  const auto other = create_unpaid_lane(10);
  const auto message = buy(lane, 1);
  EXPECT_EQ(move({message.id, lane.sale, user_of(2)}, Move::cancel), std::nullopt);
  EXPECT_EQ(move({message.id, other.sale, message.user}, Move::cancel), std::nullopt);
  const auto nobodys = message_of(lane, user_of(3));
  EXPECT_EQ(move(nobodys, Move::cancel), std::nullopt);
  EXPECT_EQ(find(message)->status, OrderStatus::confirmed);
  EXPECT_THAT(returning(), IsEmpty());
}

TEST_P(OrderTransitionsContract, a_rejected_order_does_not_move) {
  const auto lane = create_unpaid_lane(1);
  buy(lane, 1);
  const auto phantom = message_of(lane, user_of(2));
  EXPECT_THAT(apply({phantom}), ElementsAre(rejected(phantom, RejectReason::stock)));
  for (const auto wish : {Move::pay, Move::cancel, Move::expire}) {
    EXPECT_EQ(move(phantom, wish), OrderStatus::rejected);
  }
  EXPECT_EQ(figures(lane).stock, 0);
}

TEST_P(OrderTransitionsContract, an_order_expires_after_its_time_and_not_before) {
  const auto lane = create_unpaid_lane(10, kShortest);
  const auto message = buy(lane, 1, 2);
  const auto patient = buy(create_unpaid_lane(10), 1);
  EXPECT_THAT(due(), IsEmpty());
  EXPECT_EQ(move(message, Move::expire), OrderStatus::confirmed);
  wait_until_due(1);
  EXPECT_THAT(due(), ElementsAre(message.id));
  EXPECT_EQ(move(patient, Move::expire), OrderStatus::confirmed);
  for (const auto wish : {Move::expire, Move::expire, Move::pay, Move::cancel}) {
    EXPECT_EQ(move(message, wish), OrderStatus::expired);
  }
  EXPECT_THAT(due(), IsEmpty());
  EXPECT_EQ(figures(lane).stock, 10);
  EXPECT_THAT(outbox(lane), ElementsAre(message.id));
}

TEST_P(OrderTransitionsContract, what_is_due_may_still_be_paid_and_is_listed_oldest_first) {
  const auto lane = create_unpaid_lane(10, kShortest);
  const auto first = buy(lane, 1);
  world_->pass();
  const auto second = buy(lane, 2);
  wait_until_due(2);
  EXPECT_THAT(due(), ElementsAre(first.id, second.id));
  EXPECT_THAT(due(1), ElementsAre(first.id));
  EXPECT_EQ(move(first, Move::pay), OrderStatus::paid);
  EXPECT_EQ(move(first, Move::expire), OrderStatus::paid);
  EXPECT_THAT(due(), ElementsAre(second.id));
}

TEST_P(OrderTransitionsContract, who_cancelled_may_buy_again_and_the_old_order_stays_as_it_is) {
  const auto lane = create_unpaid_lane(1);
  const auto old = buy(lane, 1);
  move(old, Move::cancel);
  const auto fresh = buy(lane, 1);
  const Outcome cancelled{old.id, OrderStatus::cancelled, RejectReason::none};
  EXPECT_THAT(apply({old, fresh}), ElementsAre(cancelled, confirmed(fresh)));
  EXPECT_EQ(move(old, Move::pay), OrderStatus::cancelled);
  EXPECT_EQ(figures(lane).stock, 0);
  EXPECT_EQ(figures(lane).live_orders, 1);
  const auto image = this->image(lane);
  ASSERT_EQ(image.winners.size(), 1u);
  EXPECT_EQ(image.winners[0].second.id, fresh.id);
}

TEST_P(OrderTransitionsContract, rows_stay_until_they_are_relayed_under_the_newest_epoch) {
  const auto lane = create_unpaid_lane(10);
  const auto first = buy(lane, 1);
  const auto second = buy(lane, 2, 2);
  move(first, Move::cancel);
  move(second, Move::cancel);
  EXPECT_EQ(relayed(lane, 1, {first.id}), "ok");
  EXPECT_THAT(outbox(lane), ElementsAre(second.id));
  EXPECT_EQ(figures(lane).returning, 2);

  next_epoch(lane);
  const auto stale = make_error_code(Errc::stale).message();
  EXPECT_EQ(relayed(lane, 1, {second.id}), stale) << "a picture may be older than the move";
  EXPECT_THAT(outbox(lane), ElementsAre(second.id));
  EXPECT_EQ(relayed(lane, 2, {first.id, second.id}), "ok") << "some of them twice";
  EXPECT_THAT(outbox(lane), IsEmpty());
  EXPECT_THAT(returning(), IsEmpty());
  EXPECT_EQ(relayed({999'999, 0}, 1, {}), stale);
}

TEST_P(OrderTransitionsContract, what_ever_returned_is_counted_for_good) {
  const auto lane = create_unpaid_lane(3);
  const auto returned = [&] {
    const In<UserId> nobody;
    return run_awaitable(orders().lane_snapshot(soon(), lane, nobody)).value().returned;
  };
  const auto first = buy(lane, 1, 3);
  EXPECT_EQ(returned(), 0u);
  move(first, Move::cancel);
  EXPECT_EQ(returned(), 3u);
  move(buy(lane, 2, 2), Move::pay);
  move(buy(lane, 3), Move::cancel);
  EXPECT_EQ(returned(), 4u) << "sold again meanwhile";
}

TEST_P(OrderTransitionsContract, another_lanes_rows_are_not_forgotten) {
  const auto lane = create_unpaid_lane(10);
  const auto other = create_unpaid_lane(10);
  const auto mine = buy(lane, 1);
  const auto yours = buy(other, 1);
  move(yours, Move::cancel);
  move(mine, Move::cancel);
  EXPECT_THAT(returning(), ElementsAre(lane, other));
  EXPECT_THAT(returning(1), ElementsAre(lane));
  EXPECT_EQ(relayed(lane, 1, {mine.id, yours.id}), "ok");
  EXPECT_THAT(outbox(other), ElementsAre(yours.id));
}

TEST_P(OrderTransitionsContract, too_many_transitions_are_refused_and_none_are_fine) {
  const std::vector<Transition> many(1025, Transition{{OrderId{}, 1, user_of(1)}, Move::pay});
  const auto refused = run_awaitable(moves().move(soon(), many));
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error(), Errc::overloaded);
  EXPECT_THAT(move(std::vector<Transition>{}), IsEmpty());
}

TEST_P(OrderTransitionsContract, a_full_step_goes_through_and_a_fuller_one_does_not) {
  constexpr std::size_t kMost = 1024;
  const auto lane = create_unpaid_lane(2000, kShortest);
  Messages messages;
  for (std::uint64_t user = 0; user <= kMost; ++user) {
    messages.push_back(message_of(lane, user_of(user)));
  }
  apply(messages);
  std::vector<Transition> ends;
  for (const auto& message : messages) ends.push_back({key_of(message), Move::cancel});
  const auto last = ends.back();
  wait_until_due(1000);
  EXPECT_EQ(due(5000).size(), kMost);
  EXPECT_TRUE(run_awaitable(moves().move(soon(), ends)).has_error());
  EXPECT_EQ(figures(lane).returning, 0);
  ends.pop_back();
  for (const auto& order : move(ends)) EXPECT_EQ(order->status, OrderStatus::cancelled);
  EXPECT_THAT(due(5000), ElementsAre(last.order.id));
  EXPECT_EQ(move(last.order, Move::expire), OrderStatus::expired);
  EXPECT_EQ(figures(lane).returning, 1025);

  auto ids = outbox(lane, 5000);
  ASSERT_EQ(ids.size(), kMost);
  EXPECT_EQ(ids.front(), messages.front().id);
  ids.push_back(last.order.id);
  EXPECT_EQ(relayed(lane, 1, ids), make_error_code(Errc::overloaded).message());
  EXPECT_EQ(figures(lane).returning, 1025);
  ids.pop_back();
  EXPECT_EQ(relayed(lane, 1, ids), "ok");
  EXPECT_THAT(outbox(lane, 5000), ElementsAre(last.order.id));
}

TEST_P(OrderTransitionsContract, an_outbox_outlives_the_process) {
  const auto lane = create_unpaid_lane(10);
  const auto message = buy(lane, 1);
  move(message, Move::cancel);
  stores_ = StoreSet{};
  stores_ = world_->open();
  EXPECT_THAT(outbox(lane), ElementsAre(message.id));
  EXPECT_EQ(find(message)->status, OrderStatus::cancelled);
  EXPECT_EQ(figures(lane).stock, 10);
}

TEST_P(OrderTransitionsContract, of_moves_at_one_instant_one_happens) {
  if (!world_->concurrent()) GTEST_SKIP() << "this adapter has one instance at a time";
  constexpr std::uint64_t kOrders = 60;
  const auto lane = create_unpaid_lane(kOrders);
  std::vector<Transition> requests[2];
  for (std::uint64_t user = 0; user < kOrders; ++user) {
    const auto message = buy(lane, user);
    requests[0].push_back({key_of(message), Move::cancel});
    requests[1].push_back({key_of(message), user % 2 == 0 ? Move::pay : Move::cancel});
  }
  std::vector<std::thread> threads;
  for (auto& mine : requests) {
    threads.emplace_back([&] {
      auto stores = world_->open();
      for (const auto& wish : mine) {
        const std::vector<Transition> one{wish};
        EXPECT_TRUE(run_awaitable(stores.moves->move(soon(), one)).has_value());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto now = figures(lane);
  EXPECT_EQ(now.returning, now.stock);
  EXPECT_EQ(outbox(lane).size(), static_cast<std::size_t>(now.stock));
  EXPECT_GE(now.stock, static_cast<std::int64_t>(kOrders / 2));
}

TEST_P(OrderTransitionsContract, moving_and_deciding_at_once_never_block_each_other_for_good) {
  if (!world_->concurrent()) GTEST_SKIP() << "this adapter has one instance at a time";
  constexpr int kRounds = 100;
  const auto left = create_unpaid_lane(1'000'000);
  const auto right = create_unpaid_lane(1'000'000);
  std::thread mover([&] {
    auto stores = world_->open();
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      Messages messages;
      for (const auto lane : {right, left}) messages.push_back(message_of(lane, user_of(round)));
      EXPECT_TRUE(try_apply(*stores.orders, messages).has_value());
      std::vector<Transition> back;
      for (const auto& message : messages) back.push_back({key_of(message), Move::cancel});
      EXPECT_EQ(error_of(run_awaitable(stores.moves->move(soon(), back))), "ok");
    }
  });
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    // The same users, so that the rows that move stand in the way of those that come.
    Messages messages;
    for (const auto lane : {left, right}) messages.push_back(message_of(lane, user_of(round)));
    EXPECT_EQ(error_of(try_apply(orders(), messages)), "ok");
  }
  mover.join();
  for (const auto lane : {left, right}) EXPECT_TRUE(figures(lane).conserved());
}

// Programs that link the suites without a port to hold to them run none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OrderTransitionsContract);
INSTANTIATE_TEST_SUITE_P(Contract, OrderTransitionsContract,
                         testing::ValuesIn(registry().contracts()), contract_name);

}  // namespace

bool register_order_moves_contract(StoreContract contract) {
  return registry().add(std::move(contract));
}

}  // namespace sluice::test
