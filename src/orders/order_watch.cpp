#include "sluice/orders/order_watch.hpp"

#include <utility>

#include "sluice/base/mutation.hpp"

namespace sluice {

boost::asio::awaitable<void> OrderWatch::changed(OrderId id, Ticks until, Patience patience) {
  auto enlist = [this, id, until, patience](Completion<bool> wake) {
    waiting_.emplace(id, Waiter{until, patience, std::move(wake)});
  };
  co_await suspend<bool>(std::move(enlist));
}

void OrderWatch::news(const std::vector<Outcome>& outcomes) {
  if (waiting_.empty()) return;
  for (const auto& outcome : outcomes) {
    const auto [first, last] = waiting_.equal_range(outcome.id);
    for (auto it = first; it != last; ++it) it->second.wake(true);
    waiting_.erase(first, last);
  }
}

void OrderWatch::sweep(Ticks now) {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const bool gone = it->second.patience.over() && !mutant("poll.outlives_client");
    const bool over = gone || it->second.until <= now;
    if (over) it->second.wake(false);
    it = over ? waiting_.erase(it) : std::next(it);
  }
}

}  // namespace sluice
