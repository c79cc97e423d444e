#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include "sluice/base/completion.hpp"
#include "sluice/base/result.hpp"

namespace sluice::test {

/// One operation of a fake port, as a test directs it: it can be held before it begins and be made
/// to fail, before or after its work. One thread; destroy it before the io_context.
class FakeStep {
 public:
  struct Fault {
    Errc error = Errc::unavailable;
    bool done = false;  ///< True: the work is done and only the answer is lost.
  };

  /// The next call that has no fault of its own fails like this.
  void fail(Errc error, bool done = false) { faults_.push_back({error, done}); }

  /// Every call fails like this, until `work_again`.
  void fail_always(Errc error, bool done = false) { always_ = Fault{error, done}; }
  void work_again() { always_.reset(); }

  /// Calls wait until `let_go`, in order.
  void hold() { held_ = true; }
  void let_go() {
    held_ = false;
    auto waiting = std::exchange(waiting_, {});
    for (auto& wake : waiting) wake(true);
  }

  /// Runs once, at the beginning of the next call, before its work.
  void before(std::function<void()> action) { before_ = std::move(action); }

  std::size_t calls() const { return calls_; }
  std::size_t waiting() const { return waiting_.size(); }

  /// For the fake: begins a call. What it returns is how the call has to fail, if at all.
  boost::asio::awaitable<std::optional<Fault>> enter() {
    ++calls_;
    if (held_) {
      Enlist enlist{this};
      co_await suspend<bool>(std::move(enlist));
    }
    if (auto action = std::exchange(before_, nullptr)) action();
    if (!faults_.empty()) {
      const auto fault = faults_.front();
      faults_.pop_front();
      co_return fault;
    }
    co_return always_;
  }

 private:
  struct Enlist {
    FakeStep* step;
    void operator()(Completion<bool> wake) { step->waiting_.push_back(std::move(wake)); }
  };

  std::deque<Fault> faults_;
  std::optional<Fault> always_;
  std::deque<Completion<bool>> waiting_;
  std::function<void()> before_;
  bool held_ = false;
  std::size_t calls_ = 0;
};

}  // namespace sluice::test
