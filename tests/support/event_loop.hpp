#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace sluice::test {

/// A coroutine under way on an `EventLoop`.
template <class T>
class Running {
 public:
  bool done() const { return state_->value.has_value(); }

  /// What it returned. Throws what it threw, or std::logic_error while it is not done.
  T& value() const {
    if (state_->thrown) std::rethrow_exception(state_->thrown);
    if (!done()) throw std::logic_error("the coroutine is not done");
    return *state_->value;
  }

 private:
  friend class EventLoop;
  struct State {
    std::optional<T> value;
    std::exception_ptr thrown;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// One io_context that the test steps by hand. Nothing here waits: what is not ready stays.
class EventLoop {
 public:
  boost::asio::io_context& context() { return context_; }
  boost::asio::io_context::executor_type executor() { return context_.get_executor(); }

  /// Begins `work`; it runs in the next `turn`.
  template <class T>
  Running<T> start(boost::asio::awaitable<T> work) {
    Running<T> running;
    auto finish = [state = running.state_](std::exception_ptr thrown, T value) {
      state->thrown = thrown;
      if (!thrown) state->value.emplace(std::move(value));
    };
    boost::asio::co_spawn(context_, std::move(work), std::move(finish));
    return running;
  }

  /// As above; the value says that it is done.
  Running<bool> start(boost::asio::awaitable<void> work) {
    Running<bool> running;
    auto finish = [state = running.state_](std::exception_ptr thrown) {
      state->thrown = thrown;
      if (!thrown) state->value.emplace(true);
    };
    boost::asio::co_spawn(context_, std::move(work), std::move(finish));
    return running;
  }

  /// Runs everything that is ready, and what becomes ready by that.
  void turn() {
    context_.restart();
    context_.poll();
  }

  /// Runs `work` to its end in one turn; throws when it waits for something.
  template <class T>
  auto finish(boost::asio::awaitable<T> work) {
    auto running = start(std::move(work));
    turn();
    return std::move(running.value());
  }

 private:
  boost::asio::io_context context_{1};
};

}  // namespace sluice::test
