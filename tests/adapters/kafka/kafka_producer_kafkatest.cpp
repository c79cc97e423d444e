#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <gtest/gtest.h>
#include <thread>

#include "sluice/adapters/kafka/producer.hpp"

#include "kafka_world.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using std::chrono::steady_clock;

std::vector<OrderMessage> orders(LaneId lane, std::size_t count) {
  std::vector<OrderMessage> made;
  for (std::size_t i = 0; i < count; ++i) made.push_back(message_of(lane, user_of(i)));
  return made;
}

/// Asks again until the answer is `wanted` or ten seconds passed.
std::string ping_until(const KafkaProducer& producer, const std::string& wanted) {
  const auto until = steady_clock::now() + Millis{10'000};
  auto got = error_of(producer.ping());
  while (got != wanted && steady_clock::now() < until) {
    std::this_thread::sleep_for(Millis{10});
    got = error_of(producer.ping());
  }
  return got;
}

std::string text(Errc code) { return make_error_code(code).message(); }

TEST(KafkaProducer, a_message_goes_to_its_lanes_partition_under_its_lanes_key) {
  KafkaTopics topics(7);
  const auto producer = create_kafka_producer(topics.settings()).value();
  for (const auto& lane : {LaneId{1, 0}, LaneId{1, 5}, LaneId{900, 2}}) {
    ASSERT_TRUE(publish(*producer, orders(lane, 3)).has_value());
  }
  const auto records = topics.read(topics.settings().topic, 9);
  ASSERT_EQ(records.size(), 9U);
  for (const auto& record : records) {
    const auto message = parse_order_message(record.value.value()).value();
    EXPECT_EQ(record.partition, lane_partition(message.lane, 7));
    EXPECT_EQ(record.key,
              std::to_string(message.lane.sale) + ":" + std::to_string(message.lane.index));
  }
  const auto figures = producer->figures();
  EXPECT_EQ(figures.outstanding, 0U);
  EXPECT_EQ(figures.acknowledged, 9U);
  EXPECT_EQ(figures.failed, 0U);
}

TEST(KafkaProducer, messages_of_several_lanes_are_refused) {
  KafkaTopics topics(2);
  const auto producer = create_kafka_producer(topics.settings()).value();
  const auto mixed = {message_of({1, 0}, user_of(1)), message_of({1, 1}, user_of(2))};
  EXPECT_EQ(error_of(publish(*producer, mixed)), text(Errc::invalid));
  EXPECT_EQ(producer->figures().outstanding, 0U);
}

TEST(KafkaProducer, ping_is_good_when_the_topic_is_as_the_settings_say) {
  KafkaTopics topics(2);
  const auto producer = create_kafka_producer(topics.settings()).value();
  EXPECT_EQ(ping_until(*producer, "ok"), "ok");
  auto other = topics.settings();
  other.partitions = 3;
  const auto wrong = create_kafka_producer(other).value();
  EXPECT_EQ(ping_until(*wrong, text(Errc::invalid)), text(Errc::invalid));
  other.topic = "sluice-test-absent-" + random_hex(8);
  const auto absent = create_kafka_producer(other).value();
  EXPECT_EQ(ping_until(*absent, text(Errc::not_found)), text(Errc::not_found));
}

class UnreachableKafka : public testing::TestWithParam<bool> {
 protected:
  UnreachableKafka() : port_(GetParam()) {
    settings_ = fresh_settings(4);
    settings_.brokers = port_.broker();
  }
  DeafPort port_;
  KafkaSettings settings_;
};

TEST_P(UnreachableKafka, publishing_ends_by_the_deadline) {
  const auto producer = create_kafka_producer(settings_).value();
  const auto begin = steady_clock::now();
  const auto answer = publish(*producer, orders({1, 0}, 20), Millis{300});
  EXPECT_LT(steady_clock::now() - begin, Millis{1'500});
  ASSERT_TRUE(answer.has_value()) << "the messages are still in the client and may arrive";
  for (const auto& receipt : *answer) EXPECT_EQ(receipt.kind, Receipt::Kind::unknown);
  EXPECT_EQ(producer->figures().outstanding, 20U);
  EXPECT_EQ(error_of(producer->ping()), text(Errc::unavailable));
}

TEST_P(UnreachableKafka, what_the_client_gives_up_is_not_outstanding_for_ever) {
  settings_.delivery_timeout = Millis{500};
  const auto producer = create_kafka_producer(settings_).value();
  const auto answer = publish(*producer, orders({1, 0}, 20));
  EXPECT_EQ(error_of(answer), text(Errc::unavailable)) << "nothing was sent, for certain";
  EXPECT_EQ(producer->figures().outstanding, 0U);
  EXPECT_EQ(producer->figures().failed, 20U);
}

TEST_P(UnreachableKafka, a_full_client_takes_no_more) {
  settings_.client_messages_max = 1'024;
  const auto producer = create_kafka_producer(settings_).value();
  const auto patience = Millis{1'000};  // Writing the messages as JSON counts towards it.
  const auto wholly = publish(*producer, orders({1, 0}, 1'000), patience);
  ASSERT_TRUE(wholly.has_value()) << "all were taken, none was sent";
  const auto partly = publish(*producer, orders({1, 0}, 1'000), patience);
  ASSERT_TRUE(partly.has_value()) << "some were taken";
  EXPECT_EQ(partly->size(), 1'000U);
  EXPECT_EQ(producer->figures().outstanding, 1'024U);
  EXPECT_EQ(producer->figures().failed, 976U);
  const auto begin = steady_clock::now();
  EXPECT_EQ(error_of(publish(*producer, orders({1, 0}, 5))), text(Errc::unavailable));
  EXPECT_LT(steady_clock::now() - begin, Millis{2'000}) << "at once, not at the deadline";
}

TEST_P(UnreachableKafka, closing_answers_everybody_in_bounded_time) {
  const auto producer = create_kafka_producer(settings_).value();
  const auto messages = orders({1, 0}, 100);
  std::thread closer([&] {
    while (producer->figures().outstanding < 100) std::this_thread::sleep_for(Millis{1});
    producer->close(Millis{100});
  });
  const auto begin = steady_clock::now();
  const auto answer = publish(*producer, messages, Millis{60'000});
  closer.join();
  EXPECT_LT(steady_clock::now() - begin, Millis{5'000});
  EXPECT_EQ(error_of(answer), text(Errc::unavailable)) << "purged before anything was sent";
  EXPECT_EQ(error_of(publish(*producer, messages)), text(Errc::unavailable));
  EXPECT_EQ(error_of(producer->ping()), text(Errc::unavailable));
}

std::string reach(const testing::TestParamInfo<bool>& info) {
  return info.param ? "Deaf" : "Closed";
}

INSTANTIATE_TEST_SUITE_P(Kafka, UnreachableKafka, testing::Values(false, true), reach);

boost::asio::awaitable<void> publish_and_count(OrderQueue& queue, Ticks deadline,
                                               std::vector<OrderMessage> messages,
                                               std::size_t& queued) {
  const In<OrderMessage> span(messages);
  const auto answer = co_await queue.publish(deadline, span);
  if (!answer) co_return;
  for (const auto& receipt : *answer) queued += receipt.kind == Receipt::Kind::queued ? 1 : 0;
}

void ignore(std::exception_ptr) {}

TEST(KafkaProducer, closing_waits_for_what_is_under_way) {
  KafkaTopics topics(4);
  const auto producer = create_kafka_producer(topics.settings()).value();
  boost::asio::io_context context(1);
  const auto queue = producer->create_queue(test::kafka_dependency());
  std::size_t queued = 0;
  auto running = publish_and_count(*queue, steady_clock::now() + Millis{20'000},
                                   orders({1, 0}, 1'000), queued);
  boost::asio::co_spawn(context, std::move(running), ignore);
  context.poll();
  producer->close(Millis{10'000});
  context.restart();
  context.run();
  EXPECT_EQ(queued, 1'000U);
}

TEST(KafkaProducer, everything_may_be_destroyed_with_publishes_in_flight) {
  KafkaTopics topics(4);
  for (int round = 0; round < 5; ++round) {
    std::size_t queued = 0;
    boost::asio::io_context context(1);
    auto producer = create_kafka_producer(topics.settings()).value();
    auto queue = producer->create_queue(test::kafka_dependency());
    for (std::uint32_t lane = 0; lane < 8; ++lane) {
      auto running = publish_and_count(*queue, steady_clock::now() + Millis{20'000},
                                       orders({1, lane}, 512), queued);
      boost::asio::co_spawn(context, std::move(running), ignore);
    }
    context.poll();
    if (round % 2 == 0) producer.reset();
    queue.reset();
  }
}

TEST(KafkaProducer, threads_share_one_producer) {
  KafkaTopics topics(4);
  const auto producer = create_kafka_producer(topics.settings()).value();
  constexpr std::size_t kThreads = 4;
  std::array<std::size_t, kThreads> queued{};
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      boost::asio::io_context context(1);
      const auto queue = producer->create_queue(test::kafka_dependency());
      for (std::uint32_t call = 0; call < 20; ++call) {
        auto running = publish_and_count(*queue, steady_clock::now() + Millis{20'000},
                                         orders({1, thread}, 100), queued[thread]);
        boost::asio::co_spawn(context, std::move(running), ignore);
      }
      context.run();
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto count : queued) EXPECT_EQ(count, 2'000U);
  EXPECT_EQ(producer->figures().acknowledged, 8'000U);
}

boost::asio::awaitable<void> publish_often(OrderQueue& queue, std::vector<OrderMessage> messages,
                                           int calls, std::size_t& queued) {
  const In<OrderMessage> span(messages);
  for (int call = 0; call < calls; ++call) {
    const auto answer = co_await queue.publish(steady_clock::now() + Millis{30'000}, span);
    if (!answer) continue;
    for (const auto& receipt : *answer) queued += receipt.kind == Receipt::Kind::queued ? 1 : 0;
  }
}

TEST(KafkaProducer, calls_of_512_with_8_in_flight_all_arrive) {
  KafkaTopics topics(8);
  const auto producer = create_kafka_producer(topics.settings()).value();
  ASSERT_TRUE(publish(*producer, orders({1, 0}, 1)).has_value());
  boost::asio::io_context context(1);
  const auto queue = producer->create_queue(test::kafka_dependency());
  std::size_t queued = 0;
  constexpr int kCalls = 50;
  for (std::uint32_t lane = 0; lane < 8; ++lane) {
    auto running = publish_often(*queue, orders({1, lane}, 512), kCalls, queued);
    boost::asio::co_spawn(context, std::move(running), ignore);
  }
  const auto begin = steady_clock::now();
  context.run();
  const std::chrono::duration<double> took = steady_clock::now() - begin;
  EXPECT_EQ(queued, 8U * 512U * kCalls);
  std::printf("published %.0f messages/s\n", static_cast<double>(queued) / took.count());
}

/// The end of the log as the producer comes to know it.
std::optional<std::int64_t> await_log_end(KafkaProducer& producer, std::int64_t expected) {
  const auto until = steady_clock::now() + Millis{10'000};
  while (producer.figures().log_end != expected && steady_clock::now() < until) {
    std::this_thread::sleep_for(Millis{20});
  }
  return producer.figures().log_end;
}

TEST(KafkaProducer, knows_how_many_records_the_log_ever_had) {
  KafkaTopics topics(3);
  const auto producer = create_kafka_producer(topics.settings()).value();
  EXPECT_EQ(await_log_end(*producer, 0), 0);
  std::vector<std::optional<std::string>> values(7, "anything");
  topics.append(0, values);
  topics.append(2, values);
  ASSERT_TRUE(publish(*producer, {message_of({1, 0}, user_of(1))}).has_value());
  EXPECT_EQ(await_log_end(*producer, 15), 15);
  topics.truncate(0, 5);
  topics.append(0, {"one more"});
  EXPECT_EQ(await_log_end(*producer, 16), 16) << "what was deleted counts too";
  producer->close(Millis{0});
  EXPECT_EQ(producer->figures().log_end, std::nullopt);
}

TEST(KafkaProducer, counts_the_heartbeats_of_all_nodes) {
  KafkaTopics topics(2);
  const auto one = create_kafka_producer(topics.settings()).value();
  const auto other = create_kafka_producer(topics.settings()).value();
  const auto await = [&](std::int64_t expected) {
    const auto until = steady_clock::now() + Millis{10'000};
    while (one->figures().heartbeats != expected && steady_clock::now() < until) {
      std::this_thread::sleep_for(Millis{20});
    }
    return one->figures().heartbeats;
  };
  EXPECT_EQ(await(0), 0);
  one->send_heartbeat();
  other->send_heartbeat();
  other->send_heartbeat();
  EXPECT_EQ(await(3), 3);
  EXPECT_EQ(one->figures().log_end, 0) << "they are no orders";
  EXPECT_EQ(one->figures().acknowledged, 0U);
  EXPECT_EQ(one->figures().outstanding, 0U);
  one->close(Millis{0});
  EXPECT_EQ(one->figures().heartbeats, std::nullopt);
}

TEST(KafkaProducer, does_not_know_the_end_of_a_log_without_its_topic) {
  auto topics = std::make_optional<KafkaTopics>(2);
  const auto producer = create_kafka_producer(topics->settings()).value();
  EXPECT_EQ(await_log_end(*producer, 0), 0);
  topics.reset();
  const auto until = steady_clock::now() + Millis{10'000};
  while (producer->figures().log_end && steady_clock::now() < until) {
    std::this_thread::sleep_for(Millis{20});
  }
  EXPECT_EQ(producer->figures().log_end, std::nullopt);
}

TEST_P(UnreachableKafka, the_end_of_the_log_is_not_known) {
  const auto producer = create_kafka_producer(settings_).value();
  std::this_thread::sleep_for(Millis{1'500});
  EXPECT_EQ(producer->figures().log_end, std::nullopt);
}

TEST(KafkaTopicsCreation, is_idempotent) {
  KafkaTopics topics(3);
  EXPECT_TRUE(create_kafka_topics(topics.settings(), soon()).has_value());
}

TEST(KafkaTopicsCreation, refuses_a_topic_of_another_shape) {
  KafkaTopics topics(3);
  auto settings = topics.settings();
  settings.partitions = 4;
  EXPECT_EQ(error_of(create_kafka_topics(settings, soon())), text(Errc::invalid));
}

TEST(KafkaTopicsCreation, refuses_a_topic_with_the_producers_timestamps) {
  KafkaTopics topics(1);
  const auto client = raw_client(topics.settings(), RD_KAFKA_PRODUCER);
  const kafka::Queue queue(rd_kafka_queue_new(client.get()));
  auto* change =
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics.settings().topic.c_str());
  rd_kafka_ConfigResource_set_config(change, "message.timestamp.type", "CreateTime");
  rd_kafka_AlterConfigs(client.get(), &change, 1, nullptr, queue.get());
  const kafka::Event done(rd_kafka_queue_poll(queue.get(), 10'000));
  rd_kafka_ConfigResource_destroy(change);
  // The change reaches the broker's own view a moment after the answer.
  const auto until = steady_clock::now() + Millis{10'000};
  auto got = error_of(create_kafka_topics(topics.settings(), soon()));
  while (got == "ok" && steady_clock::now() < until) {
    got = error_of(create_kafka_topics(topics.settings(), soon()));
  }
  EXPECT_EQ(got, text(Errc::invalid));
}

TEST(KafkaTopicsCreation, says_so_when_the_brokers_do_not_answer) {
  const DeafPort port(false);
  auto settings = fresh_settings(1);
  settings.brokers = port.broker();
  const auto begin = steady_clock::now();
  EXPECT_EQ(error_of(create_kafka_topics(settings, begin + Millis{500})), text(Errc::unavailable));
  EXPECT_LT(steady_clock::now() - begin, Millis{4'000});
}

}  // namespace
}  // namespace sluice::test
