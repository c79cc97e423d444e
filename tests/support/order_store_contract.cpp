#include "support/order_store_contract.hpp"

#include <algorithm>
#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>
#include <thread>
#include <vector>

#include "support/contract_registry.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAreArray;

using Messages = std::vector<OrderMessage>;
using Outcomes = std::vector<Outcome>;

ContractRegistry& registry() {
  static ContractRegistry contracts;
  return contracts;
}

Result<Outcomes> try_apply(OrderStore& store, const Messages& messages,
                           std::optional<OffsetRange> range = std::nullopt) {
  return run_awaitable(store.apply(soon(), messages, std::move(range)));
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

class OrderStoreContract : public testing::TestWithParam<StoreContract> {
 protected:
  OrderStoreContract() : world_(GetParam().make()), stores_(world_->open()) {}

  Sale create_sale(std::int64_t stock, std::uint32_t lanes = 1, std::uint32_t limit = 1000) {
    auto sale = run_awaitable(stores_.sales->create(soon(), draft_of(stock, lanes, limit)));
    return sale.value();
  }

  LaneId create_lane(std::int64_t stock) { return LaneId{create_sale(stock).id, 0}; }

  Outcomes apply(const Messages& messages, std::optional<OffsetRange> range = std::nullopt) {
    return try_apply(orders(), messages, std::move(range)).value();
  }

  std::optional<Order> find(const OrderMessage& message) {
    const std::vector<OrderKey> keys{{message.id, message.lane.sale, message.user}};
    return run_awaitable(orders().find(soon(), keys)).value().at(0);
  }

  AuditFigures audit(SaleId sale) { return run_awaitable(orders().audit(soon(), sale)).value(); }

  LaneImage fence(LaneId lane) { return run_awaitable(orders().fence(soon(), lane)).value(); }

  std::int64_t position(const std::string& topic, std::int32_t partition = 0) {
    return run_awaitable(orders().position(soon(), topic, partition)).value();
  }

  std::optional<TimePoint> applied_through(const std::string& topic, std::int32_t partitions) {
    return run_awaitable(orders().applied_through(soon(), topic, partitions)).value();
  }

  OrderStore& orders() { return *stores_.orders; }

  std::unique_ptr<StoreWorld> world_;
  StoreSet stores_;
};

// Deciding.

TEST_P(OrderStoreContract, confirms_orders_and_takes_their_units_from_the_stock) {
  const auto lane = create_lane(10);
  const Messages messages{message_of(lane, user_of(1), 2), message_of(lane, user_of(2), 3)};
  EXPECT_THAT(apply(messages), ElementsAre(confirmed(messages[0]), confirmed(messages[1])));
  const AuditFigures expected{10, 5, 5, 2, 0, 0};
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
  const AuditFigures expected{100, 40, 60, 30, 0, 0};
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
  const AuditFigures expected{5, 0, 5, 2, 1, 0};
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
  const AuditFigures expected{10, 8, 2, 2, 0, 2};
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
  const AuditFigures expected{10, 8, 2, 1, 0, 0};
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
  const AuditFigures expected{10, 9, 1, 1, 0, 0};
  EXPECT_EQ(audit(lane.sale), expected);
  const AuditFigures untouched{10, 10, 0, 0, 0, 0};
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
  const AuditFigures expected{10, 8, 2, 1, 0, 0};
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
  const AuditFigures expected{4, 0, 4, 3, 2, 0};
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
  const AuditFigures expected{5000, 904, 4096, 4096, 0, 0};
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
  const AuditFigures expected{10, 8, 2, 1, 0, 0};
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
                       message.reserved_at};
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

TEST_P(OrderStoreContract, the_audit_of_a_fresh_sale_has_all_its_stock) {
  const AuditFigures expected{7, 7, 0, 0, 0, 0};
  EXPECT_EQ(audit(create_sale(7, 3).id), expected);
}

TEST_P(OrderStoreContract, the_audit_of_an_unknown_sale_is_not_found) {
  EXPECT_EQ(run_awaitable(orders().audit(soon(), 999'999)).error(), Errc::not_found);
}

// The fence.

TEST_P(OrderStoreContract, the_first_fence_of_a_lane_gives_epoch_1) {
  const auto lane = create_lane(10);
  EXPECT_EQ(run_awaitable(orders().fence_epoch(soon(), lane)).value(), 0u);
  EXPECT_EQ(fence(lane).epoch, 1u);
  EXPECT_EQ(run_awaitable(orders().fence_epoch(soon(), lane)).value(), 1u);
  EXPECT_EQ(fence(lane).epoch, 2u);
}

TEST_P(OrderStoreContract, lanes_are_fenced_one_by_one) {
  const auto sale = create_sale(10, 2);
  fence({sale.id, 1});
  EXPECT_EQ(run_awaitable(orders().fence_epoch(soon(), {sale.id, 0})).value(), 0u);
  EXPECT_EQ(run_awaitable(orders().fence_epoch(soon(), {sale.id, 1})).value(), 1u);
}

TEST_P(OrderStoreContract, the_fence_of_an_unknown_lane_is_not_found) {
  const auto lane = create_lane(10);
  const LaneId unknown{lane.sale, 1};
  EXPECT_EQ(run_awaitable(orders().fence_epoch(soon(), unknown)).error(), Errc::not_found);
  EXPECT_EQ(run_awaitable(orders().fence(soon(), unknown)).error(), Errc::not_found);
  EXPECT_EQ(run_awaitable(orders().fence(soon(), {lane.sale + 1000, 0})).error(), Errc::not_found);
}

TEST_P(OrderStoreContract, the_image_of_a_lane_is_what_was_decided_in_it) {
  const auto sale = create_sale(20, 2, 4);
  const LaneId lane{sale.id, 0};
  const Messages messages{message_of(lane, user_of(1), 3), message_of(lane, user_of(2), 4),
                          message_of(lane, user_of(2), 1), message_of(lane, user_of(3), 4),
                          message_of({sale.id, 1}, user_of(4), 1)};
  apply(messages);
  const auto opened =
      run_awaitable(stores_.sales->set_state(soon(), sale.id, SaleState::open)).value();

  const auto image = fence(lane);
  EXPECT_EQ(image.lane, lane);
  EXPECT_EQ(image.epoch, 1u);
  EXPECT_EQ(image.stock, 3);
  EXPECT_EQ(image.limit_per_order, 4u);
  EXPECT_EQ(image.window, window_of(opened));
  const std::vector<std::pair<UserId, OrderView>> winners{
      {user_of(1), {messages[0].id, OrderStatus::confirmed, 3}},
      {user_of(2), {messages[1].id, OrderStatus::confirmed, 4}}};
  EXPECT_THAT(image.winners, UnorderedElementsAreArray(winners));
}

TEST_P(OrderStoreContract, messages_below_the_fence_are_refused_without_a_row) {
  const auto lane = create_lane(10);
  fence(lane);
  fence(lane);
  const Messages messages{message_of(lane, user_of(1), 1, 1), message_of(lane, user_of(2), 1, 2),
                          message_of(lane, user_of(3), 1, 3)};
  EXPECT_THAT(apply(messages), ElementsAre(rejected(messages[0], RejectReason::fenced),
                                           confirmed(messages[1]), confirmed(messages[2])));
  EXPECT_FALSE(find(messages[0]).has_value());
  const AuditFigures expected{10, 8, 2, 2, 0, 0};
  EXPECT_EQ(audit(lane.sale), expected);
}

TEST_P(OrderStoreContract, an_order_decided_before_the_fence_keeps_its_outcome) {
  const auto lane = create_lane(1);
  const Messages messages{message_of(lane, user_of(1)), message_of(lane, user_of(1)),
                          message_of(lane, user_of(2))};
  const auto outcomes = apply(messages);
  fence(lane);
  fence(lane);
  EXPECT_EQ(apply(messages), outcomes);
}

// Positions of the log.

TEST_P(OrderStoreContract, the_position_moves_with_what_is_applied) {
  const auto lane = create_lane(10);
  EXPECT_EQ(position("orders"), 0);
  const Messages messages{message_of(lane, user_of(1))};
  EXPECT_THAT(apply(messages, OffsetRange{"orders", 0, 0, 7, TimePoint{Millis{100}}}),
              ElementsAre(confirmed(messages[0])));
  EXPECT_EQ(position("orders"), 7);
  EXPECT_EQ(position("orders", 1), 0);
  EXPECT_EQ(position("others"), 0);
  apply({}, OffsetRange{"orders", 0, 7, 8, TimePoint{Millis{100}}});
  EXPECT_EQ(position("orders"), 8);
}

TEST_P(OrderStoreContract, a_range_that_begins_elsewhere_is_stale_and_nothing_is_done) {
  const auto lane = create_lane(10);
  apply({}, OffsetRange{"orders", 0, 0, 7, TimePoint{Millis{100}}});
  const Messages messages{message_of(lane, user_of(1))};
  for (const std::int64_t begin : {0, 6, 8}) {
    const OffsetRange range{"orders", 0, begin, 20, TimePoint{Millis{200}}};
    EXPECT_EQ(try_apply(orders(), messages, range).error(), Errc::stale) << begin;
  }
  const OffsetRange first{"orders", 1, 3, 20, TimePoint{Millis{200}}};
  EXPECT_EQ(try_apply(orders(), messages, first).error(), Errc::stale);
  EXPECT_EQ(position("orders"), 7);
  EXPECT_EQ(position("orders", 1), 0);
  EXPECT_FALSE(find(messages[0]).has_value());
  const AuditFigures untouched{10, 10, 0, 0, 0, 0};
  EXPECT_EQ(audit(lane.sale), untouched);
}

TEST_P(OrderStoreContract, a_range_that_runs_backwards_is_invalid) {
  const OffsetRange range{"orders", 0, 5, 4, TimePoint{}};
  EXPECT_EQ(try_apply(orders(), {}, range).error(), Errc::invalid);
}

TEST_P(OrderStoreContract, an_empty_range_moves_the_log_time_alone) {
  EXPECT_EQ(applied_through("orders", 1), std::nullopt);
  apply({}, OffsetRange{"orders", 0, 0, 0, TimePoint{Millis{100}}});
  EXPECT_EQ(applied_through("orders", 1), TimePoint{Millis{100}});
  apply({}, OffsetRange{"orders", 0, 0, 0, TimePoint{Millis{150}}});
  EXPECT_EQ(applied_through("orders", 1), TimePoint{Millis{150}});
  EXPECT_EQ(position("orders"), 0);
}

TEST_P(OrderStoreContract, the_log_is_applied_through_the_time_of_its_slowest_partition) {
  apply({}, OffsetRange{"orders", 0, 0, 3, TimePoint{Millis{300}}});
  apply({}, OffsetRange{"orders", 2, 0, 3, TimePoint{Millis{200}}});
  EXPECT_EQ(applied_through("orders", 1), TimePoint{Millis{300}});
  EXPECT_EQ(applied_through("orders", 3), std::nullopt) << "partition 1 was never read";
  apply({}, OffsetRange{"orders", 1, 0, 3, TimePoint{Millis{250}}});
  EXPECT_EQ(applied_through("orders", 2), TimePoint{Millis{250}});
  EXPECT_EQ(applied_through("orders", 3), TimePoint{Millis{200}});
  apply({}, OffsetRange{"orders", 2, 3, 3, TimePoint{Millis{150}}});
  EXPECT_EQ(applied_through("orders", 3), TimePoint{Millis{200}}) << "it never goes back";
}

// Several instances at once.

/// What one of two racing appliers saw.
struct Racer {
  std::vector<std::pair<std::size_t, Outcome>> seen;
  std::string problem;
};

/// Applies slices of `messages`, forward or backward, each of them twice.
void race(StoreWorld& world, const Messages& messages, bool forward, std::size_t slice,
          Racer& racer) {
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
      racer.problem = error_of(outcomes);
      return;
    }
    for (auto i = begin; i < end; ++i) racer.seen.emplace_back(order[i], (*outcomes)[i - begin]);
  }
}

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
  std::thread other([&] { race(*world_, messages, false, 70, backward); });
  race(*world_, messages, true, 50, forward);
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

TEST_P(OrderStoreContract, nothing_below_a_fence_taken_among_applies_comes_after_its_image) {
  if (!world_->concurrent()) GTEST_SKIP() << "this adapter has one instance at a time";
  for (int round = 0; round < 15; ++round) {
    const auto lane = create_lane(100'000);
    Messages messages;
    for (unsigned i = 0; i < 600; ++i) messages.push_back(message_of(lane, user_of(i), 1, 0));
    Racer racer;
    std::thread applier([&] { race(*world_, messages, true, 40, racer); });
    const auto end = soon();
    while (audit(lane.sale).live_orders == 0 && std::chrono::steady_clock::now() < end) {
    }
    const auto image = fence(lane);
    applier.join();
    ASSERT_EQ(racer.problem, "");

    std::int64_t units = 0;
    for (const auto& winner : image.winners) units += winner.second.quantity;
    EXPECT_EQ(image.stock + units, 100'000);
    const AuditFigures as_imaged{100'000, image.stock, units, units, 0, 0};
    EXPECT_EQ(audit(lane.sale), as_imaged);
  }
}

TEST_P(OrderStoreContract, of_two_instances_on_one_partition_one_moves_it) {
  if (!world_->concurrent()) GTEST_SKIP() << "this adapter has one instance at a time";
  auto second = world_->open();
  const OffsetRange range{"orders", 0, 0, 5, TimePoint{Millis{100}}};
  EXPECT_EQ(error_of(try_apply(orders(), {}, range)), "ok");
  EXPECT_EQ(try_apply(*second.orders, {}, range).error(), Errc::stale);
  EXPECT_EQ(run_awaitable(second.orders->position(soon(), "orders", 0)).value(), 5);
}

// Programs that link the suites without a port to hold to them run none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OrderStoreContract);
INSTANTIATE_TEST_SUITE_P(Contract, OrderStoreContract, testing::ValuesIn(registry().contracts()),
                         contract_name);

}  // namespace

bool register_order_store_contract(StoreContract contract) {
  return registry().add(std::move(contract));
}

}  // namespace sluice::test
