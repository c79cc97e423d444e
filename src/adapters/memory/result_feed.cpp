#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "sluice/adapters/memory/memory.hpp"

namespace sluice {
namespace memory {

using News = std::shared_ptr<const std::vector<Outcome>>;

/// One listener and the executor on which it is told.
struct Subscriber {
  Subscriber(boost::asio::any_io_executor e, ResultFeed::Listener l)
      : executor(std::move(e)), listener(std::move(l)) {}

  boost::asio::any_io_executor executor;
  ResultFeed::Listener listener;
  std::atomic<std::size_t> waiting{0};  ///< Announcements on their way to it.
};

class ResultHub {
 public:
  using Place = std::shared_ptr<Subscriber>;

  void add(const Place& subscriber) {
    std::lock_guard lock(mutex_);
    subscribers_.push_back(subscriber);
  }

  void remove(const Place& subscriber) {
    std::lock_guard lock(mutex_);
    std::erase(subscribers_, subscriber);
  }

  /// What does not fit is lost.
  void put(const News& news) {
    std::lock_guard lock(mutex_);
    for (const auto& subscriber : subscribers_) {
      if (subscriber->waiting >= kWaitingMax) continue;
      ++subscriber->waiting;
      const std::weak_ptr<Subscriber> place = subscriber;
      boost::asio::post(subscriber->executor, [place, news] {
        // A listener may destroy its feed: it lives on until it returns.
        const auto told = place.lock();
        if (!told) return;
        --told->waiting;
        told->listener(*news);
      });
    }
  }

 private:
  static constexpr std::size_t kWaitingMax = 1024;

  std::mutex mutex_;
  std::vector<Place> subscribers_;
};

namespace {

class MemoryResultFeed final : public ResultFeed {
 public:
  MemoryResultFeed(MemoryResultHub hub, boost::asio::any_io_executor executor)
      : hub_(std::move(hub)), executor_(std::move(executor)) {}

  ~MemoryResultFeed() override { hub_->remove(subscriber_); }

  Task<> announce(Ticks, In<Outcome> outcomes) override {
    if (!outcomes.empty()) {
      hub_->put(std::make_shared<std::vector<Outcome>>(outcomes.begin(), outcomes.end()));
    }
    co_return Result<void>{};
  }

  void listen(Listener listener) override {
    hub_->remove(subscriber_);
    subscriber_ = std::make_shared<Subscriber>(executor_, std::move(listener));
    hub_->add(subscriber_);
  }

 private:
  MemoryResultHub hub_;
  boost::asio::any_io_executor executor_;
  ResultHub::Place subscriber_;  ///< Null while nobody listens.
};

}  // namespace
}  // namespace memory

MemoryResultHub create_memory_result_hub() { return std::make_shared<memory::ResultHub>(); }

std::unique_ptr<ResultFeed> create_memory_result_feed(MemoryResultHub hub,
                                                      boost::asio::any_io_executor executor) {
  return std::make_unique<memory::MemoryResultFeed>(std::move(hub), std::move(executor));
}

}  // namespace sluice
