#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <map>

#include "sluice/base/completion.hpp"
#include "sluice/base/time.hpp"

namespace sluice::test {

/// A clock that stands still until the test moves it. Destroy it before the io_context of those who
/// sleep by it. One thread.
class FakeClock final : public Clock {
 public:
  static constexpr TimePoint kStart{Millis{1'800'000'000'000}};

  TimePoint now() const override { return now_; }
  Ticks ticks() const override { return ticks_; }
  boost::asio::awaitable<void> sleep_until(Ticks when) override;

  /// Moves both clocks on and wakes whose time has come; they run in the loop's next turn.
  void advance(Millis by);

  std::size_t sleeping() const { return sleepers_.size(); }

  /// How often anybody went to sleep so far.
  std::size_t sleeps() const { return sleeps_; }

 private:
  TimePoint now_ = kStart;
  Ticks ticks_{std::chrono::hours(1)};
  std::multimap<Ticks, Completion<bool>> sleepers_;
  std::size_t sleeps_ = 0;
};

}  // namespace sluice::test
