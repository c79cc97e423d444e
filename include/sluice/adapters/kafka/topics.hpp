#pragma once

#include "sluice/adapters/kafka/settings.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"

namespace sluice {

/// Creates the orders topic (broker's append time as timestamp, `min.insync.replicas` one below the
/// replication), the dead-letter topic and that of the heartbeats where they are missing, and waits
/// until the brokers know them. Blocks up to `deadline`. Any number of nodes may do this at once.
/// `Errc::invalid` when the settings are wrong or a topic exists with another partition count or
/// another kind of timestamp: the log says which. `Errc::unavailable` when the brokers did not
/// answer.
Result<void> create_kafka_topics(const KafkaSettings& settings, Ticks deadline);

}  // namespace sluice
