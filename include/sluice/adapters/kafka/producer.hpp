#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "sluice/adapters/kafka/settings.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/dependency/dependency.hpp"
#include "sluice/orders/order_queue.hpp"

namespace sluice {

/// Fences are counted as messages.
struct KafkaFigures {
  std::uint64_t outstanding = 0;   ///< Messages in the client, not reported yet: the backlog.
  std::uint64_t acknowledged = 0;  ///< Messages that are durably in the log, since the start.
  std::uint64_t failed = 0;        ///< Messages refused, given up or left open, since the start.
  /// Records that the topic ever had, over all partitions, about a second ago; empty when the
  /// brokers do not tell.
  std::optional<std::int64_t> log_end;
  /// Heartbeats that the log ever had, from all nodes, about a second ago; empty likewise.
  std::optional<std::int64_t> heartbeats;
};

/// The process's one connection to the log, idempotent and waiting for all replicas. Thread-safe.
/// It owns two threads: one hands delivery reports and deadlines to the calls that wait for them,
/// the other asks the brokers once a second whether the topic is fit for use and where it ends.
class KafkaProducer {
 public:
  virtual ~KafkaProducer() = default;

  /// An `OrderQueue` for the calling thread's executor. Destroy it on that thread (or after it) and
  /// before the io_context, also when nothing is under way: only then is the producer's thread done
  /// with the io_context. Publishes under way are then forgotten; their messages are not. An answer
  /// to a deadline may be 10 ms late. Besides what the port says, with nothing sent:
  /// `Errc::overloaded` for more than 1,024 messages, `Errc::invalid` for messages of several
  /// lanes. Publishes and fences are calls of `dependency`, which outlives the queue.
  virtual std::unique_ptr<OrderQueue> create_queue(Dependency& dependency) = 0;

  /// What the last look at the brokers found, without I/O: good when a publish would be sent at
  /// once, `Errc::unavailable` when they did not answer (also before the first look ended), a
  /// partition has no leader or the producer has no id yet, `Errc::not_found` without the topic,
  /// `Errc::invalid` when it has another partition count than the settings.
  virtual Result<void> ping() const = 0;

  virtual KafkaFigures figures() const = 0;

  /// Writes a heartbeat to its topic and does not wait for it; what becomes of it is not told.
  virtual void send_heartbeat() = 0;

  /// Refuses new publishes (`Errc::unavailable`), waits up to `flush_for` for those under way, then
  /// gives the rest up: every call has its answer when this returns. Blocks; idempotent. The
  /// destructor closes without flushing.
  virtual void close(Millis flush_for) = 0;
};

/// Does not wait for the brokers. `Errc::invalid` when the settings are refused; the log says why.
Result<std::shared_ptr<KafkaProducer>> create_kafka_producer(const KafkaSettings& settings);

}  // namespace sluice
