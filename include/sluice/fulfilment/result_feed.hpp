#pragma once

#include <functional>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice {

/// News of decided orders, for whoever waits for one. News may be lost: a waiter also looks for
/// itself now and then.
class ResultFeed {
 public:
  using Listener = std::function<void(const std::vector<Outcome>&)>;

  virtual ~ResultFeed() = default;

  virtual Task<> announce(Ticks deadline, In<Outcome> outcomes) = 0;

  /// Calls `listener` on this instance's executor for every announcement of any node from now on,
  /// until this feed is destroyed. At most one listener.
  virtual void listen(Listener listener) = 0;
};

/// Announces outcomes to those who wait. What fails is logged: a waiter looks for itself, too.
boost::asio::awaitable<void> announce(ResultFeed& results, Ticks deadline, In<Outcome> outcomes);

}  // namespace sluice
