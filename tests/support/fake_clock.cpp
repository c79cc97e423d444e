#include "support/fake_clock.hpp"

#include <utility>

namespace sluice::test {
namespace {

struct Sleep {
  std::multimap<Ticks, Completion<bool>>* sleepers;
  Ticks when;
  void operator()(Completion<bool> wake) { sleepers->emplace(when, std::move(wake)); }
};

}  // namespace

boost::asio::awaitable<void> FakeClock::sleep_until(Ticks when) {
  ++sleeps_;
  if (when <= ticks_) co_return;
  Sleep sleep{&sleepers_, when};
  co_await suspend<bool>(std::move(sleep));
}

void FakeClock::advance(Millis by) {
  now_ += by;
  ticks_ += by;
  while (!sleepers_.empty() && sleepers_.begin()->first <= ticks_) {
    auto wake = std::move(sleepers_.begin()->second);
    sleepers_.erase(sleepers_.begin());
    wake(true);
  }
}

}  // namespace sluice::test
