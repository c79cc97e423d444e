#include "sluice/orders/order_watch.hpp"

#include <utility>

namespace sluice {

struct OrderWatch::Enlist {
  OrderWatch* watch;
  OrderId id;
  Ticks until;
  void operator()(Completion<bool> wake) {
    watch->waiting_.emplace(id, Waiter{until, std::move(wake)});
  }
};

boost::asio::awaitable<void> OrderWatch::changed(OrderId id, Ticks until) {
  Enlist enlist{this, id, until};
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
    if (it->second.until > now) {
      ++it;
      continue;
    }
    it->second.wake(false);
    it = waiting_.erase(it);
  }
}

}  // namespace sluice
