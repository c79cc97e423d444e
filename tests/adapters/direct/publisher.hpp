#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "sluice/orders/order_queue.hpp"

namespace sluice::test {

/// Publishes from an io_context of its own, on the calling thread.
class Publisher {
 public:
  using Answer = Result<std::vector<Receipt>>;

  explicit Publisher(OrderQueue& queue) : queue_(queue) {}

  /// Starts a publish and runs until it waits for the store. Returns its index for `answers`.
  std::size_t start(std::vector<OrderMessage> messages, Ticks deadline) {
    const auto index = answers_.size();
    answers_.emplace_back();
    auto work = publish(index, deadline, std::move(messages));
    auto finish = [](std::exception_ptr thrown) {
      if (thrown) std::rethrow_exception(thrown);
    };
    boost::asio::co_spawn(context_, std::move(work), finish);
    context_.poll();
    context_.restart();
    return index;
  }

  /// Runs until that publish is answered.
  void await(std::size_t index) {
    while (!answers_[index] && context_.run_one() > 0) continue;
  }

  /// Runs until everything started is answered, and returns the answers in order of start.
  std::vector<Answer> finish() {
    context_.run();
    context_.restart();
    std::vector<Answer> answers;
    for (auto& answer : std::exchange(answers_, {})) {
      if (!answer) throw std::logic_error("a publish never ended");
      answers.push_back(std::move(*answer));
    }
    return answers;
  }

  Answer publish(std::vector<OrderMessage> messages, Millis patience = Millis{10'000}) {
    start(std::move(messages), std::chrono::steady_clock::now() + patience);
    return std::move(finish().front());
  }

 private:
  boost::asio::awaitable<void> publish(std::size_t index, Ticks deadline,
                                       std::vector<OrderMessage> messages) {
    auto answer = co_await queue_.publish(deadline, messages);
    answers_[index].emplace(std::move(answer));
  }

  OrderQueue& queue_;
  boost::asio::io_context context_{1};
  std::vector<std::optional<Answer>> answers_;
};

}  // namespace sluice::test
