#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <unordered_map>
#include <vector>

#include "sluice/base/completion.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/order.hpp"

namespace sluice {

/// Who waits for news of an order on this thread. Bounded; news that comes while nobody waits is
/// forgotten, so look before and after waiting.
class OrderWatch {
 public:
  explicit OrderWatch(std::size_t waiting_max) : waiting_max_(waiting_max) {}

  bool full() const noexcept { return waiting_.size() >= waiting_max_; }
  std::size_t waiting() const noexcept { return waiting_.size(); }

  /// Suspends until news of the order or until `sweep` finds `until` passed.
  boost::asio::awaitable<void> changed(OrderId id, Ticks until);

  /// Wakes whoever waits for one of these orders.
  void news(const std::vector<Outcome>& outcomes);

  /// Wakes whose time is over; call it several times a second.
  void sweep(Ticks now);

 private:
  struct Waiter {
    Ticks until;
    Completion<bool> wake;
  };

  std::size_t waiting_max_;
  std::unordered_multimap<OrderId, Waiter> waiting_;
};

}  // namespace sluice
