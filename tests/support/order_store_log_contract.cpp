#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/order_store_suite.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;

constexpr auto kInvalid = RejectReason::invalid;

ContractRegistry& registry() {
  static ContractRegistry contracts;
  return contracts;
}

/// What ties the store to the log: positions, and the fences that come through it.
class OrderStoreLog : public OrderStoreSuite {};

TEST_P(OrderStoreLog, the_position_moves_with_what_is_applied) {
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

TEST_P(OrderStoreLog, a_range_that_begins_elsewhere_is_stale_and_nothing_is_done) {
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
  const SaleFigures untouched{10, 10, 0, 0, 0, 0};
  EXPECT_EQ(audit(lane.sale), untouched);
}

TEST_P(OrderStoreLog, only_a_range_without_records_runs_backwards) {
  const auto lane = create_lane(10);
  const auto epoch = next_epoch(lane);
  apply({}, OffsetRange{"orders", 0, 0, 5, TimePoint{Millis{100}}});
  const Messages messages{message_of(lane, user_of(1))};
  OffsetRange back{"orders", 0, 5, 2, TimePoint{Millis{90}}};
  EXPECT_EQ(try_apply(orders(), messages, back).error(), Errc::invalid);
  back.fences = {Fence{lane, epoch}};
  EXPECT_EQ(try_apply(orders(), {}, back).error(), Errc::invalid);
  EXPECT_EQ(position("orders"), 5);
  EXPECT_EQ(head(lane).fence, 0u);
  const OffsetRange below{"orders", 0, 5, -1, TimePoint{}};
  EXPECT_EQ(try_apply(orders(), {}, below).error(), Errc::invalid);

  back.fences.clear();
  apply({}, back);
  EXPECT_EQ(position("orders"), 2) << "a log that was cut is read again from there";
  EXPECT_EQ(progress("orders", 1).through, TimePoint{Millis{100}}) << "it never goes back";
  apply(messages, OffsetRange{"orders", 0, 2, 3, TimePoint{Millis{110}}});
  EXPECT_EQ(position("orders"), 3);
  apply({}, OffsetRange{"orders", 0, 3, 0, TimePoint{Millis{110}}});
  EXPECT_EQ(position("orders"), 0) << "a log that began anew is read from its beginning";
  EXPECT_EQ(apply(messages, OffsetRange{"orders", 0, 0, 1, TimePoint{Millis{110}}}),
            Outcomes{confirmed(messages[0])});
  const SaleFigures once{10, 9, 1, 1, 0, 0};
  EXPECT_EQ(audit(lane.sale), once);
}

TEST_P(OrderStoreLog, a_range_backwards_from_elsewhere_is_stale) {
  apply({}, OffsetRange{"orders", 0, 0, 5, TimePoint{Millis{100}}});
  const OffsetRange elsewhere{"orders", 0, 7, 2, TimePoint{Millis{100}}};
  EXPECT_EQ(try_apply(orders(), {}, elsewhere).error(), Errc::stale);
  EXPECT_EQ(position("orders"), 5);
}

TEST_P(OrderStoreLog, an_empty_range_moves_the_log_time_alone) {
  EXPECT_EQ(progress("orders", 1), (LogProgress{0, std::nullopt}));
  apply({}, OffsetRange{"orders", 0, 0, 0, TimePoint{Millis{100}}});
  EXPECT_EQ(progress("orders", 1), (LogProgress{0, TimePoint{Millis{100}}}));
  apply({}, OffsetRange{"orders", 0, 0, 0, TimePoint{Millis{150}}});
  EXPECT_EQ(progress("orders", 1), (LogProgress{0, TimePoint{Millis{150}}}));
  EXPECT_EQ(position("orders"), 0);
}

TEST_P(OrderStoreLog, progress_is_all_records_and_the_time_of_the_slowest_partition) {
  apply({}, OffsetRange{"orders", 0, 0, 3, TimePoint{Millis{300}}});
  apply({}, OffsetRange{"orders", 2, 0, 4, TimePoint{Millis{200}}});
  apply({}, OffsetRange{"others", 0, 0, 70, TimePoint{Millis{1}}});
  EXPECT_EQ(progress("orders", 1), (LogProgress{3, TimePoint{Millis{300}}}));
  EXPECT_EQ(progress("orders", 3), (LogProgress{7, std::nullopt})) << "1 was never read";
  apply({}, OffsetRange{"orders", 1, 0, 3, TimePoint{Millis{250}}});
  EXPECT_EQ(progress("orders", 2), (LogProgress{6, TimePoint{Millis{250}}}));
  EXPECT_EQ(progress("orders", 3), (LogProgress{10, TimePoint{Millis{200}}}));
  apply({}, OffsetRange{"orders", 2, 4, 4, TimePoint{Millis{150}}});
  EXPECT_EQ(progress("orders", 3).through, TimePoint{Millis{200}}) << "it never goes back";
  EXPECT_EQ(progress("nothing", 2), (LogProgress{0, std::nullopt}));
}

TEST_P(OrderStoreLog, a_fence_of_the_log_comes_behind_the_messages_before_it) {
  const auto lane = create_lane(10);
  fence(lane);
  const auto epoch = next_epoch(lane);
  auto senseless = message_of(lane, user_of(2));
  senseless.quantity = 0;
  const Messages before{message_of(lane, user_of(1)), senseless};
  OffsetRange range{"orders", 0, 0, 3, TimePoint{Millis{100}}};
  range.fences = {Fence{lane, epoch}};
  EXPECT_THAT(apply(before, range),
              ElementsAre(confirmed(before[0]), rejected(senseless, kInvalid)));
  EXPECT_EQ(head(lane), (LaneHead{epoch, epoch, 0, 0}));
  EXPECT_EQ(position("orders"), 3);

  const Messages after{message_of(lane, user_of(3)), message_of(lane, user_of(4), 1, epoch)};
  EXPECT_THAT(apply(after, OffsetRange{"orders", 0, 3, 5, TimePoint{Millis{110}}}),
              ElementsAre(Outcome{after[0].id, OrderStatus::queued, RejectReason::none},
                          confirmed(after[1])));
  EXPECT_EQ(apply(before).at(0), confirmed(before[0]));
}

TEST_P(OrderStoreLog, a_stale_range_raises_no_fence_and_marks_no_epoch) {
  const auto lane = create_lane(10);
  fence(lane);
  const auto taken = message_of(lane, user_of(1));
  apply({taken}, OffsetRange{"orders", 0, 0, 5, TimePoint{Millis{100}}});
  const auto epoch = next_epoch(lane);
  OffsetRange stale{"orders", 0, 3, 9, TimePoint{Millis{200}}};
  stale.fences = {Fence{lane, epoch}};
  const Messages second{message_of(lane, user_of(1))};
  EXPECT_EQ(try_apply(orders(), second, stale).error(), Errc::stale);
  EXPECT_EQ(head(lane), (LaneHead{1, epoch, 0, 0}));
}

TEST_P(OrderStoreLog, a_range_may_hold_fences_alone_for_any_lanes_and_twice) {
  const auto sale = create_sale(10, 3);
  const LaneId left{sale.id, 0};
  const LaneId right{sale.id, 1};
  const LaneId other{sale.id, 2};
  for (int i = 0; i < 3; ++i) next_epoch(left);
  next_epoch(right);
  OffsetRange range{"orders", 0, 0, 6, TimePoint{Millis{100}}};
  range.fences = {Fence{right, 1}, Fence{left, 1}, Fence{left, 3}, Fence{left, 2}};
  apply({}, range);
  EXPECT_EQ(head(left), (LaneHead{3, 3, 0, 0}));
  EXPECT_EQ(head(right), (LaneHead{1, 1, 0, 0}));
  EXPECT_EQ(head(other), LaneHead{});
  OffsetRange again{"orders", 0, 6, 7, TimePoint{Millis{100}}};
  again.fences = {Fence{left, 2}};
  apply({}, again);
  EXPECT_EQ(head(left).fence, 3u) << "a fence never falls";
}

TEST_P(OrderStoreLog, a_fence_nobody_was_allotted_or_of_an_unknown_lane_is_passed) {
  const auto lane = create_lane(10);
  const auto epoch = next_epoch(lane);
  OffsetRange range{"orders", 0, 0, 5, TimePoint{Millis{100}}};
  range.fences = {Fence{lane, epoch + 1}, Fence{lane, 4'000'000'000u}, Fence{lane, epoch},
                  Fence{{lane.sale, 1}, 1}, Fence{{lane.sale + 1000, 0}, 1}};
  const Messages messages{message_of(lane, user_of(1))};
  EXPECT_THAT(apply(messages, range), ElementsAre(confirmed(messages[0])));
  EXPECT_EQ(head(lane), (LaneHead{epoch, epoch, 0, 0}));
  EXPECT_EQ(position("orders"), 5);
}

TEST_P(OrderStoreLog, takes_ranges_of_up_to_4096_fences) {
  const auto lane = create_lane(10);
  next_epoch(lane);
  OffsetRange range{"orders", 0, 0, 5000, TimePoint{Millis{100}}};
  range.fences.assign(4097, Fence{lane, 1});
  EXPECT_EQ(try_apply(orders(), {}, range).error(), Errc::overloaded);
  EXPECT_EQ(position("orders"), 0);
  range.fences.pop_back();
  apply({}, range);
  EXPECT_EQ(head(lane).fence, 1u);
}

TEST_P(OrderStoreLog, of_two_instances_on_one_partition_one_moves_it) {
  if (!world_->concurrent()) GTEST_SKIP() << "this adapter has one instance at a time";
  auto second = world_->open();
  const OffsetRange range{"orders", 0, 0, 5, TimePoint{Millis{100}}};
  EXPECT_EQ(error_of(try_apply(orders(), {}, range)), "ok");
  EXPECT_EQ(try_apply(*second.orders, {}, range).error(), Errc::stale);
  EXPECT_EQ(run_awaitable(second.orders->position(soon(), "orders", 0)).value(), 5);
}

// Programs that link the suites without a port to hold to them run none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OrderStoreLog);
INSTANTIATE_TEST_SUITE_P(Contract, OrderStoreLog, testing::ValuesIn(registry().contracts()),
                         contract_name);

}  // namespace

bool register_order_store_log(StoreContract contract) {
  return registry().add(std::move(contract));
}

}  // namespace sluice::test
