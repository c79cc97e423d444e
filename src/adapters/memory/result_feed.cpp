#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "sluice/adapters/memory/memory.hpp"
#include "sluice/base/log.hpp"
#include "sluice/base/mailbox.hpp"

namespace sluice {
namespace memory {

using News = std::shared_ptr<const std::vector<Outcome>>;

/// Delivers news to one listener on its own executor.
class Subscriber {
 public:
  Subscriber(boost::asio::any_io_executor executor, ResultFeed::Listener listener)
      : listener_(std::move(listener)),
        mailbox_(std::move(executor), [this](std::vector<News> news) { receive(news); }) {}

  /// Thread-safe. What does not fit is lost.
  void put(const News& news) {
    if (waiting_.fetch_add(1) >= kWaitingMax) {
      waiting_.fetch_sub(1);
      return;
    }
    mailbox_.put(news);
  }

 private:
  static constexpr std::size_t kWaitingMax = 1024;

  void receive(const std::vector<News>& news) {
    waiting_.fetch_sub(news.size());
    // A listener may destroy its feed, and this with it: only what is here may be touched after.
    const auto listener = listener_;
    for (const auto& outcomes : news) listener(*outcomes);
  }

  ResultFeed::Listener listener_;
  std::atomic<std::size_t> waiting_{0};
  Mailbox<News> mailbox_;
};

class ResultHub {
 public:
  void add(Subscriber* subscriber) {
    std::lock_guard lock(mutex_);
    subscribers_.push_back(subscriber);
  }

  void remove(Subscriber* subscriber) {
    std::lock_guard lock(mutex_);
    std::erase(subscribers_, subscriber);
  }

  void put(const News& news) {
    std::lock_guard lock(mutex_);
    for (auto* subscriber : subscribers_) subscriber->put(news);
  }

 private:
  std::mutex mutex_;
  std::vector<Subscriber*> subscribers_;
};

namespace {

class MemoryResultFeed final : public ResultFeed {
 public:
  MemoryResultFeed(MemoryResultHub hub, boost::asio::any_io_executor executor)
      : hub_(std::move(hub)), executor_(std::move(executor)) {}

  ~MemoryResultFeed() override { leave(); }

  Task<> announce(Ticks, In<Outcome> outcomes) override {
    if (!outcomes.empty()) {
      hub_->put(std::make_shared<std::vector<Outcome>>(outcomes.begin(), outcomes.end()));
    }
    co_return Result<void>{};
  }

  void listen(Listener listener) override {
    leave();
    subscriber_ = std::make_unique<Subscriber>(executor_, std::move(listener));
    hub_->add(subscriber_.get());
  }

 private:
  void leave() {
    if (subscriber_) hub_->remove(subscriber_.get());
  }

  MemoryResultHub hub_;
  boost::asio::any_io_executor executor_;
  std::unique_ptr<Subscriber> subscriber_;
};

}  // namespace
}  // namespace memory

MemoryResultHub create_memory_result_hub() { return std::make_shared<memory::ResultHub>(); }

std::unique_ptr<ResultFeed> create_memory_result_feed(MemoryResultHub hub,
                                                      boost::asio::any_io_executor executor) {
  return std::make_unique<memory::MemoryResultFeed>(std::move(hub), std::move(executor));
}

}  // namespace sluice
