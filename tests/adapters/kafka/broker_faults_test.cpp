#include <chrono>
#include <gtest/gtest.h>
#include <initializer_list>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <thread>
#include <vector>

#include "sluice/adapters/kafka/producer.hpp"

#include "c11_threads.hpp"
#include "kafka_world.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using std::chrono::steady_clock;
using Answer = Result<std::vector<Receipt>>;
using Kind = Receipt::Kind;

constexpr std::int16_t kProduceRequest = 0;
constexpr std::int16_t kInitProducerIdRequest = 22;

/// librdkafka's own brokers inside this process, which fail as they are told.
class FaultyBrokers {
 public:
  FaultyBrokers() : settings_(fresh_settings(2)) {
    settings_.brokers = "127.0.0.1:1";
    client_ = raw_client(settings_, RD_KAFKA_PRODUCER);
    cluster_.reset(rd_kafka_mock_cluster_new(client_.get(), 1));
    settings_.brokers = rd_kafka_mock_cluster_bootstraps(cluster_.get());
    rd_kafka_mock_topic_create(cluster_.get(), settings_.topic.c_str(), settings_.partitions, 1);
  }

  KafkaSettings& settings() { return settings_; }

  /// The answer to the next produce request.
  void fail_next(rd_kafka_resp_err_t error) {
    rd_kafka_mock_push_request_errors(cluster_.get(), kProduceRequest, 1, error);
  }

  void refuse_ids() {
    std::vector<rd_kafka_resp_err_t> errors(1'000, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    rd_kafka_mock_push_request_errors_array(cluster_.get(), kInitProducerIdRequest, errors.size(),
                                            errors.data());
  }
  void give_ids() { rd_kafka_mock_clear_request_errors(cluster_.get(), kInitProducerIdRequest); }

  void answer_after(Millis delay) {
    rd_kafka_mock_broker_set_rtt(cluster_.get(), 1, static_cast<int>(delay.count()));
  }

 private:
  KafkaSettings settings_;
  kafka::Client client_;
  std::unique_ptr<rd_kafka_mock_cluster_t, Destroy<rd_kafka_mock_cluster_destroy>> cluster_;
};

Answer publish_two(KafkaProducer& producer, Millis patience = Millis{10'000}) {
  return publish(producer, {message_of({1, 0}, user_of(1)), message_of({1, 0}, user_of(2))},
                 patience);
}

void expect_all(const Answer& answer, Kind kind) {
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  for (const auto& receipt : *answer) EXPECT_EQ(receipt.kind, kind);
}

TEST(BrokerFaults, a_passing_one_is_retried_unseen) {
  FaultyBrokers brokers;
  const auto producer = create_kafka_producer(brokers.settings()).value();
  expect_all(publish_two(*producer), Kind::queued);
  for (const auto error :
       {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS}) {
    brokers.fail_next(error);
    expect_all(publish_two(*producer), Kind::queued);
  }
  EXPECT_EQ(producer->figures().acknowledged, 6U);
}

TEST(BrokerFaults, a_message_that_was_sent_and_not_answered_is_unknown_not_refused) {
  FaultyBrokers brokers;
  brokers.settings().delivery_timeout = Millis{500};
  const auto producer = create_kafka_producer(brokers.settings()).value();
  expect_all(publish_two(*producer), Kind::queued);
  brokers.answer_after(Millis{5'000});
  const auto begin = steady_clock::now();
  expect_all(publish_two(*producer), Kind::unknown);
  EXPECT_LT(steady_clock::now() - begin, Millis{5'000}) << "the client gave up by itself";
  EXPECT_EQ(producer->figures().failed, 2U);
}

TEST(BrokerFaults, an_answer_after_the_deadline_is_counted_and_changes_nothing) {
  FaultyBrokers brokers;
  const auto producer = create_kafka_producer(brokers.settings()).value();
  expect_all(publish_two(*producer), Kind::queued);
  brokers.answer_after(Millis{400});
  expect_all(publish_two(*producer, Millis{100}), Kind::unknown);
  const auto until = steady_clock::now() + Millis{10'000};
  while (producer->figures().outstanding > 0 && steady_clock::now() < until) {
    publish_two(*producer);
  }
  EXPECT_EQ(producer->figures().outstanding, 0U);
  EXPECT_EQ(producer->figures().failed, 0U);
}

TEST(BrokerFaults, a_producer_without_its_id_says_that_it_is_not_fit_for_use) {
  FaultyBrokers brokers;
  brokers.refuse_ids();
  const auto producer = create_kafka_producer(brokers.settings()).value();
  // The brokers tell about the topic meanwhile, so only the id is missing.
  publish_two(*producer, Millis{1'500});
  EXPECT_FALSE(producer->ping().has_value());
  brokers.give_ids();
  const auto until = steady_clock::now() + Millis{10'000};
  while (!producer->ping() && steady_clock::now() < until) {
    std::this_thread::sleep_for(Millis{10});
  }
  ASSERT_TRUE(producer->ping().has_value());
  expect_all(publish_two(*producer), Kind::queued);
}

TEST(BrokerFaults, after_a_fatal_one_the_producer_is_replaced) {
  FaultyBrokers brokers;
  const auto producer = create_kafka_producer(brokers.settings()).value();
  expect_all(publish_two(*producer), Kind::queued);
  brokers.fail_next(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
  expect_all(publish_two(*producer), Kind::unknown);
  // Refused at once until the new one has taken over.
  const auto until = steady_clock::now() + Millis{10'000};
  auto answer = publish_two(*producer);
  while (!answer && steady_clock::now() < until) answer = publish_two(*producer);
  expect_all(answer, Kind::queued);
  EXPECT_EQ(producer->figures().outstanding, 0U);
}

}  // namespace
}  // namespace sluice::test
