#include "sluice/adapters/kafka/settings.hpp"

#include <array>
#include <gtest/gtest.h>
#include <set>

#include "sluice/adapters/kafka/feed.hpp"
#include "sluice/adapters/kafka/producer.hpp"

#include "support/order_feed_contract.hpp"
#include "support/run_awaitable.hpp"

namespace sluice::test {
namespace {

KafkaSettings valid() {
  KafkaSettings settings;
  settings.brokers = "127.0.0.1:9";
  return settings;
}

TEST(KafkaSettings, the_defaults_are_valid_once_brokers_are_named) {
  EXPECT_NE(check(KafkaSettings{}), std::nullopt);
  EXPECT_EQ(check(valid()), std::nullopt);
}

TEST(KafkaSettings, names_of_topics_are_checked) {
  for (const auto* name : {"", ".", "..", "a b", "a/b"}) {
    auto settings = valid();
    settings.topic = name;
    EXPECT_NE(check(settings), std::nullopt) << name;
  }
  auto settings = valid();
  settings.topic = std::string(238, 'a');
  EXPECT_EQ(check(settings), std::nullopt);
  settings.topic += 'a';
  EXPECT_NE(check(settings), std::nullopt);
  settings.topic = settings.dead_letter_topic;
  EXPECT_NE(check(settings), std::nullopt);
  settings = valid();
  settings.dead_letter_topic = heartbeat_topic(settings);
  EXPECT_NE(check(settings), std::nullopt);
}

TEST(KafkaSettings, wrong_ones_create_nothing) {
  PositionStore store;
  const auto feed_error = [&](const KafkaSettings& settings) {
    const auto executor = thread_context().get_executor();
    return create_kafka_feed(executor, settings, store, system_clock()).error();
  };
  EXPECT_EQ(create_kafka_producer(KafkaSettings{}).error(), Errc::invalid);
  EXPECT_EQ(feed_error(KafkaSettings{}), Errc::invalid);
  auto settings = valid();
  settings.extra.emplace("no.such.property", "1");
  EXPECT_EQ(create_kafka_producer(settings).error(), Errc::invalid);
  EXPECT_EQ(feed_error(settings), Errc::invalid);
}

TEST(LanePartition, never_changes) {
  EXPECT_EQ(lane_partition({1, 0}, 16), 1);
  EXPECT_EQ(lane_partition({4711, 3}, 16), 14);
  EXPECT_EQ(lane_partition({INT64_MAX, 255}, 1'024), 934);
}

TEST(LanePartition, the_lanes_of_a_sale_spread_over_all_partitions) {
  std::set<std::int32_t> used;
  for (std::uint32_t lane = 0; lane < 16; ++lane) used.insert(lane_partition({99, lane}, 16));
  EXPECT_EQ(used.size(), 16U);
}

TEST(LanePartition, sales_spread_over_partitions) {
  std::array<int, 8> used{};
  for (SaleId sale = 1; sale <= 8'000; ++sale) {
    ++used.at(static_cast<std::size_t>(lane_partition({sale, 0}, 8)));
  }
  for (const auto count : used) EXPECT_NEAR(count, 1'000, 150);
}

}  // namespace
}  // namespace sluice::test
