#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "sluice/base/completion.hpp"
#include "sluice/base/log.hpp"
#include "sluice/base/result.hpp"

namespace sluice {

/// Joins concurrent requests into batches, without a timer: what arrives in one turn of the event
/// loop, or while the stage before `release()` of the previous batch runs, goes together. An idle
/// batcher sends at once. Use it from one executor only; destroy it before its io_context.
template <class Request, class Reply>
class Batcher {
  struct State;

 public:
  struct Item {
    Request request;
    Completion<Reply> answer;
  };

  class Batch {
   public:
    std::vector<Item> items;

    /// Lets the next batch start while this one goes on (a slow second stage). Idempotent.
    void release() {
      if (auto owner = std::exchange(collecting_for_, nullptr)) {
        owner->collecting = false;
        owner->schedule();
      }
    }

   private:
    friend class Batcher;
    State* collecting_for_ = nullptr;
  };

  struct Limits {
    std::size_t batch_max = 512;      ///< Requests in one batch.
    std::size_t in_flight_max = 8;    ///< Batches not finished, the released ones included.
    std::size_t waiting_max = 65536;  ///< Requests that wait for a batch; see `full()`.
  };

  /// Answers every item, each once. Items left unanswered (also when it throws) get `fallback`.
  using Work = std::function<boost::asio::awaitable<void>(Batch&)>;

  Batcher(boost::asio::any_io_executor executor, Limits limits, Reply fallback, Work work)
      : state_(std::make_shared<State>(std::move(executor), limits, std::move(fallback),
                                       std::move(work))) {}

  ~Batcher() { state_->waiting.clear(); }
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  /// True when `submit` would exceed `waiting_max`; the caller refuses instead.
  bool full() const noexcept { return state_->waiting.size() >= state_->limits.waiting_max; }

  /// Suspends until the batch that takes this request answers it.
  boost::asio::awaitable<Reply> submit(Request request) {
    auto enqueue = [state = state_, r = std::move(request)](Completion<Reply> answer) mutable {
      state->waiting.push_back(Item{std::move(r), std::move(answer)});
      state->schedule();
    };
    return suspend<Reply>(std::move(enqueue));
  }

 private:
  struct State : std::enable_shared_from_this<State> {
    State(boost::asio::any_io_executor e, Limits l, Reply f, Work w)
        : executor(std::move(e)), limits(l), fallback(std::move(f)), work(std::move(w)) {}

    void schedule() {
      if (scheduled) return;
      scheduled = true;
      boost::asio::post(executor, [self = this->shared_from_this()] {
        self->scheduled = false;
        self->start();
      });
    }

    void start() {
      if (collecting || waiting.empty() || in_flight >= limits.in_flight_max) return;
      const auto count = std::min(waiting.size(), limits.batch_max);
      const auto end = waiting.begin() + static_cast<std::ptrdiff_t>(count);
      auto batch = std::make_shared<Batch>();
      batch->items.assign(std::make_move_iterator(waiting.begin()), std::make_move_iterator(end));
      waiting.erase(waiting.begin(), end);
      batch->collecting_for_ = this;
      collecting = true;
      ++in_flight;
      auto running = work(*batch);
      auto finished = [self = this->shared_from_this(), batch](const std::exception_ptr& failure) {
        self->finish(*batch, failure);
      };
      boost::asio::co_spawn(executor, std::move(running), std::move(finished));
    }

    void finish(Batch& batch, const std::exception_ptr& failure) {
      if (failure) log().critical("a batch failed: {}", what_of(failure));
      for (auto& item : batch.items) {
        if (item.answer) item.answer(fallback);
      }
      batch.release();
      --in_flight;
      schedule();
    }

    boost::asio::any_io_executor executor;
    Limits limits;
    Reply fallback;
    Work work;
    std::vector<Item> waiting;
    std::size_t in_flight = 0;
    bool collecting = false;
    bool scheduled = false;
  };

  std::shared_ptr<State> state_;
};

/// What the items of a batch ask for, in order.
template <class Batch>
auto requests_of(const Batch& batch) {
  std::vector<decltype(batch.items.front().request)> requests;
  requests.reserve(batch.items.size());
  for (const auto& item : batch.items) requests.push_back(item.request);
  return requests;
}

/// Gives each item of a batch its own of `replies`, or all of them the error.
template <class Batch, class T>
void answer_each(Batch& batch, Result<std::vector<T>> replies) {
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    batch.items[i].answer(replies ? Result<T>(std::move((*replies)[i]))
                                  : Result<T>(replies.error()));
  }
}

}  // namespace sluice
