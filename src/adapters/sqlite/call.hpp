#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <mutex>
#include <utility>

#include "sluice/base/result.hpp"

namespace sluice::sqlite {

/// The executor of one set of stores, as the database's threads see it. Thread-safe.
class Caller {
 public:
  explicit Caller(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  boost::asio::any_io_executor executor() const { return executor_; }

  /// Ends the wait on `timer`, if it goes on.
  void wake(std::weak_ptr<boost::asio::steady_timer> timer) {
    const std::lock_guard lock(mutex_);
    if (left_) return;
    boost::asio::post(executor_, [timer = std::move(timer)] {
      if (const auto waiting = timer.lock()) waiting->cancel();
    });
  }

  /// The executor may be gone after this.
  void leave() {
    const std::lock_guard lock(mutex_);
    left_ = true;
  }

  bool left() {
    const std::lock_guard lock(mutex_);
    return left_;
  }

 private:
  const boost::asio::any_io_executor executor_;
  std::mutex mutex_;
  bool left_ = false;
};

/// One call under way: made on the caller's thread, answered on the database's.
template <class T>
class Call {
 public:
  Call(std::shared_ptr<Caller> caller, std::weak_ptr<boost::asio::steady_timer> timer)
      : caller_(std::move(caller)), timer_(std::move(timer)) {}

  /// The work begins now. False when nobody waits for it any more: then it must not begin.
  bool begin() { return !caller_->left() && change(State::waiting, State::begun); }

  /// The end of work that began. Dropped when nobody waits any more.
  void answer(Result<T> answer) {
    answer_ = std::move(answer);
    if (change(State::begun, State::answered)) caller_->wake(timer_);
  }

  /// What the caller is told when its wait is over: the answer, or `late` if it began and goes on.
  Result<T> take(Errc late) {
    if (change(State::waiting, State::abandoned)) return Errc::unavailable;
    if (change(State::begun, State::abandoned)) return late;
    return std::move(answer_);
  }

 private:
  enum class State { waiting, begun, answered, abandoned };

  bool change(State from, State to) { return state_.compare_exchange_strong(from, to); }

  const std::shared_ptr<Caller> caller_;
  const std::weak_ptr<boost::asio::steady_timer> timer_;
  std::atomic<State> state_{State::waiting};
  Result<T> answer_{Errc::unknown};
};

}  // namespace sluice::sqlite
