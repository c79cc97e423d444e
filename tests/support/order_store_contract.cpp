#include "support/order_store_contract.hpp"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>
#include <thread>
#include <vector>

#include "support/order_store_suite.hpp"

namespace sluice::test {

void Racer::run(StoreWorld& world, const Messages& messages, bool forward, std::size_t slice) {
  auto stores = world.open();
  std::vector<std::size_t> order(messages.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (!forward) std::reverse(order.begin(), order.end());
  for (std::size_t begin = 0; begin < order.size(); begin += slice / 2) {
    const auto end = std::min(begin + slice, order.size());
    Messages batch;
    for (auto i = begin; i < end; ++i) batch.push_back(messages[order[i]]);
    const auto outcomes = try_apply(*stores.orders, batch);
    if (outcomes.has_error()) {
      problem = error_of(outcomes);
      return;
    }
    for (auto i = begin; i < end; ++i) seen.emplace_back(order[i], (*outcomes)[i - begin]);
  }
}

namespace {

using testing::ElementsAre;

ContractRegistry& registry() {
  static ContractRegistry contracts;
  return contracts;
}

/// The outcomes when every message fits or not by itself, in order, while `stock` lasts.
Outcomes one_at_a_time(const Messages& messages, std::int64_t stock) {
  Outcomes outcomes;
  for (const auto& message : messages) {
    const bool fits = message.quantity <= stock;
    if (fits) stock -= message.quantity;
    outcomes.push_back(fits ? confirmed(message) : rejected(message, RejectReason::stock));
  }
  return outcomes;
}

class OrderStoreContract : public OrderStoreSuite {};

// Deciding.

TEST_P(OrderStoreContract, confirms_orders_and_takes_their_units_from_the_stock) {
  const auto lane = create_lane(10);
  const Messages messages{message_of(lane, user_of(1), 2), message_of(lane, user_of(2), 3)};
  EXPECT_THAT(apply(messages), ElementsAre(confirmed(messages[0]), confirmed(messages[1])));
  const SaleFigures expected{10, 5, 5, 2, 0, 0};
  EXPECT_EQ(audit(lane.sale), expected);
}

TEST_P(OrderStoreContract, deciding_nothing_answers_nothing) { EXPECT_TRUE(apply({}).empty()); }

TEST_P(OrderStoreContract, applying_again_changes_nothing_and_answers_the_same) {
  const auto lane = create_lane(3);
  const auto user = user_of(1);
  const Messages messages{message_of(lane, user, 2), message_of(lane, user, 1),
                          message_of(lane, user_of(2), 2), message_of(lane, user_of(3), 1)};
  const auto first = apply(messages);
  EXPECT_THAT(first,
              ElementsAre(confirmed(messages[0]), rejected(messages[1], RejectReason::duplicate),
                          rejected(messages[2], RejectReason::stock), confirmed(messages[3])));
  const auto figures = audit(lane.sale);
  EXPECT_EQ(apply(messages), first);
  const Messages turned(messages.rbegin(), messages.rend());
  EXPECT_EQ(apply(turned), Outcomes(first.rbegin(), first.rend()));
  EXPECT_EQ(audit(lane.sale), figures);
}

TEST_P(OrderStoreContract, overlapping_batches_decide_each_order_once) {
  const auto lane = create_lane(100);
  Messages messages;
  for (unsigned i = 0; i < 30; ++i) messages.push_back(message_of(lane, user_of(i), 2));
  apply({messages.begin(), messages.begin() + 20});
  for (const auto& outcome : apply({messages.begin() + 10, messages.end()})) {
    EXPECT_EQ(outcome.status, OrderStatus::confirmed);
  }
  const SaleFigures expected{100, 40, 60, 30, 0, 0};
  EXPECT_EQ(audit(lane.sale), expected);
}

TEST_P(OrderStoreContract, never_sells_more_units_than_there_are) {
  const auto lane = create_lane(10);
  Messages messages;
  for (unsigned i = 0; i < 25; ++i) messages.push_back(message_of(lane, user_of(i), i % 3 + 1));
  const auto expected = one_at_a_time(messages, 10);
  EXPECT_EQ(apply(messages), expected);
  EXPECT_EQ(apply(messages), expected);
  const auto figures = audit(lane.sale);
  EXPECT_EQ(figures.stock, 0);
  EXPECT_EQ(figures.live_units, 10);
  EXPECT_EQ(figures.live_orders + figures.rejected_stock, 25);
  const Messages late{message_of(lane, user_of(100), 1)};
  EXPECT_THAT(apply(late), ElementsAre(rejected(late[0], RejectReason::stock)));
}

TEST_P(OrderStoreContract, an_order_too_large_does_not_stop_a_smaller_one_behind_it) {
  const auto lane = create_lane(5);
  const Messages messages{message_of(lane, user_of(1), 3), message_of(lane, user_of(2), 3),
                          message_of(lane, user_of(3), 2)};
  EXPECT_EQ(apply(messages), one_at_a_time(messages, 5));
  const SaleFigures expected{5, 0, 5, 2, 1, 0};
  EXPECT_EQ(audit(lane.sale), expected);
}

TEST_P(OrderStoreContract, a_user_rejected_for_stock_may_order_what_is_left) {
  const auto lane = create_lane(2);
  const Messages large{message_of(lane, user_of(1), 3)};
  EXPECT_THAT(apply(large), ElementsAre(rejected(large[0], RejectReason::stock)));
  const Messages small{message_of(lane, user_of(1), 2)};
  EXPECT_THAT(apply(small), ElementsAre(confirmed(small[0])));
  EXPECT_THAT(apply(large), ElementsAre(rejected(large[0], RejectReason::stock)));
}

TEST_P(OrderStoreContract, a_second_order_of_a_user_is_a_duplicate_with_a_row) {
  const auto lane = create_lane(10);
  const auto user = user_of(1);
  const Messages batch{message_of(lane, user), message_of(lane, user)};
  EXPECT_THAT(apply(batch),
              ElementsAre(confirmed(batch[0]), rejected(batch[1], RejectReason::duplicate)));
  const Messages later{message_of(lane, user, 4), message_of(lane, user_of(2))};
  EXPECT_THAT(apply(later),
              ElementsAre(rejected(later[0], RejectReason::duplicate), confirmed(later[1])));
  const SaleFigures expected{10, 8, 2, 2, 0, 2};
  EXPECT_EQ(audit(lane.sale), expected);
  const auto row = find(later[0]);
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->status, OrderStatus::rejected);
  EXPECT_EQ(row->reason, RejectReason::duplicate);
  EXPECT_EQ(row->quantity, 4u);
}

TEST_P(OrderStoreContract, a_user_is_one_user_in_all_lanes_of_a_sale) {
  const auto sale = create_sale(10, 2);
  const auto user = user_of(1);
  const Messages messages{message_of({sale.id, 1}, user), message_of({sale.id, 0}, user)};
  EXPECT_THAT(apply(messages),
              ElementsAre(confirmed(messages[0]), rejected(messages[1], RejectReason::duplicate)));
}

TEST_P(OrderStoreContract, a_user_may_order_in_two_sales) {
  const auto user = user_of(1);
  const Messages messages{message_of(create_lane(1), user), message_of(create_lane(1), user)};
  EXPECT_THAT(apply(messages), ElementsAre(confirmed(messages[0]), confirmed(messages[1])));
}

TEST_P(OrderStoreContract, a_message_repeated_within_a_batch_is_one_order) {
  const auto lane = create_lane(10);
  const auto message = message_of(lane, user_of(1), 2);
  EXPECT_THAT(apply({message, message, message}),
              ElementsAre(confirmed(message), confirmed(message), confirmed(message)));
  const SaleFigures expected{10, 8, 2, 1, 0, 0};
  EXPECT_EQ(audit(lane.sale), expected);
}

TEST_P(OrderStoreContract, an_id_of_another_user_or_sale_is_invalid_and_changes_nothing) {
  const auto lane = create_lane(10);
  const auto other_lane = create_lane(10);
  const auto original = message_of(lane, user_of(1));
  auto stolen = original;
  stolen.user = user_of(2);
  auto moved = original;
  moved.lane = other_lane;
  EXPECT_THAT(apply({original, stolen}),
              ElementsAre(confirmed(original), rejected(stolen, RejectReason::invalid)));
  EXPECT_THAT(apply({moved, stolen, original}),
              ElementsAre(rejected(moved, RejectReason::invalid),
                          rejected(stolen, RejectReason::invalid), confirmed(original)));
  const SaleFigures expected{10, 9, 1, 1, 0, 0};
  EXPECT_EQ(audit(lane.sale), expected);
  const SaleFigures untouched{10, 10, 0, 0, 0, 0};
  EXPECT_EQ(audit(other_lane.sale), untouched);
}

TEST_P(OrderStoreContract, an_unknown_lane_is_invalid_and_does_not_fail_its_batch) {
  const auto lane = create_lane(10);
  const Messages messages{message_of({lane.sale + 1000, 0}, user_of(1)),
                          message_of(lane, user_of(2)), message_of({lane.sale, 1}, user_of(3))};
  EXPECT_THAT(apply(messages),
              ElementsAre(rejected(messages[0], RejectReason::invalid), confirmed(messages[1]),
                          rejected(messages[2], RejectReason::invalid)));
  EXPECT_FALSE(find(messages[0]).has_value());
  EXPECT_FALSE(find(messages[2]).has_value());
}

TEST_P(OrderStoreContract, a_message_that_makes_no_sense_is_invalid_and_does_not_fail_its_batch) {
  const auto sale = create_sale(10, 1, 2);
  const LaneId lane{sale.id, 0};
  auto nobody = message_of(lane, user_of(1));
  nobody.user = UserId();
  const Messages messages{message_of(lane, user_of(2), 0), message_of(lane, user_of(3), 3),
                          message_of(lane, user_of(4), 4'000'000'000u), nobody,
                          message_of(lane, user_of(5), 2)};
  const auto outcomes = apply(messages);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(outcomes[i], rejected(messages[i], RejectReason::invalid));
    EXPECT_FALSE(find(messages[i]).has_value());
  }
  EXPECT_EQ(outcomes[4], confirmed(messages[4]));
  const SaleFigures expected{10, 8, 2, 1, 0, 0};
  EXPECT_EQ(audit(lane.sale), expected);
}

TEST_P(OrderStoreContract, a_batch_may_mix_lanes_and_each_lane_has_its_own_stock) {
  const auto sale = create_sale(4, 2);
  const auto other = create_lane(1);
  const LaneId left{sale.id, 0};
  const LaneId right{sale.id, 1};
  const Messages messages{message_of(right, user_of(1)),    message_of(left, user_of(2), 2),
                          message_of(other, user_of(3)),    message_of(left, user_of(4)),
                          message_of(right, user_of(5), 2), message_of(right, user_of(6))};
  EXPECT_THAT(apply(messages),
              ElementsAre(confirmed(messages[0]), confirmed(messages[1]), confirmed(messages[2]),
                          rejected(messages[3], RejectReason::stock),
                          rejected(messages[4], RejectReason::stock), confirmed(messages[5])));
  const SaleFigures expected{4, 0, 4, 3, 2, 0};
  EXPECT_EQ(audit(sale.id), expected);
}

TEST_P(OrderStoreContract, takes_batches_up_to_4096_messages) {
  const auto lane = create_lane(5000);
  Messages messages;
  for (unsigned i = 0; i < 4096; ++i) messages.push_back(message_of(lane, user_of(i)));
  const auto outcomes = apply(messages);
  ASSERT_EQ(outcomes.size(), messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) ASSERT_EQ(outcomes[i], confirmed(messages[i]));

  messages.push_back(message_of(lane, user_of(5000)));
  EXPECT_EQ(try_apply(orders(), messages).error(), Errc::overloaded);
  const SaleFigures expected{5000, 904, 4096, 4096, 0, 0};
  EXPECT_EQ(audit(lane.sale), expected);
}

TEST_P(OrderStoreContract, what_was_decided_survives_reopening) {
  const auto lane = create_lane(10);
  const auto message = message_of(lane, user_of(1), 2);
  apply({message}, OffsetRange{"orders", 0, 0, 5, TimePoint{Millis{7}}});
  const auto before = find(message);
  stores_ = StoreSet{};
  stores_ = world_->open();
  ASSERT_TRUE(before.has_value());
  EXPECT_EQ(find(message), before);
  EXPECT_THAT(apply({message}), ElementsAre(confirmed(message)));
  EXPECT_EQ(position("orders"), 5);
  const SaleFigures expected{10, 8, 2, 1, 0, 0};
  EXPECT_EQ(audit(lane.sale), expected);
}

// Looking up.

TEST_P(OrderStoreContract, an_order_has_the_price_and_currency_of_its_sale) {
  auto draft = draft_of(10);
  draft.unit_price_minor = 1'000'000'000'000;
  draft.currency = "JPY";
  const auto sale = run_awaitable(stores_.sales->create(soon(), draft)).value();
  const auto message = message_of({sale.id, 0}, user_of(1), 3);
  apply({message});
  const Order expected{message.id,
                       message.lane,
                       message.user,
                       3,
                       OrderStatus::confirmed,
                       RejectReason::none,
                       1'000'000'000'000,
                       "JPY",
                       message.reserved_at,
                       std::nullopt};
  EXPECT_EQ(find(message), expected);
}

TEST_P(OrderStoreContract, an_order_is_found_by_its_owner_alone_and_answers_keep_their_order) {
  const auto lane = create_lane(10);
  const auto other_lane = create_lane(10);
  const auto mine = message_of(lane, user_of(1));
  const auto yours = message_of(lane, user_of(2));
  apply({mine, yours});
  const std::vector<OrderKey> keys{{yours.id, lane.sale, yours.user},
                                   {mine.id, lane.sale, yours.user},
                                   {mine.id, other_lane.sale, mine.user},
                                   {message_of(lane, user_of(3)).id, lane.sale, mine.user},
                                   {mine.id, lane.sale, mine.user},
                                   {mine.id, lane.sale, mine.user}};
  const auto found = run_awaitable(orders().find(soon(), keys)).value();
  ASSERT_EQ(found.size(), keys.size());
  ASSERT_TRUE(found[0].has_value());
  EXPECT_EQ(found[0]->id, yours.id);
  EXPECT_FALSE(found[1].has_value());
  EXPECT_FALSE(found[2].has_value());
  EXPECT_FALSE(found[3].has_value());
  ASSERT_TRUE(found[4].has_value());
  EXPECT_EQ(found[4]->id, mine.id);
  EXPECT_EQ(found[5], found[4]);
  EXPECT_TRUE(run_awaitable(orders().find(soon(), {})).value().empty());
}

TEST_P(OrderStoreContract, the_live_order_of_a_user_is_found_without_its_id) {
  const auto lane = create_lane(1);
  const auto other_lane = create_lane(1);
  const Messages messages{message_of(lane, user_of(1)), message_of(lane, user_of(1)),
                          message_of(lane, user_of(2))};
  apply(messages);
  const auto live = run_awaitable(orders().find_live(soon(), lane.sale, user_of(1))).value();
  EXPECT_EQ(live, find(messages[0]));
  EXPECT_TRUE(live.has_value());
  EXPECT_FALSE(run_awaitable(orders().find_live(soon(), lane.sale, user_of(2))).value());
  EXPECT_FALSE(run_awaitable(orders().find_live(soon(), other_lane.sale, user_of(1))).value());
}

// Several instances at once.

TEST_P(OrderStoreContract, racing_instances_agree_and_no_unit_is_lost_or_sold_twice) {
  if (!world_->concurrent()) GTEST_SKIP() << "this adapter has one instance at a time";
  const auto sale = create_sale(900, 2);
  Messages messages;
  for (unsigned i = 0; i < 1500; ++i) {
    const LaneId lane{sale.id, i % 2};
    messages.push_back(message_of(lane, user_of(i % 1200), i % 3 + 1));
  }
  Racer forward;
  Racer backward;
  std::thread other([&] { backward.run(*world_, messages, false, 70); });
  forward.run(*world_, messages, true, 50);
  other.join();
  ASSERT_EQ(forward.problem, "");
  ASSERT_EQ(backward.problem, "");

  const auto decided = apply(messages);
  std::int64_t units = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (decided[i].status == OrderStatus::confirmed) units += messages[i].quantity;
  }
  for (const auto& racer : {forward, backward}) {
    for (const auto& [index, outcome] : racer.seen) ASSERT_EQ(outcome, decided[index]);
  }
  const auto figures = audit(sale.id);
  EXPECT_EQ(figures.initial, 900);
  EXPECT_EQ(figures.stock + figures.live_units, figures.initial);
  EXPECT_EQ(figures.live_units, units);
  EXPECT_EQ(figures.live_orders + figures.rejected_stock + figures.rejected_duplicate, 1500);
  EXPECT_LT(figures.stock, 6) << "an order of one to three units was refused while they were left";
}

// Programs that link the suites without a port to hold to them run none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OrderStoreContract);
INSTANTIATE_TEST_SUITE_P(Contract, OrderStoreContract, testing::ValuesIn(registry().contracts()),
                         contract_name);

}  // namespace

bool register_order_store_contract(StoreContract contract) {
  register_order_store_log(contract);
  register_order_store_epochs(contract);
  register_late_orders(contract);
  return registry().add(std::move(contract));
}

}  // namespace sluice::test
