#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"

namespace sluice {

/// How to reach Kafka and how much of it to use. Every member has its default and its range, which
/// the settings' table enforces.
struct KafkaSettings {
  std::string brokers;                                    ///< host:port[,host:port]…; required.
  std::string topic = "seckill.orders";                   ///< 1 … 238 of [A-Za-z0-9._-].
  std::string dead_letter_topic = "seckill.orders.dead";  ///< Likewise, and another one.
  std::string group = "sluice-fulfilment";  ///< Consumers that share the topic; 1 … 249.
  std::int32_t partitions = 16;             ///< 1 … 1,024; fixed once the topic exists.
  std::int16_t replication = 1;             ///< Copies of each partition, 1 … 15.

  Millis linger{1};                 ///< How long a message may wait for company; 0 … 100.
  Millis delivery_timeout{10'000};  ///< After it the client gives a message up; 500 … 300,000.
  std::int32_t client_messages_max = 100'000;  ///< Messages in the client; 1,024 … 10,000,000.
  std::int32_t client_kbytes_max = 65'536;     ///< Their KiB; 1,024 … 2,097,151.

  Millis session_timeout{10'000};  ///< A silent consumer loses its partitions; 6,000 … 300,000.
  /// So does one that does not call `next` for this long, whatever it does; session_timeout …
  /// 3,600,000. Keep it above the longest time that one delivery may take to be applied.
  Millis max_poll_interval{300'000};
  /// Per partition, read ahead of `next`; 64 … 1,048,576 KiB. A consumer's memory is bounded by
  /// this times the partitions it has, and only a backlog fills it.
  std::int32_t prefetch_kbytes_max = 2'048;
  std::int32_t message_bytes_max = 4'096;  ///< A larger message is poison; 512 … 65,536.
  /// Taken off the host's time when a partition at its end says how far it was read: covers clock
  /// skew against the brokers and the replication of what the leader already has; 0 … 60,000.
  Millis end_margin{2'000};

  /// Passed to librdkafka as they are (TLS, SASL, …). What the adapter sets itself wins.
  std::map<std::string, std::string> extra;
};

/// The topic of one partition that the leader tells with that it reaches the store.
std::string heartbeat_topic(const KafkaSettings& settings);

/// Empty when the brokers and the names can be used, else what is wrong, naming the member.
std::optional<std::string> check(const KafkaSettings& settings);

/// The partition of a lane: splitmix64 of the sale, plus the lane's index, modulo `partitions`. So
/// the lanes of one sale spread evenly. It never changes: messages of a lane keep their order only
/// while every node agrees. `partitions` must be positive.
std::int32_t lane_partition(const LaneId& lane, std::int32_t partitions) noexcept;

}  // namespace sluice
