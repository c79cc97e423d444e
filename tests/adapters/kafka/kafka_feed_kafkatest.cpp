#include <chrono>
#include <cstdio>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "sluice/adapters/kafka/feed.hpp"
#include "sluice/adapters/kafka/producer.hpp"

#include "kafka_world.hpp"
#include "support/order_feed_contract.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using std::chrono::steady_clock;
using Values = std::vector<std::optional<std::string>>;

constexpr Millis kPatience{30'000};

Result<Delivery> next(OrderFeed& feed, std::size_t max = 512, Millis patience = Millis{50}) {
  return run_awaitable(feed.next(steady_clock::now() + patience, max));
}

bool apply(PositionStore& store, const Delivery& delivery) {
  const In<OrderMessage> span(delivery.messages);
  return run_awaitable(store.apply(soon(), span, delivery.range)).has_value();
}

/// Reads and applies until the store has `count` messages; a stale delivery is rewound.
void consume(OrderFeed& feed, PositionStore& store, std::size_t count) {
  const auto until = steady_clock::now() + kPatience;
  while (store.applied().size() < count && steady_clock::now() < until) {
    const auto delivery = next(feed);
    ASSERT_TRUE(delivery.has_value()) << delivery.error().message();
    if (!delivery->range || apply(store, *delivery)) continue;
    ASSERT_TRUE(run_awaitable(feed.rewind(soon(), *delivery->range)).has_value());
  }
  ASSERT_EQ(store.applied().size(), count);
}

Values some_orders(LaneId lane, std::size_t count) {
  Values values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(to_json(message_of(lane, user_of(i))));
  return values;
}

std::unique_ptr<OrderFeed> open(const KafkaSettings& settings, PositionStore& store) {
  return create_kafka_feed(thread_context().get_executor(), settings, store, system_clock())
      .value();
}

TEST(KafkaFeed, ten_thousand_messages_arrive_exactly_once_and_in_order_per_lane) {
  KafkaTopics topics(5);
  const auto producer = create_kafka_producer(topics.settings()).value();
  std::map<LaneId, std::vector<OrderMessage>> sent;
  for (int call = 0; call < 40; ++call) {
    const LaneId lane{1, static_cast<std::uint32_t>(call % 10)};
    std::vector<OrderMessage> batch;
    for (std::uint64_t i = 0; i < 250; ++i) batch.push_back(message_of(lane, user_of(i)));
    ASSERT_TRUE(publish(*producer, batch).has_value());
    auto& all = sent[lane];
    all.insert(all.end(), batch.begin(), batch.end());
  }
  PositionStore store;
  const auto feed = open(topics.settings(), store);
  consume(*feed, store, 10'000);
  std::map<LaneId, std::vector<OrderMessage>> got;
  for (const auto& message : store.applied()) got[message.lane].push_back(message);
  EXPECT_EQ(got, sent);
}

TEST(KafkaFeed, a_message_arrives_with_the_id_of_its_request_and_anything_else_is_none) {
  KafkaTopics topics(1);
  const auto producer = create_kafka_producer(topics.settings()).value();
  std::vector<OrderMessage> sent;
  for (const std::string id : {"r-1", "", "no id", "0123456789abcdef"}) {
    sent.push_back(message_of({1, 0}, user_of(sent.size())));
    sent.back().request_id = id;
  }
  ASSERT_TRUE(publish(*producer, sent).has_value());
  PositionStore store;
  const auto feed = open(topics.settings(), store);
  consume(*feed, store, sent.size());
  sent[2].request_id = "";
  EXPECT_EQ(store.applied(), sent);
}

TEST(KafkaFeed, two_members_share_the_partitions_and_one_takes_over_from_the_other) {
  KafkaTopics topics(4);
  PositionStore store;
  auto first = open(topics.settings(), store);
  auto second = open(topics.settings(), store);
  std::set<std::int32_t> of_first;
  std::set<std::int32_t> of_second;
  std::size_t appended = 0;
  const auto until = steady_clock::now() + kPatience;
  while ((of_first.size() != 2 || of_second.size() != 2) && steady_clock::now() < until) {
    of_first.clear();
    of_second.clear();
    for (std::int32_t partition = 0; partition < 4; ++partition) {
      topics.append(partition, some_orders({1, 0}, 10));
      appended += 10;
    }
    while (store.applied().size() < appended && steady_clock::now() < until) {
      for (auto* one : {&first, &second}) {
        const auto delivery = next(**one);
        ASSERT_TRUE(delivery.has_value()) << delivery.error().message();
        if (!delivery->range || !apply(store, *delivery) || delivery->messages.empty()) continue;
        (one == &first ? of_first : of_second).insert(delivery->range->partition);
      }
    }
  }
  EXPECT_EQ(of_first.size(), 2U);
  EXPECT_EQ(of_second.size(), 2U);
  ASSERT_EQ(store.applied().size(), appended);

  for (std::int32_t partition = 0; partition < 4; ++partition) {
    topics.append(partition, some_orders({1, 0}, 10));
    appended += 10;
  }
  first.reset();
  consume(*second, store, appended);
  std::set<OrderId> ids;
  for (const auto& message : store.applied()) ids.insert(message.id);
  EXPECT_EQ(ids.size(), appended) << "nothing is applied twice";
}

TEST(KafkaFeed, whatever_is_no_order_is_poison_in_its_place_and_can_be_kept) {
  KafkaTopics topics(1);
  auto wrong_version = *some_orders({1, 0}, 1)[0];
  wrong_version.replace(wrong_version.find("\"v\":1"), 5, "\"v\":9");
  const auto good = some_orders({1, 0}, 2);
  const Values bad{"not JSON", wrong_version, std::string(500'000, 'x'),
                   "",         std::nullopt,  std::string("\0\xff\x01", 3)};
  Values all{good[0]};
  all.insert(all.end(), bad.begin(), bad.end());
  all.push_back(good[1]);
  topics.append(0, all);

  PositionStore store;
  const auto feed = open(topics.settings(), store);
  std::vector<Poison> poison;
  const auto until = steady_clock::now() + kPatience;
  while (store.applied().size() < 2 && steady_clock::now() < until) {
    const auto delivery = next(*feed);
    ASSERT_TRUE(delivery.has_value());
    if (!delivery->range) continue;
    const In<Poison> span(delivery->poison);
    ASSERT_TRUE(run_awaitable(feed->dead_letter(soon(), *delivery->range, span)).has_value());
    poison.insert(poison.end(), delivery->poison.begin(), delivery->poison.end());
    ASSERT_TRUE(apply(store, *delivery));
  }
  ASSERT_EQ(poison.size(), bad.size());
  EXPECT_EQ(poison[0].why, "offset 1: not an order message of version 1");
  EXPECT_EQ(poison[2].why, "offset 3: 500000 bytes, more than 4096");
  EXPECT_EQ(poison[3].why, "offset 4: an empty value");
  EXPECT_EQ(poison[4].why, "offset 5: no value");
  const auto letters = topics.read(topics.settings().dead_letter_topic, bad.size());
  ASSERT_EQ(letters.size(), bad.size());
  for (std::size_t i = 0; i < letters.size(); ++i) {
    EXPECT_EQ(letters[i].value, poison[i].bytes);
    EXPECT_EQ(letters[i].why, poison[i].why);
    EXPECT_NE(letters[i].offsets, "");
  }
}

TEST(KafkaFeed, control_records_of_transactions_belong_to_the_range) {
  KafkaTopics topics(1);
  topics.append_in_transaction(0, some_orders({1, 0}, 3));
  topics.append(0, some_orders({1, 0}, 2));
  topics.append_in_transaction(0, some_orders({1, 0}, 1));
  PositionStore store;
  const auto feed = open(topics.settings(), store);
  consume(*feed, store, 6);
  // 3 orders, a control record, 2 orders, 1 order, a control record.
  std::int64_t position = 0;
  const auto until = steady_clock::now() + kPatience;
  while (position < 8 && steady_clock::now() < until) {
    const auto delivery = next(*feed);
    ASSERT_TRUE(delivery.has_value());
    if (delivery->range) {
      ASSERT_TRUE(apply(store, *delivery));
    }
    position = run_awaitable(store.position(soon(), "", 0)).value();
  }
  EXPECT_EQ(position, 8);
}

/// The stretches of `partition` that moved the store's position without anything in them.
TEST(KafkaFeed, leaves_also_when_it_has_read_all_ahead_that_it_may) {
  KafkaTopics topics(2);
  PositionStore store;
  for (const std::int32_t partition : {0, 1}) {
    const auto message = message_of(lane_in(partition, 2), user_of(1));
    topics.append(partition, std::vector<std::optional<std::string>>(6'000, to_json(message)));
  }
  const auto feed = open(topics.settings(), store);
  // Each takes one and reads ahead to the bound.
  for (int taken = 0; taken < 3'000;) {
    const auto delivery = next(*feed, 1);
    ASSERT_TRUE(delivery.has_value());
    taken += static_cast<int>(delivery->messages.size());
  }
  const auto left = run_awaitable(feed->leave(soon()));
  EXPECT_TRUE(left.has_value()) << left.error().message();
  consume(*feed, store, 12'000);
}

std::vector<std::pair<std::int64_t, std::int64_t>> consume_jumps(OrderFeed& feed,
                                                                 PositionStore& store,
                                                                 std::size_t count) {
  std::vector<std::pair<std::int64_t, std::int64_t>> jumps;
  const auto until = steady_clock::now() + 2 * kPatience;
  while (store.applied().size() < count && steady_clock::now() < until) {
    const auto delivery = next(feed);
    EXPECT_TRUE(delivery.has_value()) << delivery.error().message();
    if (!delivery || !delivery->range) continue;
    const auto& range = *delivery->range;
    if (delivery->messages.empty() && range.begin != range.next) {
      jumps.emplace_back(range.begin, range.next);
    }
    if (apply(store, *delivery)) continue;
    EXPECT_TRUE(run_awaitable(feed.rewind(soon(), range)).has_value());
  }
  EXPECT_EQ(store.applied().size(), count);
  return jumps;
}

using Jumps = std::vector<std::pair<std::int64_t, std::int64_t>>;

TEST(KafkaFeed, below_the_oldest_record_reading_goes_on_there) {
  KafkaTopics topics(2);
  topics.append(0, some_orders({1, 0}, 5));
  topics.append(1, some_orders({1, 0}, 5));
  topics.truncate(0, 3);
  PositionStore store;
  const auto feed = open(topics.settings(), store);
  EXPECT_EQ(consume_jumps(*feed, store, 7), (Jumps{{0, 3}}));
  EXPECT_EQ(run_awaitable(store.position(soon(), "", 0)).value(), 5);
  EXPECT_EQ(run_awaitable(store.position(soon(), "", 1)).value(), 5);
}

TEST(KafkaFeed, above_the_end_reading_goes_back_to_the_oldest_record) {
  KafkaTopics topics(1);
  const auto sent = some_orders({1, 0}, 5);
  topics.append(0, sent);
  topics.truncate(0, 2);
  PositionStore store;
  store.place(0, 100);
  const auto feed = open(topics.settings(), store);
  EXPECT_EQ(consume_jumps(*feed, store, 3), (Jumps{{100, 2}}));
  EXPECT_EQ(to_json(store.applied().front()), *sent[2]);
  topics.append(0, some_orders({1, 0}, 4));
  consume(*feed, store, 7);
}

TEST(KafkaFeed, a_jump_that_was_not_applied_is_made_again) {
  KafkaTopics topics(1);
  topics.append(0, some_orders({1, 0}, 3));
  PositionStore store;
  store.place(0, 100);
  const auto feed = open(topics.settings(), store);
  const auto until = steady_clock::now() + kPatience;
  for (int refused = 0; refused < 2 && steady_clock::now() < until;) {
    const auto delivery = next(*feed);
    ASSERT_TRUE(delivery.has_value());
    if (!delivery->range) continue;
    EXPECT_EQ(delivery->range->begin, 100);
    ASSERT_TRUE(run_awaitable(feed->rewind(soon(), *delivery->range)).has_value());
    ++refused;
  }
  consume(*feed, store, 3);
}

TEST(KafkaFeed, a_topic_deleted_and_created_anew_while_it_is_read_stalls_nothing) {
  KafkaTopics topics(3);
  PositionStore store;
  const auto feed = open(topics.settings(), store);
  for (std::int32_t partition = 0; partition < 3; ++partition) {
    topics.append(partition, some_orders({1, 0}, 10));
  }
  consume(*feed, store, 30);

  topics.remove(topics.settings().topic);
  const auto gone = steady_clock::now() + Millis{1'500};
  while (steady_clock::now() < gone) {
    const auto delivery = next(*feed);
    ASSERT_TRUE(delivery.has_value()) << delivery.error().message();
    if (delivery->range) {
      ASSERT_TRUE(apply(store, *delivery));
    }
  }
  topics.create();
  for (std::int32_t partition = 0; partition < 3; ++partition) {
    topics.append(partition, some_orders({1, 0}, 4));
  }
  const auto begin = steady_clock::now();
  EXPECT_EQ(consume_jumps(*feed, store, 42), (Jumps{{10, 0}, {10, 0}, {10, 0}}));
  const std::chrono::duration<double> took = steady_clock::now() - begin;
  std::printf("reads the new topic after %.1f s\n", took.count());
  EXPECT_LT(took.count(), 20.0);
}

TEST(KafkaFeed, a_fence_that_stands_in_the_wrong_partition_is_poison) {
  KafkaTopics topics(2);
  const Fence fence{lane_in(1, 2), 5};
  topics.append(0, {to_json(fence)});
  topics.append(1, {to_json(fence)});
  PositionStore store;
  const auto feed = open(topics.settings(), store);
  std::vector<Poison> poison;
  const auto until = steady_clock::now() + kPatience;
  while ((poison.empty() || store.fences().empty()) && steady_clock::now() < until) {
    const auto delivery = next(*feed);
    ASSERT_TRUE(delivery.has_value());
    if (!delivery->range) continue;
    for (const auto& one : delivery->poison) {
      EXPECT_EQ(delivery->range->partition, 0);
      poison.push_back(one);
    }
    ASSERT_TRUE(apply(store, *delivery));
  }
  ASSERT_EQ(poison.size(), 1U);
  EXPECT_EQ(poison[0].why, "offset 0: a fence of a lane of another partition");
  EXPECT_EQ(store.fences(), (std::vector<Fence>{fence}));
}

TEST(KafkaFeed, an_idle_member_keeps_its_partitions) {
  KafkaTopics topics(1);
  auto settings = topics.settings();
  settings.max_poll_interval = Millis{6'000};
  PositionStore store;
  const auto feed = open(settings, store);
  const auto until = steady_clock::now() + Millis{8'000};
  int ends = 0;
  while (steady_clock::now() < until) {
    const auto delivery = next(*feed, 10, Millis{1'500});
    ASSERT_TRUE(delivery.has_value());
    ends += delivery->range ? 1 : 0;
  }
  EXPECT_GE(ends, 4) << "about one a second";
  EXPECT_LE(ends, 10) << "not more than one a second";
}

TEST(KafkaFeed, without_a_broker_nothing_hangs) {
  const DeafPort port(false);
  auto settings = fresh_settings(2);
  settings.brokers = port.broker();
  PositionStore store;
  const auto begin = steady_clock::now();
  {
    const auto feed = open(settings, store);
    const auto delivery = next(*feed, 10, Millis{300});
    EXPECT_TRUE(delivery.has_error() || !delivery->range);
    const std::vector<Poison> poison{{"bytes", "why"}};
    const In<Poison> span(poison);
    const OffsetRange range{settings.topic, 0, 0, 1, {}};
    const auto kept =
        run_awaitable(feed->dead_letter(steady_clock::now() + Millis{300}, range, span));
    EXPECT_TRUE(kept.has_error());
  }
  EXPECT_LT(steady_clock::now() - begin, Millis{6'000});
}

TEST(KafkaFeed, reads_a_backlog_in_large_stretches) {
  KafkaTopics topics(4);
  constexpr std::size_t kEach = 5'000;
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    topics.append(partition, some_orders({1, static_cast<std::uint32_t>(partition)}, kEach));
  }
  PositionStore store;
  const auto feed = open(topics.settings(), store);
  std::size_t got = 0;
  int stretches = 0;
  auto begin = steady_clock::now();
  const auto until = begin + kPatience;
  while (got < 4 * kEach && steady_clock::now() < until) {
    const auto delivery = next(*feed, 500);
    ASSERT_TRUE(delivery.has_value());
    if (got == 0) begin = steady_clock::now();
    got += delivery->messages.size();
    stretches += delivery->messages.empty() ? 0 : 1;
  }
  const std::chrono::duration<double> took = steady_clock::now() - begin;
  EXPECT_EQ(got, 4 * kEach);
  EXPECT_LT(stretches, 200);
  std::printf("read %.0f messages/s in %d stretches\n", static_cast<double>(got) / took.count(),
              stretches);
}

}  // namespace
}  // namespace sluice::test
