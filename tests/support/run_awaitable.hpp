#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "support/run_on.hpp"

namespace sluice::test {

namespace detail {

template <class T>
boost::asio::awaitable<void> keep(boost::asio::awaitable<T> work, std::optional<T>& value) {
  value.emplace(co_await std::move(work));
}

}  // namespace detail

/// The context of the calling thread's own, for adapters that live on an executor: made by the
/// first call, ended with the thread, and run by `run_awaitable`.
inline thread_local std::unique_ptr<boost::asio::io_context> own_context;
inline boost::asio::io_context& thread_context() {
  if (!own_context) own_context = std::make_unique<boost::asio::io_context>(1);
  return *own_context;
}

/// Runs `work` to its end on the calling thread and returns its value: on `thread_context()` if the
/// thread has one, else on an io_context of its own. Exceptions of the coroutine pass through.
template <class T>
T run_awaitable(boost::asio::awaitable<T> work) {
  if (own_context) return run_on(*own_context, std::move(work));
  boost::asio::io_context context(1);
  std::exception_ptr failure;
  std::optional<T> value;
  auto finish = [&](std::exception_ptr thrown) { failure = thrown; };
  boost::asio::co_spawn(context, detail::keep(std::move(work), value), finish);
  context.run();
  if (failure) std::rethrow_exception(failure);
  if (!value) throw std::logic_error("the awaitable never finished");
  return std::move(*value);
}

}  // namespace sluice::test
