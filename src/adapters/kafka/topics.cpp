#include "sluice/adapters/kafka/topics.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "sluice/base/log.hpp"

#include "client.hpp"

namespace sluice {
namespace kafka {
namespace {

using Options = std::unique_ptr<rd_kafka_AdminOptions_t, Destroy<rd_kafka_AdminOptions_destroy>>;
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Destroy<rd_kafka_NewTopic_destroy>>;
using Resource =
    std::unique_ptr<rd_kafka_ConfigResource_t, Destroy<rd_kafka_ConfigResource_destroy>>;

constexpr Millis kAskAgain{50};
constexpr const char* kTimestampKind = "message.timestamp.type";
constexpr const char* kAppendTime = "LogAppendTime";

/// One round of administration with its own client.
class Admin {
 public:
  Admin(const KafkaSettings& settings, Client client, Ticks deadline)
      : settings_(settings),
        client_(std::move(client)),
        queue_(rd_kafka_queue_new(client_.get())),
        deadline_(deadline) {}

  Result<void> create(const std::string& topic, std::int32_t partitions);
  Result<void> has_partitions(const std::string& topic, std::int32_t partitions);
  Result<void> has_append_time(const std::string& topic);

 private:
  template <class Send>
  Event ask(rd_kafka_admin_op_t operation, Send send) const;

  const KafkaSettings& settings_;
  Client client_;
  Queue queue_;
  Ticks deadline_;
};

/// Makes a request; null when there is no good answer in time.
template <class Send>
Event Admin::ask(rd_kafka_admin_op_t operation, Send send) const {
  const Options options(rd_kafka_AdminOptions_new(client_.get(), operation));
  std::array<char, 128> why{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), std::max(remaining_ms(deadline_), 1),
                                            why.data(), why.size());
  send(options.get());
  // The request has its own timeout and always answers; a second more is for its hand-over.
  Event event(rd_kafka_queue_poll(queue_.get(), remaining_ms(deadline_) + 1'000));
  const bool good = event && rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR_NO_ERROR;
  return good ? std::move(event) : nullptr;
}

Result<void> Admin::create(const std::string& topic, std::int32_t partitions) {
  std::array<char, 128> why{};
  const NewTopic wanted(rd_kafka_NewTopic_new(topic.c_str(), partitions, settings_.replication,
                                              why.data(), why.size()));
  if (!wanted) {
    log().critical("kafka: topic {}: {}", topic, printable(why.data()));
    return Errc::invalid;
  }
  // One replica may be away without stopping the sale, and still two have every acknowledged order.
  const auto in_sync = std::to_string(std::max(1, settings_.replication - 1));
  rd_kafka_NewTopic_set_config(wanted.get(), kTimestampKind, kAppendTime);
  rd_kafka_NewTopic_set_config(wanted.get(), "min.insync.replicas", in_sync.c_str());
  rd_kafka_NewTopic_t* list[] = {wanted.get()};
  const auto event = ask(RD_KAFKA_ADMIN_OP_CREATETOPICS, [&](const auto* options) {
    rd_kafka_CreateTopics(client_.get(), list, 1, options, queue_.get());
  });
  if (!event) return Errc::unavailable;
  std::size_t count = 0;
  const auto* results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count != 1) return Errc::unavailable;
  const auto error = rd_kafka_topic_result_error(results[0]);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
    return {};
  }
  const auto* text = rd_kafka_topic_result_error_string(results[0]);
  log().error("kafka: topic {} cannot be created: {}", topic,
              printable(text == nullptr ? rd_kafka_err2str(error) : text, 512));
  const bool refused = error == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR ||
                       error == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS ||
                       error == RD_KAFKA_RESP_ERR_POLICY_VIOLATION ||
                       error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
                       error == RD_KAFKA_RESP_ERR_INVALID_CONFIG;
  return refused ? Errc::invalid : Errc::unavailable;
}

Result<void> Admin::has_partitions(const std::string& topic, std::int32_t partitions) {
  const Topic handle(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  while (const int left = remaining_ms(deadline_)) {
    const auto count = count_partitions(client_.get(), handle.get(), left);
    if (!count && count.error() == Errc::unavailable) return count.error();
    if (count && *count == partitions) return {};
    if (count && *count > 0) {
      log().critical("kafka: topic {} has {} partitions, the settings say {}", topic, *count,
                     partitions);
      return Errc::invalid;
    }
    // Just created: the brokers tell each other; there is no event to wait for.
    std::this_thread::sleep_for(kAskAgain);
  }
  return Errc::unavailable;
}

Result<void> Admin::has_append_time(const std::string& topic) {
  const Resource asked(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  rd_kafka_ConfigResource_t* list[] = {asked.get()};
  const auto event = ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, [&](const auto* options) {
    rd_kafka_DescribeConfigs(client_.get(), list, 1, options, queue_.get());
  });
  if (!event) return Errc::unavailable;
  std::size_t count = 0;
  const auto* results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  if (count != 1 || rd_kafka_ConfigResource_error(results[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Errc::unavailable;
  }
  const auto* entries = rd_kafka_ConfigResource_configs(results[0], &count);
  for (std::size_t i = 0; i < count; ++i) {
    if (std::string_view(rd_kafka_ConfigEntry_name(entries[i])) != kTimestampKind) continue;
    const auto* value = rd_kafka_ConfigEntry_value(entries[i]);
    if (value != nullptr && std::string_view(value) == kAppendTime) return {};
    log().critical("kafka: topic {} has {}={}, it must be {}", topic, kTimestampKind,
                   value == nullptr ? "" : printable(value), kAppendTime);
    return Errc::invalid;
  }
  return Errc::unavailable;
}

}  // namespace
}  // namespace kafka

Result<void> create_kafka_topics(const KafkaSettings& settings, Ticks deadline) {
  kafka::Config config(settings);
  auto client = config.start(RD_KAFKA_PRODUCER);
  if (!client) return client.error();
  kafka::Admin admin(settings, std::move(*client), deadline);
  const std::pair<std::string, std::int32_t> topics[] = {
      {settings.topic, settings.partitions},
      {settings.dead_letter_topic, settings.partitions},
      {heartbeat_topic(settings), 1},
  };
  for (const auto& [topic, partitions] : topics) {
    if (auto created = admin.create(topic, partitions); !created) return created;
    if (auto complete = admin.has_partitions(topic, partitions); !complete) return complete;
  }
  return admin.has_append_time(settings.topic);
}

}  // namespace sluice
