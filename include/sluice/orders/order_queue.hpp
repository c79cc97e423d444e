#pragma once

#include <memory>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/dependency/dependency.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice {

/// How the queue took one message.
struct Receipt {
  enum class Kind : std::uint8_t {
    unknown,  ///< Not acknowledged in time; it may still arrive. Recovery decides the order.
    queued,   ///< Durably in the log.
    decided,  ///< Applied to the store at once: `outcome`.
  };
  Kind kind = Kind::unknown;
  Outcome outcome;
};

/// Where reservations go to become orders.
class OrderQueue {
 public:
  virtual ~OrderQueue() = default;

  /// True when what it takes is decided at once. A message whose receipt is `unknown` was then lost
  /// or applied, and nothing but the store can tell which: it must not be promised to anybody.
  virtual bool decides() const noexcept = 0;

  /// One receipt per message, in order. All messages are of one lane. The call answers by
  /// `deadline` at the latest; never with an error once a message may have left.
  /// `Errc::unavailable` means that nothing was sent. At most 1,024 messages.
  virtual Task<std::vector<Receipt>> publish(Ticks deadline, In<OrderMessage> messages) = 0;

  /// Puts a fence behind all that was acknowledged before, by whatever node; repeating it does no
  /// harm. A log applies it when its reader comes there, a queue that decides at once. With
  /// `Errc::unknown` it may be there.
  virtual Task<> fence(Ticks deadline, Fence fence) = 0;
};

/// Makes `publish`, of that many messages, through the dependency. One of which no message is known
/// to be taken has failed.
Task<std::vector<Receipt>> publish_through(Dependency& dependency, Ticks deadline,
                                           std::size_t messages,
                                           Dependency::Operation<std::vector<Receipt>> publish);

/// The log, else the store directly: the bypass mode. `breaker` is the one of the dependency by
/// which `log` publishes; while it is not closed the queue counts as deciding, so a message whose
/// outcome is open is then not promised. Fences belong into the log alone. What is referred to
/// outlives it; it belongs to one executor.
std::unique_ptr<OrderQueue> create_failover_queue(OrderQueue& log, OrderQueue& direct,
                                                  Breaker& breaker, Clock& clock);

}  // namespace sluice
