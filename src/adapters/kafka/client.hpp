#pragma once

#include <cstdint>
#include <librdkafka/rdkafka.h>
#include <memory>
#include <string>

#include "sluice/adapters/kafka/settings.hpp"
#include "sluice/base/destroy.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"

namespace sluice::kafka {

using Client = std::unique_ptr<rd_kafka_t, Destroy<rd_kafka_destroy>>;
using Topic = std::unique_ptr<rd_kafka_topic_t, Destroy<rd_kafka_topic_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Destroy<rd_kafka_queue_destroy>>;
using Event = std::unique_ptr<rd_kafka_event_t, Destroy<rd_kafka_event_destroy>>;
using Error = std::unique_ptr<rd_kafka_error_t, Destroy<rd_kafka_error_destroy>>;
using Partitions = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                   Destroy<rd_kafka_topic_partition_list_destroy>>;
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, Destroy<rd_kafka_metadata_destroy>>;

/// The header of a record that holds `OrderMessage::request_id`.
inline constexpr const char* kRequestIdHeader = "request_id";

/// Collects the properties of a client. Settings that `check` refuses make `start` fail, as does
/// the first property that librdkafka refuses.
class Config {
 public:
  /// Applies `extra`, the brokers, and the log of this process.
  explicit Config(const KafkaSettings& settings);

  void set(const char* name, const std::string& value);
  void set(const char* name, std::int64_t value) { set(name, std::to_string(value)); }

  /// What an idempotent producer of orders or dead letters needs. `on_report` is called with
  /// `opaque` for each message, by who polls.
  void set_producer(const KafkaSettings& settings, void* opaque,
                    void (*on_report)(rd_kafka_t*, const rd_kafka_message_t*, void* opaque));

  /// For callbacks, before `start`.
  rd_kafka_conf_t* get() { return conf_.get(); }

  /// `Errc::invalid` when a property was refused; the log says which.
  Result<Client> start(rd_kafka_type_t type);

 private:
  std::unique_ptr<rd_kafka_conf_t, Destroy<rd_kafka_conf_destroy>> conf_;
  std::string refused_;
};

/// Destroys a client of which nothing is in use any more. Waits for a few seconds at most:
/// librdkafka 2.0.2 does not come to an end when a topic was deleted while it was read. What is
/// left of the client then stays until the process ends.
void let_go(Client client);

/// How many partitions a topic has: `Errc::unavailable` when the brokers did not answer,
/// `Errc::not_found` when they do not know it, `Errc::not_ready` while a partition has no leader.
Result<int> count_partitions(rd_kafka_t* client, rd_kafka_topic_t* topic, int timeout_ms);

/// From now until `deadline` in whole milliseconds, rounded up: 0 … 60,000.
int remaining_ms(Ticks deadline);

}  // namespace sluice::kafka
