#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace sluice {

/// Many threads put, one executor receives all that collected since its last turn. The executor is
/// woken only when the box goes from empty to not empty, so a burst costs one wake-up.
template <class T>
class Mailbox {
 public:
  using Receive = std::function<void(std::vector<T>)>;

  Mailbox(boost::asio::any_io_executor executor, Receive receive)
      : state_(std::make_shared<State>(std::move(executor), std::move(receive))) {}

  ~Mailbox() { close(); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Thread-safe. After `close` the value is dropped.
  void put(T value) {
    bool wake = false;
    {
      std::lock_guard lock(state_->mutex);
      if (state_->closed) return;
      wake = state_->values.empty();
      state_->values.push_back(std::move(value));
    }
    if (wake) boost::asio::post(state_->executor, [state = state_] { state->deliver(); });
  }

  /// Nothing is received after this; call it on the receiving executor.
  void close() {
    // Destroyed outside the lock: the end of a value may put another.
    std::vector<T> dropped;
    std::lock_guard lock(state_->mutex);
    state_->closed = true;
    dropped.swap(state_->values);
  }

 private:
  struct State {
    State(boost::asio::any_io_executor e, Receive r)
        : executor(std::move(e)), receive(std::move(r)) {}
    void deliver() {
      std::vector<T> taken;
      {
        std::lock_guard lock(mutex);
        if (closed) return;
        taken.swap(values);
      }
      receive(std::move(taken));
    }
    boost::asio::any_io_executor executor;
    Receive receive;
    std::mutex mutex;
    std::vector<T> values;
    bool closed = false;
  };

  std::shared_ptr<State> state_;
};

}  // namespace sluice
