#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

#include "sluice/base/completion.hpp"

namespace sluice {

namespace detail {

/// What the workers share.
template <class Work>
struct AtOnce {
  AtOnce(std::size_t n, Work w) : count(n), work(std::move(w)) {}

  static boost::asio::awaitable<void> go_on(std::shared_ptr<AtOnce> all) {
    while (all->next < all->count) co_await all->work(all->next++);
  }

  const std::size_t count;
  Work work;
  std::size_t next = 0;
  std::exception_ptr failure;
};

/// Whom the last worker wakes. It belongs to the workers alone: with them goes the one who waits.
struct AtOnceEnd {
  Completion<bool> done;
  std::size_t running = 0;
};

}  // namespace detail

/// Awaits `work(i)` for each `i` below `count`, the lower ones first, at most `limit` (1 or more)
/// at the same time, on the caller's executor alone. Ends when all have; what one throws it throws
/// then. What `work` refers to outlives it.
template <class Work>
boost::asio::awaitable<void> at_once(std::size_t count, std::size_t limit, Work work) {
  if (count == 0) co_return;
  using All = detail::AtOnce<Work>;
  const boost::asio::any_io_executor executor = co_await boost::asio::this_coro::executor;
  const auto all = std::make_shared<All>(count, std::move(work));
  auto start = [&all, &executor, limit](Completion<bool> done) {
    const auto end = std::make_shared<detail::AtOnceEnd>();
    end->done = std::move(done);
    end->running = std::min(limit, all->count);
    for (auto left = end->running; left > 0; --left) {
      auto ended = [all = all, end](const std::exception_ptr& failure) {
        if (failure && !all->failure) all->failure = failure;
        if (--end->running == 0) end->done(true);
      };
      boost::asio::co_spawn(executor, All::go_on(all), std::move(ended));
    }
  };
  co_await suspend<bool>(std::move(start));
  if (all->failure) std::rethrow_exception(all->failure);
}

}  // namespace sluice
