#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

namespace sluice::test {

/// A thread with an io_context on which a store may block. `stop` before what its handlers use
/// goes.
class StoreThread {
 public:
  StoreThread() : thread_([this] { context_.run(); }) {}
  ~StoreThread() { stop(); }
  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;

  boost::asio::any_io_executor executor() { return context_.get_executor(); }
  std::thread::id id() const { return thread_.get_id(); }

  void stop() {
    if (!thread_.joinable()) return;
    context_.stop();
    thread_.join();
  }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      context_.get_executor()};
  std::thread thread_;
};

}  // namespace sluice::test
