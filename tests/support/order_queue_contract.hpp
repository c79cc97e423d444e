#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/base/time.hpp"
#include "sluice/domain/order.hpp"
#include "sluice/orders/order_queue.hpp"

namespace sluice::test {

/// One queue with its far side (a broker, a store), as the contract suite sees it. The suite calls
/// everything from the test's thread; no publish is under way when the harness is destroyed.
class OrderQueueHarness {
 public:
  /// One call of `publish`.
  struct Publish {
    Ticks deadline;
    std::vector<OrderMessage> messages;
  };

  virtual ~OrderQueueHarness() = default;

  /// Starts all calls at once, runs them to their end and returns their answers, in order. A
  /// harness with its own io_context spawns one `publish` per element and runs the context.
  virtual std::vector<Result<std::vector<Receipt>>> publish(std::vector<Publish> calls) = 0;

  virtual Result<void> fence(Ticks deadline, Fence fence) = 0;

  /// Everything that arrived at the far side so far, in the order in which it is there. Waits until
  /// at least `count` messages arrived, at most about ten seconds.
  virtual std::vector<OrderMessage> arrived(std::size_t count) = 0;

  /// A fence at the far side, and how many of all messages of its lane stand before it.
  struct ArrivedFence {
    Fence fence;
    std::size_t behind = 0;
    bool operator==(const ArrivedFence&) const = default;
  };

  /// Every fence that arrived so far. Waits until there are at least `count` of them and `messages`
  /// messages, at most about ten seconds.
  virtual std::vector<ArrivedFence> fences(std::size_t count, std::size_t messages) = 0;

  /// From now on the far side takes no notice of what it is sent, without refusing it: calls that
  /// start after this have no answer to give in time.
  virtual void silence() = 0;
};

inline constexpr SaleId kContractSale = 4711;

/// How the contract suite makes an implementation's harness. `make` gives a fresh one each time:
/// its far side is empty, and where it keeps stock it has the lanes 0 and 1 of sale `kContractSale`
/// with stock and a limit per order of at least 10,000. The suite is registered at static
/// initialisation by one source of the adapter's test program:
///
///     const test::OrderQueueContract kDirect{"Direct", [] { return std::make_unique<World>(); }};
///     const bool kRegistered = test::register_order_queue_contract(kDirect);
///
/// The tests then appear as `Contract/OrderQueueTest.…/Direct`.
struct OrderQueueContract {
  std::string name;  ///< Letters and digits.
  std::function<std::unique_ptr<OrderQueueHarness>()> make;
};

/// Adds an implementation to the suite: what every `OrderQueue` promises, whether it answers
/// `queued` or `decided`. Call it at static initialisation. Always true.
bool register_order_queue_contract(OrderQueueContract contract);

}  // namespace sluice::test
