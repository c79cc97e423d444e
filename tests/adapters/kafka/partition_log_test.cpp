#include "adapters/kafka/partition_log.hpp"

#include <gtest/gtest.h>

#include "support/store_values.hpp"

namespace sluice::kafka {
namespace {

using State = PartitionLog::State;
using test::message_of;
using test::user_of;

constexpr TimePoint kTime{Millis{1'000'000}};

OrderMessage order() { return message_of({1, 0}, user_of(1)); }

PartitionLog reading(std::int64_t next) {
  PartitionLog log;
  log.read_from(next);
  return log;
}

void add(PartitionLog& log, std::int64_t offset, Millis after = Millis{0}) {
  log.add(offset, kTime + after, order());
}

TEST(PartitionLog, is_lost_until_it_has_a_position) {
  PartitionLog log;
  EXPECT_EQ(log.state(), State::lost);
  add(log, 0);
  log.end_at(5);
  log.ended(0, kTime);
  EXPECT_FALSE(log.ready());
  log.read_from(3);
  EXPECT_EQ(log.state(), State::reading);
  EXPECT_FALSE(log.ready());
  EXPECT_EQ(log.next(), 3);
}

TEST(PartitionLog, stretches_follow_each_other_without_a_gap) {
  auto log = reading(0);
  for (std::int64_t offset : {0, 1, 4, 5}) add(log, offset);
  const auto first = log.take("t", 7, 2);
  EXPECT_EQ(first.messages.size(), 2U);
  EXPECT_EQ(first.range->topic, "t");
  EXPECT_EQ(first.range->partition, 7);
  EXPECT_EQ(first.range->begin, 0);
  EXPECT_EQ(first.range->next, 4) << "offsets 2 and 3 do not exist";
  const auto second = log.take("t", 7, 2);
  EXPECT_EQ(second.range->begin, 4);
  EXPECT_EQ(second.range->next, 6);
  EXPECT_FALSE(log.ready());
}

TEST(PartitionLog, a_gap_at_the_end_is_a_stretch_without_messages) {
  auto log = reading(0);
  add(log, 0);
  log.take("t", 0, 10);
  log.end_at(2);
  ASSERT_TRUE(log.ready());
  const auto gap = log.take("t", 0, 10);
  EXPECT_TRUE(gap.messages.empty());
  EXPECT_EQ(gap.range->begin, 1);
  EXPECT_EQ(gap.range->next, 2);
  EXPECT_EQ(gap.range->log_time, kTime - Millis{1});
}

TEST(PartitionLog, what_was_read_before_is_dropped) {
  auto log = reading(5);
  add(log, 4);
  EXPECT_FALSE(log.ready());
  add(log, 5);
  add(log, 5);
  EXPECT_EQ(log.size(), 1U);
}

TEST(PartitionLog, the_log_time_is_just_before_the_last_message) {
  auto log = reading(0);
  add(log, 0);
  add(log, 1, Millis{10});
  add(log, 2, Millis{10});
  EXPECT_EQ(log.take("t", 0, 2).range->log_time, kTime + Millis{9});
}

TEST(PartitionLog, a_message_without_append_time_proves_no_log_time) {
  auto log = reading(0);
  log.add(0, std::nullopt, order());
  EXPECT_EQ(log.take("t", 0, 2).range->log_time, TimePoint{});
}

TEST(PartitionLog, an_end_is_told_only_when_everything_before_it_was_delivered) {
  auto log = reading(3);
  log.ended(4, kTime);
  EXPECT_FALSE(log.ready());
  add(log, 3);
  log.ended(4, kTime);
  EXPECT_EQ(log.take("t", 0, 1).range->log_time, kTime - Millis{1});
  EXPECT_FALSE(log.ready());
  log.ended(4, kTime + Millis{50});
  ASSERT_TRUE(log.ready());
  const auto end = log.take("t", 0, 1);
  EXPECT_EQ(end.range->begin, 4);
  EXPECT_EQ(end.range->next, 4);
  EXPECT_EQ(end.range->log_time, kTime + Millis{50});
  EXPECT_FALSE(log.ready());
}

TEST(PartitionLog, losing_the_position_drops_everything) {
  auto log = reading(0);
  add(log, 0);
  log.take("t", 0, 1);
  add(log, 1);
  log.ended(1, kTime);
  log.lose();
  EXPECT_FALSE(log.ready());
  EXPECT_EQ(log.size(), 0U);
  log.read_from(0);
  EXPECT_FALSE(log.ready());
  log.end_at(1);
  EXPECT_EQ(log.take("t", 0, 1).range->log_time, TimePoint{})
      << "the time proven for a later position says nothing of an earlier one";
}

TEST(PartitionLog, poison_keeps_its_place_and_is_counted) {
  auto log = reading(0);
  add(log, 0);
  log.add(1, kTime, Poison{"bad", "why"});
  add(log, 2);
  EXPECT_EQ(log.poison_bytes(), 3U);
  EXPECT_TRUE(log.take("t", 0, 1).poison.empty());
  const auto second = log.take("t", 0, 1);
  ASSERT_EQ(second.poison.size(), 1U);
  EXPECT_EQ(second.range->begin, 1);
  EXPECT_EQ(second.range->next, 2);
  EXPECT_EQ(log.poison_bytes(), 0U);
}

std::string why(const PartitionLog::Content& content) { return std::get<Poison>(content).why; }

TEST(ReadMessage, an_order_is_read) {
  const auto sent = order();
  const auto json = to_json(sent);
  const auto content = read_message(json.data(), json.size(), 0, 4'096);
  EXPECT_EQ(std::get<OrderMessage>(content), sent);
}

TEST(ReadMessage, whatever_is_no_order_is_poison_with_the_reason_and_the_offset) {
  EXPECT_EQ(why(read_message(nullptr, 0, 3, 4'096)), "offset 3: no value");
  EXPECT_EQ(why(read_message("", 0, 4, 4'096)), "offset 4: an empty value");
  EXPECT_EQ(why(read_message("{}", 2, 5, 4'096)), "offset 5: not an order message of version 1");
  auto json = to_json(order());
  json.replace(json.find("\"v\":1"), 5, "\"v\":2");
  EXPECT_EQ(why(read_message(json.data(), json.size(), 6, 4'096)),
            "offset 6: not an order message of version 1");
}

TEST(ReadMessage, of_a_huge_message_only_the_beginning_is_kept) {
  const std::string huge(1'000'000, 'x');
  const auto content = read_message(huge.data(), huge.size(), 1, 4'096);
  EXPECT_EQ(why(content), "offset 1: 1000000 bytes, more than 4096");
  EXPECT_EQ(std::get<Poison>(content).bytes, huge.substr(0, 65'536));
}

}  // namespace
}  // namespace sluice::kafka
