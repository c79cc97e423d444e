#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace sluice::test {

/// Runs `context` on the calling thread until `done` says so. Throws when that takes thirty
/// seconds.
inline void run_until(boost::asio::io_context& context, const std::function<bool()>& done) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done()) {
    if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("it never came");
    context.restart();
    context.run_one_for(std::chrono::milliseconds(50));
  }
}

/// Starts `work` on `context`, whose other work goes on, and returns a function that runs the
/// context until the work is done and gives its value.
template <class T>
std::function<T()> start_on(boost::asio::io_context& context, boost::asio::awaitable<T> work) {
  struct Finished {
    std::exception_ptr failure;
    std::optional<T> value;
  };
  auto finished = std::make_shared<Finished>();
  auto finish = [finished](std::exception_ptr thrown, T result) {
    finished->failure = thrown;
    finished->value.emplace(std::move(result));
  };
  boost::asio::co_spawn(context, std::move(work), std::move(finish));
  return [&context, finished] {
    run_until(context, [&] { return finished->value.has_value(); });
    if (finished->failure) std::rethrow_exception(finished->failure);
    return std::move(*finished->value);
  };
}

/// Runs `work` to its end on a context that has other, endless work (a connection).
template <class T>
T run_on(boost::asio::io_context& context, boost::asio::awaitable<T> work) {
  return start_on(context, std::move(work))();
}

}  // namespace sluice::test
