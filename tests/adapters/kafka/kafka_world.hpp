#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <librdkafka/rdkafka.h>
#include <netinet/in.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "sluice/adapters/kafka/producer.hpp"
#include "sluice/adapters/kafka/settings.hpp"
#include "sluice/adapters/kafka/topics.hpp"
#include "sluice/base/hash.hpp"

#include "adapters/kafka/client.hpp"
#include "support/test_dependency.hpp"

namespace sluice::test {

inline std::string test_brokers() {
  const char* set = std::getenv("SLUICE_TEST_KAFKA_BROKERS");
  return set == nullptr ? "127.0.0.1:49092" : set;
}

/// Settings with topics and a group of their own.
inline KafkaSettings fresh_settings(std::int32_t partitions) {
  const auto id = "sluice-test-" + random_hex(8);
  KafkaSettings settings;
  settings.brokers = test_brokers();
  settings.topic = id;
  settings.dead_letter_topic = id + ".dead";
  settings.group = id;
  settings.partitions = partitions;
  settings.session_timeout = Millis{6'000};
  return settings;
}

inline boost::asio::awaitable<void> publish_into(OrderQueue& queue, Ticks deadline,
                                                 In<OrderMessage> messages,
                                                 Result<std::vector<Receipt>>& answer) {
  answer = co_await queue.publish(deadline, messages);
}

/// One call through a queue of its own, which ends before its io_context as the port asks.
inline Result<std::vector<Receipt>> publish(KafkaProducer& producer,
                                            const std::vector<OrderMessage>& messages,
                                            Millis patience = Millis{10'000}) {
  boost::asio::io_context context(1);
  const auto queue = producer.create_queue(test::kafka_dependency());
  const In<OrderMessage> span(messages);
  Result<std::vector<Receipt>> answer = Errc::internal;
  auto running = publish_into(*queue, std::chrono::steady_clock::now() + patience, span, answer);
  boost::asio::co_spawn(context, std::move(running), [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  });
  context.run();
  return answer;
}

/// A lane of sale 1 whose records belong into `partition`.
inline LaneId lane_in(std::int32_t partition, std::int32_t partitions) {
  LaneId lane{1, 0};
  while (lane_partition(lane, partitions) != partition) ++lane.index;
  return lane;
}

struct Record {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::optional<std::string> value;
  std::string key;
  std::string why;
  std::string offsets;
};

inline kafka::Client raw_client(const KafkaSettings& settings, rd_kafka_type_t type) {
  kafka::Config config(settings);
  if (type == RD_KAFKA_CONSUMER) {
    config.set("group.id", settings.group + "-raw");
    config.set("enable.auto.commit", "false");
  }
  auto client = config.start(type);
  if (!client) throw std::runtime_error("the test's client did not start");
  return std::move(*client);
}

/// Topics on the real broker, deleted at the end.
class KafkaTopics {
 public:
  explicit KafkaTopics(KafkaSettings settings)
      : settings_(std::move(settings)), client_(raw_client(settings_, RD_KAFKA_PRODUCER)) {
    create();
  }
  explicit KafkaTopics(std::int32_t partitions) : KafkaTopics(fresh_settings(partitions)) {}

  ~KafkaTopics() {
    remove(settings_.topic);
    remove(settings_.dead_letter_topic);
    remove(heartbeat_topic(settings_));
  }

  KafkaTopics(const KafkaTopics&) = delete;
  KafkaTopics& operator=(const KafkaTopics&) = delete;

  const KafkaSettings& settings() const { return settings_; }

  void create() {
    const auto until = std::chrono::steady_clock::now() + Millis{15'000};
    if (!create_kafka_topics(settings_, until)) {
      throw std::runtime_error("no Kafka at " + settings_.brokers + ": scripts/services up");
    }
  }

  void remove(const std::string& topic) {
    const kafka::Queue queue(rd_kafka_queue_new(client_.get()));
    auto* doomed = rd_kafka_DeleteTopic_new(topic.c_str());
    rd_kafka_DeleteTopics(client_.get(), &doomed, 1, nullptr, queue.get());
    const kafka::Event done(rd_kafka_queue_poll(queue.get(), 10'000));
    rd_kafka_DeleteTopic_destroy(doomed);
  }

  /// Drops everything of a partition before `offset`.
  void truncate(std::int32_t partition, std::int64_t offset) {
    const kafka::Queue queue(rd_kafka_queue_new(client_.get()));
    const kafka::Partitions list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), settings_.topic.c_str(), partition)->offset =
        offset;
    auto* doomed = rd_kafka_DeleteRecords_new(list.get());
    rd_kafka_DeleteRecords(client_.get(), &doomed, 1, nullptr, queue.get());
    const kafka::Event done(rd_kafka_queue_poll(queue.get(), 10'000));
    rd_kafka_DeleteRecords_destroy(doomed);
    if (!done || rd_kafka_event_error(done.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw std::runtime_error("the partition was not truncated");
    }
  }

  /// Appends values as they are, a null one for an empty optional; they are in the log on return.
  void append(std::int32_t partition, const std::vector<std::optional<std::string>>& values) {
    append(client_.get(), partition, values);
    if (rd_kafka_flush(client_.get(), 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw std::runtime_error("the values were not acknowledged");
    }
  }

  /// The same in one transaction, which leaves a control record behind them.
  void append_in_transaction(std::int32_t partition,
                             const std::vector<std::optional<std::string>>& values) {
    auto settings = settings_;
    settings.extra.emplace("transactional.id", settings_.group + "-writer");
    const auto writer = raw_client(settings, RD_KAFKA_PRODUCER);
    need(rd_kafka_init_transactions(writer.get(), 10'000));
    need(rd_kafka_begin_transaction(writer.get()));
    append(writer.get(), partition, values);
    need(rd_kafka_commit_transaction(writer.get(), 10'000));
  }

  /// Every record of a topic, by partition and offset as far as it goes. Waits for `count` of them,
  /// at most ten seconds.
  std::vector<Record> read(const std::string& topic, std::size_t count) const {
    const auto reader = raw_client(settings_, RD_KAFKA_CONSUMER);
    rd_kafka_poll_set_consumer(reader.get());
    const kafka::Partitions all(rd_kafka_topic_partition_list_new(settings_.partitions));
    for (std::int32_t i = 0; i < settings_.partitions; ++i) {
      rd_kafka_topic_partition_list_add(all.get(), topic.c_str(), i)->offset =
          RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(reader.get(), all.get());
    std::vector<Record> records;
    const auto until = std::chrono::steady_clock::now() + Millis{10'000};
    // After the last one expected a short wait shows whether there are more than there should be.
    while (std::chrono::steady_clock::now() < until) {
      auto* message = rd_kafka_consumer_poll(reader.get(), records.size() < count ? 1'000 : 300);
      if (message == nullptr && records.size() >= count) break;
      if (message == nullptr) continue;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) records.push_back(record_of(message));
      rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(reader.get());
    return records;
  }

 private:
  static void need(rd_kafka_error_t* raw) {
    const kafka::Error error(raw);
    if (error) throw std::runtime_error(rd_kafka_error_string(error.get()));
  }

  void append(rd_kafka_t* client, std::int32_t partition,
              const std::vector<std::optional<std::string>>& values) const {
    for (const auto& value : values) {
      auto* bytes = value ? const_cast<char*>(value->data()) : nullptr;
      const std::size_t size = value ? value->size() : 0;
      const auto failed = rd_kafka_producev(
          client, RD_KAFKA_V_TOPIC(settings_.topic.c_str()), RD_KAFKA_V_PARTITION(partition),
          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(bytes, size), RD_KAFKA_V_END);
      if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(failed));
    }
  }

  static std::string header(const rd_kafka_message_t* message, const char* name) {
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    const void* value = nullptr;
    std::size_t size = 0;
    if (rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return {};
    }
    return {static_cast<const char*>(value), size};
  }

  static Record record_of(const rd_kafka_message_t* message) {
    Record record;
    record.partition = message->partition;
    record.offset = message->offset;
    if (message->payload != nullptr) {
      record.value.emplace(static_cast<const char*>(message->payload), message->len);
    }
    if (message->key != nullptr) {
      record.key.assign(static_cast<const char*>(message->key), message->key_len);
    }
    record.why = header(message, "why");
    record.offsets = header(message, "offsets");
    return record;
  }

  KafkaSettings settings_;
  kafka::Client client_;
};

/// A port of this host that takes connections and never says a word (`listening`), or refuses them.
class DeafPort {
 public:
  explicit DeafPort(bool listening) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_, raw, size) != 0 || ::getsockname(socket_, raw, &size) != 0 ||
        (listening && ::listen(socket_, 16) != 0)) {
      throw std::runtime_error("no port to be had");
    }
    port_ = ntohs(address.sin_port);
  }
  ~DeafPort() { ::close(socket_); }
  DeafPort(const DeafPort&) = delete;
  DeafPort& operator=(const DeafPort&) = delete;

  std::string broker() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

}  // namespace sluice::test
