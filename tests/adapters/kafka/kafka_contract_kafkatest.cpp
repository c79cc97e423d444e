#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <gtest/gtest.h>
#include <map>

#include "sluice/adapters/kafka/feed.hpp"
#include "sluice/adapters/kafka/producer.hpp"

#include "c11_threads.hpp"
#include "kafka_world.hpp"
#include "support/order_feed_contract.hpp"
#include "support/order_queue_contract.hpp"
#include "support/run_awaitable.hpp"
#include "support/run_on.hpp"

namespace sluice::test {
namespace {

boost::asio::awaitable<void> publish_one(OrderQueue& queue, const OrderQueueHarness::Publish& call,
                                         Result<std::vector<Receipt>>& answer) {
  const In<OrderMessage> span(call.messages);
  answer = co_await queue.publish(call.deadline, span);
}

void rethrow(std::exception_ptr failure) {
  if (failure) std::rethrow_exception(failure);
}

class KafkaQueueHarness final : public OrderQueueHarness {
 public:
  KafkaQueueHarness() : topics_(4), deaf_(true) { use(topics_.settings()); }

  std::vector<Result<std::vector<Receipt>>> publish(std::vector<Publish> calls) override {
    std::vector<Result<std::vector<Receipt>>> answers(calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) {
      auto running = publish_one(*queue_, calls[i], answers[i]);
      boost::asio::co_spawn(context_, std::move(running), rethrow);
    }
    context_.restart();
    context_.run();
    return answers;
  }

  Result<void> fence(Ticks deadline, Fence fence) override {
    return run_on(context_, queue_->fence(deadline, fence));
  }

  std::vector<OrderMessage> arrived(std::size_t count) override {
    std::vector<OrderMessage> messages;
    for (const auto& record : topics_.read(topics_.settings().topic, count)) {
      if (!parse_fence(record.value.value())) messages.push_back(order_in(record));
    }
    return messages;
  }

  std::vector<ArrivedFence> fences(std::size_t count, std::size_t messages) override {
    std::vector<ArrivedFence> found;
    std::map<LaneId, std::size_t> behind;
    for (const auto& record : topics_.read(topics_.settings().topic, count + messages)) {
      if (const auto fence = parse_fence(record.value.value())) {
        EXPECT_EQ(record.partition, lane_partition(fence->lane, topics_.settings().partitions));
        EXPECT_EQ(record.key,
                  std::to_string(fence->lane.sale) + ":" + std::to_string(fence->lane.index));
        found.push_back({*fence, behind[fence->lane]});
      } else {
        ++behind[order_in(record).lane];
      }
    }
    return found;
  }

  void silence() override {
    auto settings = topics_.settings();
    settings.brokers = deaf_.broker();
    use(settings);
  }

 private:
  static OrderMessage order_in(const Record& record) {
    return parse_order_message(record.value.value()).value();
  }

  void use(const KafkaSettings& settings) {
    queue_.reset();
    producer_ = create_kafka_producer(settings).value();
    queue_ = producer_->create_queue(test::kafka_dependency());
  }

  KafkaTopics topics_;
  DeafPort deaf_;
  boost::asio::io_context context_{1};
  std::shared_ptr<KafkaProducer> producer_;
  std::unique_ptr<OrderQueue> queue_;
};

std::unique_ptr<OrderQueueHarness> make_queue_harness() {
  return std::make_unique<KafkaQueueHarness>();
}

const bool kQueueRegistered =
    register_order_queue_contract(OrderQueueContract{"Kafka", make_queue_harness});

class KafkaFeedHarness final : public OrderFeedHarness {
 public:
  OrderFeed& feed() override { return *feed_; }
  PositionStore& store() override { return store_; }

  LaneId lane(std::int32_t partition) override { return lane_in(partition, kContractPartitions); }

  void append(std::int32_t partition, std::vector<std::string> values) override {
    topics_.append(partition, {values.begin(), values.end()});
  }

  std::vector<Poison> dead_letters(std::size_t count) override {
    std::vector<Poison> letters;
    for (auto& record : topics_.read(topics_.settings().dead_letter_topic, count)) {
      letters.push_back(Poison{record.value.value_or(""), record.why});
    }
    return letters;
  }

 private:
  KafkaTopics topics_{kContractPartitions};
  PositionStore store_;
  std::unique_ptr<OrderFeed> feed_ =
      create_kafka_feed(thread_context().get_executor(), topics_.settings(), store_, system_clock())
          .value();
};

std::unique_ptr<OrderFeedHarness> make_feed_harness() {
  return std::make_unique<KafkaFeedHarness>();
}

const bool kFeedRegistered =
    register_order_feed_contract(OrderFeedContract{"Kafka", make_feed_harness});

}  // namespace
}  // namespace sluice::test
