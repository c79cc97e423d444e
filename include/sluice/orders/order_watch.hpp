#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <unordered_map>
#include <vector>

#include "sluice/base/completion.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/order.hpp"

namespace sluice {

/// How long a request waits for news of its order.
struct Patience {
  // NOLINTNEXTLINE(google-explicit-constructor): most have no client that could leave.
  Patience(Millis most = Millis{0}, const bool* client_gone = nullptr)
      : at_most(most), gone(client_gone) {}

  bool over() const noexcept { return gone != nullptr && *gone; }

  Millis at_most;
  const bool* gone;  ///< Becomes true when nobody waits any more; outlives the wait. Null: never.
};

/// Who waits for news of an order on this thread. Bounded; news that comes while nobody waits is
/// forgotten, so look before and after waiting.
class OrderWatch {
 public:
  explicit OrderWatch(std::size_t waiting_max) : waiting_max_(waiting_max) {}

  bool full() const noexcept { return waiting_.size() >= waiting_max_; }
  std::size_t waiting() const noexcept { return waiting_.size(); }

  /// Suspends until news of the order, or until `sweep` finds `until` passed or the patience over.
  boost::asio::awaitable<void> changed(OrderId id, Ticks until, Patience patience = {});

  /// Wakes whoever waits for one of these orders.
  void news(const std::vector<Outcome>& outcomes);

  /// Wakes whose time or patience is over; call it several times a second.
  void sweep(Ticks now);

 private:
  struct Waiter {
    Ticks until;
    Patience patience;
    Completion<bool> wake;
  };

  std::size_t waiting_max_;
  std::unordered_multimap<OrderId, Waiter> waiting_;
};

}  // namespace sluice
