#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace sluice::test {

namespace detail {

template <class T>
boost::asio::awaitable<void> keep(boost::asio::awaitable<T> work, std::optional<T>& value) {
  value.emplace(co_await std::move(work));
}

}  // namespace detail

/// Runs `work` to its end on an io_context of its own, on the calling thread, and returns its
/// value. Exceptions of the coroutine pass through.
template <class T>
T run_awaitable(boost::asio::awaitable<T> work) {
  boost::asio::io_context context(1);
  std::exception_ptr failure;
  std::optional<T> value;
  auto finish = [&](std::exception_ptr thrown) {
    failure = thrown;
  };
  boost::asio::co_spawn(context, detail::keep(std::move(work), value), finish);
  context.run();
  if (failure) std::rethrow_exception(failure);
  if (!value) throw std::logic_error("the awaitable never finished");
  return std::move(*value);
}

}  // namespace sluice::test
