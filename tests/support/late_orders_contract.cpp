#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/order_store_suite.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

ContractRegistry& registry() {
  static ContractRegistry contracts;
  return contracts;
}

Outcome parked(const OrderMessage& message) {
  return {message.id, OrderStatus::queued, RejectReason::none};
}

/// The same order, granted again under a later epoch.
OrderMessage again(OrderMessage message, Epoch epoch) {
  message.epoch = epoch;
  return message;
}

class LateOrdersContract : public OrderStoreSuite {
 protected:
  LateOrders& late() { return *stores_.late; }

  std::vector<LateOrder> undecided(std::int64_t after = 0, std::size_t max = kLateMax) {
    return run_awaitable(late().undecided(soon(), after, max)).value();
  }

  void note(const OrderMessage& message) {
    const std::vector<OrderKey> keys{{message.id, message.lane.sale, message.user}};
    ASSERT_EQ(error_of(run_awaitable(late().note(soon(), keys))), "ok");
  }

  std::string refuse(const LateOrder& order, RejectReason reason) {
    const std::vector<LateRefusal> refusals{{order, reason}};
    return error_of(run_awaitable(late().refuse(soon(), refusals, lead())));
  }

  Term lead() {
    const std::string lease(kLeaderLease);
    return run_awaitable(stores_.control->acquire(soon(), lease, "this node", Millis{60'000}))
        .value()
        .term;
  }

  /// A lane whose fence is 2.
  LaneId create_fenced_lane(std::int64_t stock) {
    const auto lane = create_lane(stock);
    fence(lane);
    fence(lane);
    return lane;
  }

  std::string state_of(const OrderMessage& message) {
    const auto order = find(message);
    if (!order) return "unknown";
    return std::string(name(order->status)) + "/" + std::string(name(order->reason)) + " " +
           std::to_string(order->quantity);
  }
};

TEST_P(LateOrdersContract, what_comes_behind_the_fence_is_parked) {
  const auto lane = create_fenced_lane(10);
  const Messages messages{message_of(lane, user_of(1), 3, 1), message_of(lane, user_of(2), 1, 2),
                          message_of(lane, user_of(3), 2, 1)};
  const std::vector<Outcome> outcomes{parked(messages[0]), confirmed(messages[1]),
                                      parked(messages[2])};
  EXPECT_EQ(apply(messages), outcomes);
  EXPECT_EQ(apply(messages), outcomes) << "again";
  EXPECT_EQ(audit(lane.sale), (SaleFigures{10, 9, 1, 1, 0, 0})) << "they hold no unit";
  EXPECT_EQ(state_of(messages[0]), "queued/none 3");
  const auto live = run_awaitable(orders().find_live(soon(), lane.sale, user_of(3))).value();
  EXPECT_EQ(live->id, messages[2].id);
  EXPECT_EQ(live->status, OrderStatus::queued);
  EXPECT_EQ(live->currency, "EUR");

  const auto found = undecided();
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].message, messages[0]);
  EXPECT_EQ(found[1].message, messages[2]);
  EXPECT_LT(found[0].place, found[1].place);
  const std::vector<Transition> moves{{{messages[0].id, lane.sale, messages[0].user}, Move::pay}};
  EXPECT_FALSE(run_awaitable(stores_.moves->move(soon(), moves)).value().at(0)) << "it has no row";
  EXPECT_THAT(undecided(found[0].place), SizeIs(1));
  EXPECT_THAT(undecided(0, 1), SizeIs(1));
}

TEST_P(LateOrdersContract, one_that_is_granted_again_becomes_an_order) {
  const auto lane = create_fenced_lane(10);
  const auto first = message_of(lane, user_of(1), 3, 1);
  const auto second = message_of(lane, user_of(2), 1, 1);
  apply({first, second});
  const Messages granted{again(first, 2), message_of(lane, user_of(3), 1, 2), again(second, 2)};
  const std::vector<Outcome> outcomes{confirmed(first), confirmed(granted[1]), confirmed(second)};
  EXPECT_EQ(apply(granted), outcomes);
  EXPECT_EQ(apply(granted), outcomes) << "again";
  EXPECT_THAT(apply({first}), ElementsAre(confirmed(first))) << "as the log brought it";
  EXPECT_EQ(state_of(first), "confirmed/none 3");
  EXPECT_THAT(undecided(), IsEmpty());
  EXPECT_EQ(audit(lane.sale), (SaleFigures{10, 5, 5, 3, 0, 0}));
  EXPECT_EQ(head(lane).suspect, 0U);
}

TEST_P(LateOrdersContract, one_granted_under_an_epoch_that_is_over_stays_parked) {
  const auto lane = create_fenced_lane(10);
  const auto order = message_of(lane, user_of(1), 1, 1);
  apply({order});
  fence(lane);
  EXPECT_THAT(apply({again(order, 2)}), ElementsAre(parked(order)));
  EXPECT_THAT(undecided(), SizeIs(1));
  EXPECT_THAT(apply({again(order, 3)}), ElementsAre(confirmed(order)));
}

TEST_P(LateOrdersContract, a_refused_one_is_over_for_good) {
  const auto lane = create_fenced_lane(10);
  const auto order = message_of(lane, user_of(1), 2, 1);
  apply({order});
  ASSERT_EQ(refuse(undecided().at(0), RejectReason::stock), "ok");
  EXPECT_THAT(undecided(), IsEmpty());
  EXPECT_EQ(state_of(order), "rejected/stock 2");
  EXPECT_FALSE(run_awaitable(orders().find_live(soon(), lane.sale, order.user)).value());
  const auto over = rejected(order, RejectReason::stock);
  EXPECT_THAT(apply({order}), ElementsAre(over));
  EXPECT_THAT(apply({again(order, 2)}), ElementsAre(over)) << "whoever granted it since";
  EXPECT_EQ(audit(lane.sale), (SaleFigures{10, 10, 0, 0, 0, 0}));
  EXPECT_EQ(head(lane).suspect, 0U);
  const auto next = message_of(lane, order.user, 1, 2);
  EXPECT_THAT(apply({next}), ElementsAre(confirmed(next))) << "the user may buy";
}

TEST_P(LateOrdersContract, one_whose_user_got_another_since_and_gave_it_back_is_over) {
  const auto lane = create_fenced_lane(10);
  const auto give_back = [&](const OrderMessage& order) {
    ASSERT_THAT(apply({order}), ElementsAre(confirmed(order)));
    const std::vector<Transition> moves{{{order.id, lane.sale, order.user}, Move::cancel}};
    ASSERT_TRUE(run_awaitable(stores_.moves->move(soon(), moves)).value().at(0));
  };
  give_back(message_of(lane, user_of(1), 1, 2));
  give_back(message_of(lane, user_of(2), 1, 2));
  fence(lane);
  const auto first = message_of(lane, user_of(1), 1, 2);
  const auto second = message_of(lane, user_of(2), 1, 2);
  apply({first, second});
  give_back(message_of(lane, user_of(1), 1, 3));
  const std::vector<Outcome> outcomes{rejected(first, RejectReason::duplicate), confirmed(second)};
  EXPECT_EQ(apply({again(first, 3), again(second, 3)}), outcomes)
      << "what was given back before it is another matter";
  EXPECT_EQ(state_of(first), "rejected/duplicate 1");
  EXPECT_THAT(undecided(), IsEmpty());
  EXPECT_EQ(head(lane).suspect, 0U);
}

TEST_P(LateOrdersContract, what_became_an_order_is_not_refused) {
  const auto lane = create_fenced_lane(10);
  const auto order = message_of(lane, user_of(1), 1, 1);
  apply({order});
  const auto seen = undecided().at(0);
  apply({again(order, 2)});
  EXPECT_EQ(refuse(seen, RejectReason::stock), "ok");
  EXPECT_EQ(state_of(order), "confirmed/none 1");
}

TEST_P(LateOrdersContract, what_its_owner_misses_is_noted_until_its_message_comes) {
  const auto lane = create_fenced_lane(10);
  const auto order = message_of(lane, user_of(1), 2, 1);
  EXPECT_EQ(state_of(order), "unknown");
  note(order);
  note(order);
  EXPECT_EQ(state_of(order), "queued/none 0");
  const auto missing = undecided();
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_TRUE(missing[0].missing());
  EXPECT_EQ(missing[0].message.lane, lane);
  EXPECT_EQ(missing[0].message.user, order.user);
  EXPECT_FALSE(run_awaitable(orders().find_live(soon(), lane.sale, order.user)).value());

  EXPECT_THAT(apply({order}), ElementsAre(parked(order)));
  EXPECT_EQ(undecided().at(0).message, order);
  EXPECT_EQ(refuse(missing[0], RejectReason::fenced), "ok") << "of what was seen before";
  EXPECT_EQ(state_of(order), "queued/none 2");
}

TEST_P(LateOrdersContract, a_missing_one_that_was_given_up_stays_so) {
  const auto lane = create_fenced_lane(10);
  const auto order = message_of(lane, user_of(1), 2, 1);
  note(order);
  ASSERT_EQ(refuse(undecided().at(0), RejectReason::fenced), "ok");
  EXPECT_EQ(state_of(order), "rejected/fenced 0");
  EXPECT_THAT(apply({order}), ElementsAre(rejected(order, RejectReason::fenced)));
  EXPECT_THAT(undecided(), IsEmpty());
}

TEST_P(LateOrdersContract, only_what_is_behind_the_fence_and_unknown_is_noted) {
  const auto lane = create_fenced_lane(10);
  const auto early = message_of(lane, user_of(1), 1, 2);
  note(early);
  const auto row = message_of(lane, user_of(2), 1, 2);
  apply({row});
  fence(lane);
  note(row);
  const LaneId unknown{lane.sale + 1000, 0};
  note(message_of(unknown, user_of(3), 1, 1));
  EXPECT_THAT(undecided(), IsEmpty());
  EXPECT_THAT(apply({message_of(lane, user_of(4), 1, 3)}), SizeIs(1));
}

TEST_P(LateOrdersContract, only_the_leader_refuses) {
  const auto lane = create_fenced_lane(10);
  apply({message_of(lane, user_of(1), 1, 1)});
  const auto leader = lead();
  const std::vector<LateRefusal> refusals{{undecided().at(0), RejectReason::stock}};
  const auto refused = run_awaitable(late().refuse(soon(), refusals, leader + 1));
  EXPECT_EQ(refused.error(), Errc::stale);
  EXPECT_THAT(undecided(), SizeIs(1));
}

TEST_P(LateOrdersContract, a_strangers_id_says_nothing) {
  const auto lane = create_fenced_lane(10);
  const auto order = message_of(lane, user_of(1), 1, 1);
  apply({order});
  auto stolen = order;
  stolen.user = user_of(2);
  EXPECT_THAT(apply({stolen}), ElementsAre(rejected(stolen, RejectReason::invalid)));
  EXPECT_EQ(state_of(stolen), "unknown");
  EXPECT_EQ(undecided().at(0).message, order);
}

TEST_P(LateOrdersContract, a_sale_with_an_undecided_one_is_not_finished) {
  const auto lane = create_fenced_lane(10);
  apply({message_of(lane, user_of(1), 1, 1)});
  auto& sales = *stores_.sales;
  for (const auto state : {SaleState::open, SaleState::closed}) {
    ASSERT_TRUE(run_awaitable(sales.set_state(soon(), lane.sale, state)));
  }
  const auto finished = [&] {
    EXPECT_TRUE(run_awaitable(sales.finish(soon(), {lane.sale})));
    return run_awaitable(sales.get(soon(), lane.sale)).value()->finished;
  };
  EXPECT_FALSE(finished());
  ASSERT_EQ(refuse(undecided().at(0), RejectReason::stock), "ok");
  EXPECT_TRUE(finished());
}

TEST_P(LateOrdersContract, calls_have_limits) {
  std::vector<OrderKey> keys(kLateMax + 1);
  EXPECT_EQ(run_awaitable(late().note(soon(), keys)).error(), Errc::overloaded);
  const std::vector<LateRefusal> refusals(kLateMax + 1);
  EXPECT_EQ(run_awaitable(late().refuse(soon(), refusals, lead())).error(), Errc::overloaded);
}

// Programs that link the suites without a port to hold to them run none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LateOrdersContract);
INSTANTIATE_TEST_SUITE_P(Contract, LateOrdersContract, testing::ValuesIn(registry().contracts()),
                         contract_name);

}  // namespace

bool register_late_orders(StoreContract contract) { return registry().add(std::move(contract)); }

}  // namespace sluice::test
