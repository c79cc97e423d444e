#include "support/order_feed_contract.hpp"

#include <chrono>
#include <gtest/gtest.h>
#include <set>
#include <utility>

#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {

Task<std::vector<Outcome>> PositionStore::apply(Ticks, In<OrderMessage> messages,
                                                std::optional<OffsetRange> range) {
  if (range) {
    auto& next = positions_[range->partition];
    if (next != range->begin) co_return Errc::stale;
    next = range->next;
  }
  std::vector<Outcome> outcomes;
  for (const auto& message : messages) {
    applied_.push_back(message);
    outcomes.push_back(confirmed(message));
  }
  if (range) fences_.insert(fences_.end(), range->fences.begin(), range->fences.end());
  co_return outcomes;
}

Task<std::int64_t> PositionStore::position(Ticks, std::string, std::int32_t partition) {
  if (failing_) co_return Errc::unavailable;
  const auto found = positions_.find(partition);
  co_return found == positions_.end() ? 0 : found->second;
}

Task<std::vector<std::optional<Order>>> PositionStore::find(Ticks, In<OrderKey>) {
  co_return Errc::internal;
}
Task<std::optional<Order>> PositionStore::find_live(Ticks, SaleId, UserId) {
  co_return Errc::internal;
}
Task<LaneHead> PositionStore::head(Ticks, LaneId) { co_return Errc::internal; }
Task<std::vector<std::pair<LaneId, LaneHead>>> PositionStore::heads(Ticks, In<SaleId>) {
  co_return Errc::internal;
}
Task<Epoch> PositionStore::next_epoch(Ticks, LaneId, Authority, std::optional<Term>) {
  co_return Errc::internal;
}
Task<> PositionStore::begin_opening(Ticks, Fence, Term) { co_return Errc::internal; }
Task<> PositionStore::raise_fence(Ticks, Fence, std::optional<Epoch>, std::optional<Term>) {
  co_return Errc::internal;
}
Task<> PositionStore::suspect(Ticks, LaneId) { co_return Errc::internal; }
Task<StoredImage> PositionStore::image(Ticks, LaneId) { co_return Errc::internal; }
Task<std::vector<UserId>> PositionStore::winners(Ticks, LaneId, std::string, std::size_t) {
  co_return Errc::internal;
}
Task<LaneSnapshot> PositionStore::lane_snapshot(Ticks, LaneId, In<UserId>) {
  co_return Errc::internal;
}
Task<LogProgress> PositionStore::progress(Ticks, std::string, std::int32_t) {
  co_return Errc::internal;
}
Task<std::vector<LaneFigures>> PositionStore::audit(Ticks, SaleId) { co_return Errc::internal; }

namespace {

using std::chrono::steady_clock;

constexpr Millis kPatience{20'000};

std::vector<OrderMessage> messages(std::uint64_t count) {
  std::vector<OrderMessage> made;
  for (std::uint64_t i = 0; i < count; ++i) made.push_back(message_of({1, 0}, user_of(i)));
  return made;
}

std::vector<std::string> as_json(const std::vector<OrderMessage>& messages) {
  std::vector<std::string> made;
  for (const auto& message : messages) made.push_back(to_json(message));
  return made;
}

TimePoint wall_now() { return std::chrono::floor<Millis>(std::chrono::system_clock::now()); }

std::vector<OrderFeedContract>& registry() {
  static std::vector<OrderFeedContract> contracts;
  return contracts;
}

std::string contract_name(const testing::TestParamInfo<OrderFeedContract>& info) {
  return info.param.name;
}

class OrderFeedTest : public testing::TestWithParam<OrderFeedContract> {
 protected:
  OrderFeedTest() : harness_(GetParam().make()) {}

  Result<Delivery> next(std::size_t max, Millis patience = Millis{10'000});

  /// The next delivery with something in it; fails the test after 20 s without.
  Delivery next_stretch(std::size_t max);

  /// The next delivery that says that `partition` ended; what else arrives is applied.
  Delivery next_end(std::int32_t partition);

  /// Applies a delivery to the store; false when the store refused it.
  bool apply(const Delivery& delivery);

  Result<void> rewind(const OffsetRange& range);

  /// Applies stretches of at most `max` until the store has exactly `sent`.
  void apply_until_complete(const std::vector<OrderMessage>& sent, std::size_t max);

  std::vector<std::string> read_records(std::size_t count, std::size_t max);

  std::unique_ptr<OrderFeedHarness> harness_;
};

Result<Delivery> OrderFeedTest::next(std::size_t max, Millis patience) {
  return run_awaitable(harness_->feed().next(steady_clock::now() + patience, max));
}

Delivery OrderFeedTest::next_stretch(std::size_t max) {
  const auto until = steady_clock::now() + kPatience;
  while (steady_clock::now() < until) {
    auto delivery = next(max, Millis{500});
    if (!delivery) {
      ADD_FAILURE() << delivery.error().message();
      return {};
    }
    if (delivery->range && delivery->range->begin < delivery->range->next) {
      return std::move(*delivery);
    }
  }
  ADD_FAILURE() << "nothing arrived";
  return {};
}

Delivery OrderFeedTest::next_end(std::int32_t partition) {
  const auto until = steady_clock::now() + kPatience;
  while (steady_clock::now() < until) {
    auto delivery = next(100, Millis{500});
    if (!delivery) {
      ADD_FAILURE() << delivery.error().message();
      return {};
    }
    if (!delivery->range) continue;
    const auto& range = *delivery->range;
    if (range.begin == range.next && range.partition == partition) return std::move(*delivery);
    EXPECT_TRUE(apply(*delivery));
  }
  ADD_FAILURE() << "the end was not told";
  return {};
}

bool OrderFeedTest::apply(const Delivery& delivery) {
  const In<OrderMessage> span(delivery.messages);
  return run_awaitable(harness_->store().apply(soon(), span, delivery.range)).has_value();
}

Result<void> OrderFeedTest::rewind(const OffsetRange& range) {
  return run_awaitable(harness_->feed().rewind(soon(), range));
}

void OrderFeedTest::apply_until_complete(const std::vector<OrderMessage>& sent, std::size_t max) {
  while (harness_->store().applied().size() < sent.size()) {
    const auto delivery = next_stretch(max);
    ASSERT_TRUE(delivery.range.has_value());
    ASSERT_TRUE(apply(delivery)) << "it must begin at the store's position";
  }
  EXPECT_EQ(harness_->store().applied(), sent);
}

TEST_P(OrderFeedTest, an_empty_log_delivers_no_messages) {
  const auto begin = steady_clock::now();
  const auto delivery = next(10, Millis{200});
  EXPECT_LT(steady_clock::now() - begin, Millis{5'000});
  ASSERT_TRUE(delivery.has_value()) << delivery.error().message();
  EXPECT_TRUE(delivery->messages.empty());
  EXPECT_TRUE(delivery->poison.empty());
}

TEST_P(OrderFeedTest, messages_arrive_as_they_were_sent_in_one_contiguous_range) {
  const auto before = wall_now() - Millis{1'000};
  const auto sent = messages(5);
  harness_->append(1, as_json(sent));
  std::vector<OrderMessage> got;
  std::int64_t position = 0;
  while (got.size() < sent.size()) {
    const auto delivery = next_stretch(100);
    ASSERT_TRUE(delivery.range.has_value());
    EXPECT_EQ(delivery.range->partition, 1);
    EXPECT_EQ(delivery.range->begin, position);
    EXPECT_GE(delivery.range->log_time, before);
    position = delivery.range->next;
    got.insert(got.end(), delivery.messages.begin(), delivery.messages.end());
    ASSERT_TRUE(apply(delivery));
  }
  EXPECT_EQ(got, sent);
  EXPECT_EQ(position, 5);
}

TEST_P(OrderFeedTest, no_delivery_holds_more_than_was_asked_for) {
  const auto sent = messages(10);
  harness_->append(0, as_json(sent));
  for (std::size_t got = 0; got < sent.size();) {
    const auto delivery = next_stretch(3);
    ASSERT_TRUE(delivery.range.has_value());
    EXPECT_LE(delivery.messages.size(), 3U);
    EXPECT_EQ(delivery.range->next - delivery.range->begin,
              static_cast<std::int64_t>(delivery.messages.size()));
    got += delivery.messages.size();
    ASSERT_TRUE(apply(delivery));
  }
  EXPECT_EQ(harness_->store().applied(), sent);
}

TEST_P(OrderFeedTest, a_busy_partition_does_not_starve_another) {
  harness_->append(0, as_json(messages(500)));
  harness_->append(2, as_json(messages(5)));
  std::set<std::int32_t> seen;
  for (int i = 0; i < 60 && seen.size() < 2; ++i) {
    const auto delivery = next_stretch(10);
    ASSERT_TRUE(delivery.range.has_value());
    seen.insert(delivery.range->partition);
    ASSERT_TRUE(apply(delivery));
  }
  EXPECT_EQ(seen, (std::set<std::int32_t>{0, 2}));
}

TEST_P(OrderFeedTest, every_partition_tells_that_it_ended) {
  harness_->append(1, as_json(messages(2)));
  for (std::int32_t partition = 0; partition < kContractPartitions; ++partition) {
    const auto delivery = next_end(partition);
    ASSERT_TRUE(delivery.range.has_value());
    EXPECT_TRUE(delivery.messages.empty());
    EXPECT_TRUE(delivery.poison.empty());
    EXPECT_LE(delivery.range->log_time, wall_now());
    EXPECT_GE(delivery.range->log_time, wall_now() - Millis{60'000});
  }
}

TEST_P(OrderFeedTest, the_end_is_told_again_as_time_goes_on) {
  const auto first = next_end(0);
  const auto second = next_end(0);
  ASSERT_TRUE(first.range && second.range);
  EXPECT_LT(first.range->log_time, second.range->log_time);
}

TEST_P(OrderFeedTest, a_rewind_delivers_again_what_was_not_applied) {
  const auto sent = messages(6);
  harness_->append(0, as_json(sent));
  const auto first = next_stretch(2);
  ASSERT_TRUE(apply(first));
  const auto second = next_stretch(2);
  ASSERT_TRUE(second.range.has_value());
  const auto back = rewind(*second.range);
  ASSERT_TRUE(back.has_value()) << back.error().message();
  apply_until_complete(sent, 2);
}

TEST_P(OrderFeedTest, who_left_reads_on_at_the_stores_position_when_it_comes_back) {
  const auto sent = messages(6);
  harness_->append(0, as_json(sent));
  ASSERT_TRUE(apply(next_stretch(2)));
  next_stretch(2);
  for (int i = 0; i < 2; ++i) {
    const auto left = run_awaitable(harness_->feed().leave(soon()));
    ASSERT_TRUE(left.has_value()) << left.error().message();
  }
  apply_until_complete(sent, 2);
}

TEST_P(OrderFeedTest, who_leaves_before_the_positions_could_be_read_holds_nobody_up) {
  const auto sent = messages(3);
  harness_->append(0, as_json(sent));
  harness_->store().fail_positions(true);
  const auto until = steady_clock::now() + kPatience;
  while (next(100, Millis{500}).has_value() && steady_clock::now() < until) {
  }
  const auto left = run_awaitable(harness_->feed().leave(soon()));
  ASSERT_TRUE(left.has_value()) << left.error().message();
  harness_->store().fail_positions(false);
  apply_until_complete(sent, 100);
}

TEST_P(OrderFeedTest, after_a_failed_rewind_nothing_of_the_partition_is_skipped) {
  const auto sent = messages(6);
  harness_->append(0, as_json(sent));
  const auto first = next_stretch(2);
  ASSERT_TRUE(first.range.has_value());
  harness_->store().fail_positions(true);
  EXPECT_TRUE(rewind(*first.range).has_error());
  EXPECT_TRUE(next(10, Millis{100}).has_error());
  harness_->store().fail_positions(false);
  apply_until_complete(sent, 10);
}

TEST_P(OrderFeedTest, nothing_is_consumed_until_the_positions_can_be_read) {
  harness_->store().fail_positions(true);
  const auto sent = messages(3);
  harness_->append(0, as_json(sent));
  const auto until = steady_clock::now() + kPatience;
  auto delivery = next(10, Millis{100});
  while (delivery.has_value() && steady_clock::now() < until) {
    ASSERT_FALSE(delivery->range.has_value());
    delivery = next(10, Millis{100});
  }
  EXPECT_TRUE(delivery.has_error());
  harness_->store().fail_positions(false);
  while (harness_->store().applied().size() < sent.size()) {
    ASSERT_TRUE(apply(next_stretch(10)));
  }
  EXPECT_EQ(harness_->store().applied(), sent);
}

TEST_P(OrderFeedTest, reading_begins_at_the_stores_position) {
  const auto sent = messages(5);
  harness_->append(2, as_json(sent));
  harness_->store().place(2, 3);
  const auto delivery = next_stretch(10);
  ASSERT_TRUE(delivery.range.has_value());
  EXPECT_EQ(delivery.range->begin, 3);
  ASSERT_FALSE(delivery.messages.empty());
  EXPECT_EQ(delivery.messages.front(), sent[3]);
}

TEST_P(OrderFeedTest, poison_is_delivered_in_its_place_and_kept_as_a_dead_letter) {
  const auto good = messages(2);
  const std::string poison = "{\"not\": \"an order\"}";
  harness_->append(0, {to_json(good[0]), poison, to_json(good[1])});
  std::vector<Poison> bad;
  while (harness_->store().applied().size() < 2) {
    const auto delivery = next_stretch(10);
    ASSERT_TRUE(delivery.range.has_value());
    for (const auto& one : delivery.poison) bad.push_back(one);
    if (!delivery.poison.empty()) {
      const In<Poison> span(delivery.poison);
      const auto kept = run_awaitable(harness_->feed().dead_letter(soon(), *delivery.range, span));
      ASSERT_TRUE(kept.has_value()) << kept.error().message();
    }
    ASSERT_TRUE(apply(delivery));
  }
  EXPECT_EQ(harness_->store().applied(), good);
  ASSERT_EQ(bad.size(), 1U);
  EXPECT_EQ(bad[0].bytes, poison);
  EXPECT_FALSE(bad[0].why.empty());
  const auto letters = harness_->dead_letters(1);
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].bytes, poison);
  EXPECT_EQ(letters[0].why, bad[0].why);
}

/// Applies what `feed` delivers, at most `max` at a time, until `count` records are in the store,
/// and returns them as they stood in the log, if every fence stood behind the rest of its delivery.
std::vector<std::string> OrderFeedTest::read_records(std::size_t count, std::size_t max) {
  std::vector<std::string> records;
  while (records.size() < count && !HasFailure()) {
    const auto delivery = next_stretch(max);
    if (!delivery.range) break;
    const auto size = delivery.messages.size() + delivery.range->fences.size();
    EXPECT_LE(size, max);
    EXPECT_EQ(delivery.range->next - delivery.range->begin, static_cast<std::int64_t>(size));
    for (const auto& message : delivery.messages) records.push_back(to_json(message));
    for (const auto& fence : delivery.range->fences) records.push_back(to_json(fence));
    EXPECT_TRUE(apply(delivery));
  }
  return records;
}

TEST_P(OrderFeedTest, a_fence_ends_its_stretch_wherever_it_stands) {
  const auto lane = harness_->lane(1);
  const auto order = [&](std::uint64_t user) { return to_json(message_of(lane, user_of(user))); };
  const auto fence = [&](Epoch epoch) { return to_json(Fence{lane, epoch}); };
  const std::vector<std::string> log = {fence(1), order(1), order(2), fence(2), order(3),
                                        fence(3), fence(4), order(4), order(5), fence(5)};
  harness_->append(1, log);
  EXPECT_EQ(read_records(log.size(), 100), log);
  const std::vector<Fence> fences = {{lane, 1}, {lane, 2}, {lane, 3}, {lane, 4}, {lane, 5}};
  EXPECT_EQ(harness_->store().fences(), fences);
}

TEST_P(OrderFeedTest, fences_count_as_what_was_asked_for) {
  const auto lane = harness_->lane(0);
  std::vector<std::string> log;
  for (Epoch epoch = 1; epoch <= 10; ++epoch) {
    log.push_back(to_json(message_of(lane, user_of(epoch))));
    log.push_back(to_json(Fence{lane, epoch}));
    log.push_back(to_json(Fence{lane, epoch + 100}));
  }
  harness_->append(0, log);
  EXPECT_EQ(read_records(log.size(), 2), log);
}

TEST_P(OrderFeedTest, a_fence_that_was_not_applied_is_delivered_again) {
  const auto lane = harness_->lane(2);
  harness_->append(2, {to_json(Fence{lane, 7})});
  const auto first = next_stretch(10);
  ASSERT_TRUE(first.range.has_value());
  EXPECT_EQ(first.range->fences, (std::vector<Fence>{{lane, 7}}));
  ASSERT_TRUE(rewind(*first.range).has_value());
  const auto second = next_stretch(10);
  ASSERT_TRUE(second.range.has_value());
  EXPECT_EQ(second.range->begin, first.range->begin);
  EXPECT_EQ(second.range->next, first.range->next);
  EXPECT_EQ(second.range->fences, first.range->fences);
}

// Programs that use other parts of this library may link it without registering anything.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OrderFeedTest);
INSTANTIATE_TEST_SUITE_P(Contract, OrderFeedTest, testing::ValuesIn(registry()), contract_name);

}  // namespace

bool register_order_feed_contract(OrderFeedContract contract) {
  registry().push_back(std::move(contract));
  return true;
}

}  // namespace sluice::test
