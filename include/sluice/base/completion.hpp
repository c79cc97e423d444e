#pragma once

#include <boost/asio/append.hpp>
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
  /// What Asio makes of a coroutine that waits.
  using Handler =
      typename boost::asio::async_result<boost::asio::use_awaitable_t<>, void(T)>::handler_type;

 public:
  Completion() = default;
  explicit Completion(Handler handler) : waiting_(std::make_unique<Handler>(std::move(handler))) {}

  explicit operator bool() const noexcept { return waiting_ != nullptr; }

  void operator()(T value) { boost::asio::post(take_with(std::move(value))); }

  /// As above; but on the coroutine's own executor it goes on at once, before this returns. For the
  /// last lines of a batch, which no longer care what it does.
  void resume_here(T value) { boost::asio::dispatch(take_with(std::move(value))); }

 private:
  auto take_with(T value) {
    const auto waiting = std::exchange(waiting_, nullptr);
    return boost::asio::append(std::move(*waiting), std::move(value));
  }

  std::unique_ptr<Handler> waiting_;
};

/// Suspends the calling coroutine, hands its completion to `start`, and resumes with the value
/// given. Bind `start` to a named variable before the call: g++ 12 miscompiles temporaries in
/// `co_await`.
template <class T, class Start>
boost::asio::awaitable<T> suspend(Start start) {
  const auto initiate = [](auto handler, Start begin) { begin(Completion<T>(std::move(handler))); };
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(T)>(
      initiate, boost::asio::use_awaitable, std::move(start));
}

}  // namespace sluice
