#include "adapters/kafka/partition_log.hpp"

#include <gtest/gtest.h>

#include "sluice/adapters/kafka/settings.hpp"

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

TEST(PartitionLog, fences_end_a_stretch_and_a_row_of_them_shares_one) {
  auto log = reading(0);
  const Fence first{{1, 0}, 2};
  const Fence second{{1, 1}, 3};
  add(log, 0);
  log.add(1, kTime, Poison{"bad", "why"});
  log.add(2, kTime + Millis{5}, first);
  log.add(3, kTime + Millis{7}, second);
  add(log, 6, Millis{9});
  const auto before = log.take("t", 0, 10);
  EXPECT_EQ(before.messages.size(), 1U);
  EXPECT_EQ(before.poison.size(), 1U);
  EXPECT_EQ(before.range->fences, (std::vector<Fence>{first, second}));
  EXPECT_EQ(before.range->begin, 0);
  EXPECT_EQ(before.range->next, 6);
  EXPECT_EQ(before.range->log_time, kTime + Millis{6});
  const auto behind = log.take("t", 0, 10);
  EXPECT_EQ(behind.messages.size(), 1U);
  EXPECT_TRUE(behind.range->fences.empty());
  EXPECT_EQ(behind.range->begin, 6);
  EXPECT_EQ(behind.range->next, 7);
}

TEST(PartitionLog, poison_behind_a_fence_is_in_the_next_stretch) {
  auto log = reading(0);
  log.add(0, kTime, Fence{{1, 0}, 2});
  log.add(1, kTime, Poison{"bad", "why"});
  const auto first = log.take("t", 0, 10);
  EXPECT_EQ(first.range->next, 1);
  EXPECT_TRUE(first.poison.empty());
  EXPECT_EQ(log.take("t", 0, 10).poison.size(), 1U);
}

TEST(PartitionLog, outside_nothing_is_read_and_a_jump_moves_the_position) {
  for (const std::int64_t target : {0, 3, 50}) {
    auto log = reading(10);
    add(log, 10);
    log.fall_outside();
    EXPECT_EQ(log.state(), State::outside);
    EXPECT_EQ(log.next(), 10) << "what was read ahead is gone, what was delivered is not";
    add(log, 11);
    log.end_at(12);
    EXPECT_FALSE(log.ready());

    log.jump_to(target);
    EXPECT_EQ(log.resume(), target);
    ASSERT_TRUE(log.ready());
    add(log, target);
    log.read_again();
    EXPECT_EQ(log.resume(), target) << "a new assignment does not forget the jump";
    add(log, target);
    add(log, target + 1);
    const auto jump = log.take("t", 0, 10);
    EXPECT_TRUE(jump.messages.empty());
    EXPECT_EQ(jump.range->begin, 10);
    EXPECT_EQ(jump.range->next, target);
    EXPECT_EQ(jump.range->log_time, TimePoint{});
    const auto after = log.take("t", 0, 10);
    EXPECT_EQ(after.messages.size(), 2U);
    EXPECT_EQ(after.range->begin, target);
    EXPECT_EQ(after.range->next, target + 2);
  }
}

TEST(PartitionLog, losing_the_position_forgets_a_jump) {
  auto log = reading(10);
  log.fall_outside();
  log.jump_to(0);
  log.lose();
  EXPECT_FALSE(log.ready());
  log.read_from(4);
  EXPECT_EQ(log.resume(), 4);
  EXPECT_FALSE(log.ready());
}

PartitionLog::Content read(const char* value, std::size_t size, std::int64_t offset,
                           std::int32_t partition = 0, std::int32_t partitions = 1) {
  KafkaSettings settings;
  settings.partitions = partitions;
  rd_kafka_message_t record{};
  record.payload = const_cast<char*>(value);
  record.len = size;
  record.offset = offset;
  record.partition = partition;
  return read_record(record, settings);
}

std::string why(const PartitionLog::Content& content) { return std::get<Poison>(content).why; }

TEST(ReadRecord, an_order_is_read) {
  const auto sent = order();
  const auto json = to_json(sent);
  const auto content = read(json.data(), json.size(), 0);
  EXPECT_EQ(std::get<OrderMessage>(content), sent);
}

TEST(ReadRecord, whatever_is_no_order_is_poison_with_the_reason_and_the_offset) {
  EXPECT_EQ(why(read(nullptr, 0, 3)), "offset 3: no value");
  EXPECT_EQ(why(read("", 0, 4)), "offset 4: an empty value");
  EXPECT_EQ(why(read("{}", 2, 5)), "offset 5: not an order message of version 1");
  auto json = to_json(order());
  json.replace(json.find("\"v\":1"), 5, "\"v\":2");
  EXPECT_EQ(why(read(json.data(), json.size(), 6)), "offset 6: not an order message of version 1");
}

TEST(ReadRecord, a_fence_is_one_only_in_the_partition_of_its_lane) {
  const Fence fence{{1, 0}, 2};
  const auto json = to_json(fence);
  const auto own = lane_partition(fence.lane, 4);
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    const auto content = read(json.data(), json.size(), 9, partition, 4);
    if (partition == own) {
      EXPECT_EQ(std::get<Fence>(content), fence);
    } else {
      EXPECT_EQ(why(content), "offset 9: a fence of a lane of another partition");
    }
  }
}

TEST(ReadRecord, of_a_huge_message_only_the_beginning_is_kept) {
  const std::string huge(1'000'000, 'x');
  const auto content = read(huge.data(), huge.size(), 1);
  EXPECT_EQ(why(content), "offset 1: 1000000 bytes, more than 4096");
  EXPECT_EQ(std::get<Poison>(content).bytes, huge.substr(0, 65'536));
}

}  // namespace
}  // namespace sluice::kafka
