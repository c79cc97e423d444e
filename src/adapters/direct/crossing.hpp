#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include "sluice/base/completion.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"

namespace sluice::direct {

/// One answer `R` (a `Result`) that a caller waits for and another thread gives. Thread-safe.
template <class R>
class Ticket {
 public:
  /// The caller waits from now on.
  void wait(Completion<std::monostate> waiting) {
    std::unique_lock lock(mutex_);
    waiting_ = std::move(waiting);
    if (answer_) wake(std::move(lock));
  }

  /// The work begins now. False when the caller has its answer already: then it must not begin.
  bool begin() {
    std::lock_guard lock(mutex_);
    begun_ = !answer_.has_value();
    return begun_;
  }

  /// The first answer counts; later ones are dropped.
  void answer(R value) {
    std::unique_lock lock(mutex_);
    if (answer_) return;
    answer_.emplace(std::move(value));
    wake(std::move(lock));
  }

  /// The deadline passed: an answer unless there is one.
  void give_up() {
    std::unique_lock lock(mutex_);
    if (answer_) return;
    answer_.emplace(begun_ ? Errc::unknown : Errc::unavailable);
    wake(std::move(lock));
  }

  /// The answer, once the wait is over.
  R take() { return std::move(*answer_); }

 private:
  void wake(std::unique_lock<std::mutex> lock) {
    auto waiting = std::move(waiting_);
    lock.unlock();
    if (waiting) waiting(std::monostate{});
  }

  std::mutex mutex_;
  bool begun_ = false;
  std::optional<R> answer_;
  Completion<std::monostate> waiting_;
};

/// Hands `work` to another executor once the caller is suspended.
template <class R>
struct Launch {
  boost::asio::any_io_executor there;
  std::shared_ptr<Ticket<R>> ticket;
  boost::asio::awaitable<void> work;

  void operator()(Completion<std::monostate> waiting) {
    ticket->wait(std::move(waiting));
    boost::asio::co_spawn(there, std::move(work), boost::asio::detached);
  }
};

template <class R>
boost::asio::awaitable<void> give_up_at(std::shared_ptr<Clock> clock, Ticks deadline,
                                        std::shared_ptr<Ticket<R>> ticket) {
  co_await clock->sleep_until(deadline);
  ticket->give_up();
}

/// Runs `work`, which answers `ticket`, on the executor `there`, and waits for the answer: until
/// `deadline` at most, however long `there` is blocked.
template <class R>
boost::asio::awaitable<R> cross(boost::asio::any_io_executor there, std::shared_ptr<Clock> clock,
                                Ticks deadline, std::shared_ptr<Ticket<R>> ticket,
                                boost::asio::awaitable<void> work) {
  using namespace boost::asio::experimental::awaitable_operators;
  Launch<R> launch{std::move(there), ticket, std::move(work)};
  auto answered = suspend<std::monostate>(std::move(launch));
  auto late = give_up_at(std::move(clock), deadline, ticket);
  // Both branches always end: the answer cancels the sleep, and the end of the sleep is an answer.
  auto either = std::move(answered) || std::move(late);
  co_await std::move(either);
  co_return ticket->take();
}

}  // namespace sluice::direct
