#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <string>
#include <thread>

namespace sluice {

/// A thread with an event loop of its own. Make it, create on its executor what shall live there,
/// start it; stop it before any of that is destroyed.
class Worker {
 public:
  /// `name`: at most 15 characters, for `top` and debuggers.
  explicit Worker(std::string name);
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  boost::asio::any_io_executor executor() { return context_.get_executor(); }

  void start();

  /// Ends the loop after the handler that runs now, and waits for the thread. Idempotent.
  void stop();

  /// Runs a coroutine on the loop; its result may be waited for on another thread.
  template <class T>
  std::future<T> run(boost::asio::awaitable<T> work) {
    return boost::asio::co_spawn(context_, std::move(work), boost::asio::use_future);
  }

  /// Starts a coroutine that goes on by itself; an exception that leaves it ends the process.
  void spawn(boost::asio::awaitable<void> work);

 private:
  std::string name_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::thread thread_;
};

}  // namespace sluice
