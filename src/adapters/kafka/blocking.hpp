#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

namespace sluice::kafka {

/// A thread for calls that can only block. A caller suspends meanwhile, on its own executor, and
/// keeps everything alive that its work refers to; there is one caller at a time.
class Blocking {
 public:
  /// `name`: at most 15 characters, for `top` and debuggers.
  explicit Blocking(std::string name);
  ~Blocking();

  /// Runs `work` on the thread and gives what it returned.
  template <class T>
  boost::asio::awaitable<T> run(std::function<T()> work);

  /// Waits for the work under way. Nothing is run after this.
  void stop();

 private:
  struct Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace sluice::kafka
