#pragma once

#include <memory>

#include "sluice/adapters/kafka/settings.hpp"
#include "sluice/base/result.hpp"
#include "sluice/fulfilment/order_feed.hpp"

namespace sluice::kafka {

/// Writes poison to the dead-letter topic. Its connection is made at the first use, as most never
/// need one. Belongs to one thread and blocks it.
class DeadLetters {
 public:
  explicit DeadLetters(const KafkaSettings& settings);
  ~DeadLetters();

  /// Good once the brokers acknowledged every message; else none or some may be there:
  /// `Errc::unknown`, or `Errc::unavailable` when nothing was sent.
  Result<void> write(Ticks deadline, const OffsetRange& range, In<Poison> poison);

 private:
  struct Connection;

  const KafkaSettings settings_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace sluice::kafka
