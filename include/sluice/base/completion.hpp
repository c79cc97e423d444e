#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

namespace sluice {

/// The suspended half of a coroutine that waits for a `T`. Calling it posts the value to the
/// coroutine's executor, from any thread, once. One that is destroyed uncalled has its coroutine
/// destroyed, also on that executor, so it must not outlive the coroutine's io_context.
template <class T>
class Completion {
 public:
  Completion() = default;

  template <class Handler>
  explicit Completion(std::in_place_t, Handler handler)
      : waiting_(std::make_unique<Model<Handler>>(std::move(handler))) {}

  explicit operator bool() const noexcept { return waiting_ != nullptr; }

  void operator()(T value) {
    auto waiting = std::move(waiting_);
    waiting->resume(std::move(value));
  }

  /// As above; but on the coroutine's own executor it goes on at once, before this returns. For the
  /// last lines of a batch, which no longer care what it does.
  void resume_here(T value) {
    auto waiting = std::move(waiting_);
    waiting->resume_here(std::move(value));
  }

 private:
  struct Waiting {
    virtual ~Waiting() = default;
    virtual void resume(T value) = 0;
    virtual void resume_here(T value) = 0;
  };

  template <class Handler>
  struct Model final : Waiting {
    explicit Model(Handler h) : handler(std::move(h)) {}
    void resume(T value) override {
      const auto executor = boost::asio::get_associated_executor(handler);
      boost::asio::post(executor, bind(std::move(value)));
    }
    void resume_here(T value) override {
      const auto executor = boost::asio::get_associated_executor(handler);
      boost::asio::dispatch(executor, bind(std::move(value)));
    }
    auto bind(T value) {
      return
          [h = std::move(handler), v = std::move(value)]() mutable { std::move(h)(std::move(v)); };
    }
    Handler handler;
  };

  std::unique_ptr<Waiting> waiting_;
};

namespace detail {

template <class T, class Start>
struct Suspend {
  template <class Handler>
  void operator()(Handler&& handler, Start start) const {
    start(Completion<T>(std::in_place, std::forward<Handler>(handler)));
  }
};

}  // namespace detail

/// Suspends the calling coroutine, hands its completion to `start`, and resumes with the value
/// given. Bind `start` to a named variable before the call: g++ 12 miscompiles temporaries in
/// `co_await`.
template <class T, class Start>
boost::asio::awaitable<T> suspend(Start start) {
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(T)>(
      detail::Suspend<T, Start>{}, boost::asio::use_awaitable, std::move(start));
}

}  // namespace sluice
