#pragma once

#include <cstddef>

#include "sluice/adapters/kafka/settings.hpp"
#include "sluice/base/result.hpp"
#include "sluice/fulfilment/order_feed.hpp"

#include "client.hpp"

namespace sluice::kafka {

/// Writes poison to the dead-letter topic. Its connection is made at the first use, as most never
/// need one. Belongs to one thread and blocks it.
class DeadLetters {
 public:
  explicit DeadLetters(const KafkaSettings& settings) : settings_(settings) {}

  /// Good once the brokers acknowledged every message; else none or some may be there:
  /// `Errc::unknown`, or `Errc::unavailable` when nothing was sent.
  Result<void> write(Ticks deadline, const OffsetRange& range, In<Poison> poison);

 private:
  Result<void> connect();
  bool send(const OffsetRange& range, const Poison& poison);

  const KafkaSettings settings_;
  std::size_t acknowledged_ = 0;  // Of one `write`.
  Client client_;
};

}  // namespace sluice::kafka
