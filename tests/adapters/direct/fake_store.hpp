#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/orders/order_store.hpp"

namespace sluice::test {

/// A store that confirms everything, remembers what it was asked, and misbehaves as it is told.
class FakeStore final : public OrderStore {
 public:
  enum class Answer { confirm, apply_and_forget, unavailable, stale, fail, wrong_count };

  // For the test's thread.

  /// What the next calls of `apply` answer, in turn; then `confirm` for ever.
  void script(std::deque<Answer> answers) {
    std::lock_guard lock(mutex_);
    script_ = std::move(answers);
  }

  /// Every call from now on blocks its thread until `open`.
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }

  void open() {
    {
      std::lock_guard lock(mutex_);
      closed_ = false;
    }
    changed_.notify_all();
  }

  /// Waits until a call is blocked by `close`.
  void await_blocked() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return blocked_; });
  }

  /// Waits, ten seconds at most, until `count` calls of `apply` were made.
  bool await_applies(std::size_t count) {
    std::unique_lock lock(mutex_);
    const auto made = [&] {
      return applies_.size() >= count;
    };
    return changed_.wait_for(lock, std::chrono::seconds(10), made);
  }

  /// The messages of every call of `apply`, in order.
  std::vector<std::vector<OrderMessage>> applies() {
    std::lock_guard lock(mutex_);
    return applies_;
  }

  /// Every message applied, once each, in order.
  std::vector<OrderMessage> rows() {
    std::lock_guard lock(mutex_);
    return rows_;
  }

  /// Every fence raised, in order, with the number of its lane's messages applied before.
  std::vector<std::pair<Fence, std::size_t>> fences() {
    std::lock_guard lock(mutex_);
    return fences_;
  }

  /// The threads on which it was called.
  std::set<std::thread::id> threads() {
    std::lock_guard lock(mutex_);
    return threads_;
  }

  // For the store's thread.

  Task<std::vector<Outcome>> apply(Ticks, In<OrderMessage> messages,
                                   std::optional<OffsetRange>) override {
    enter();
    Answer answer = Answer::confirm;
    {
      std::lock_guard lock(mutex_);
      applies_.emplace_back(messages.begin(), messages.end());
      if (!script_.empty()) {
        answer = script_.front();
        script_.pop_front();
      }
    }
    changed_.notify_all();
    if (answer == Answer::fail) throw std::runtime_error("as the test asked");
    if (answer == Answer::unavailable) co_return Errc::unavailable;
    if (answer == Answer::stale) co_return Errc::stale;
    auto outcomes = keep(messages);
    if (answer == Answer::apply_and_forget) co_return Errc::unknown;
    if (answer == Answer::wrong_count) outcomes.pop_back();
    co_return outcomes;
  }

  Task<std::vector<std::optional<Order>>> find(Ticks, In<OrderKey> keys) override {
    enter();
    std::vector<std::optional<Order>> found;
    for (const auto& key : keys) {
      Order order;
      order.id = key.id;
      order.lane.sale = key.sale;
      order.user = key.user;
      found.emplace_back(order);
    }
    co_return found;
  }

  Task<std::optional<Order>> find_live(Ticks, SaleId sale, UserId user) override {
    enter();
    Order order;
    order.lane.sale = sale;
    order.user = user;
    co_return order;
  }

  Task<LaneHead> head(Ticks, LaneId lane) override {
    enter();
    if (lane.sale == 0) co_return Errc::not_found;
    if (lane.sale < 0) throw std::runtime_error("as the test asked");
    LaneHead head;
    head.fence = lane.index + 1;
    co_return head;
  }

  Task<Epoch> next_epoch(Ticks, LaneId lane, Authority authority) override {
    enter();
    co_return lane.index + (authority == Authority::store ? 200u : 100u);
  }

  Task<> raise_fence(Ticks, Fence fence, std::optional<Epoch>) override {
    enter();
    if (fence.epoch == 0) co_return Errc::invalid;
    if (fence.lane.sale < 0) throw std::runtime_error("as the test asked");
    std::lock_guard lock(mutex_);
    const auto of_its_lane = [&](const OrderMessage& row) {
      return row.lane == fence.lane;
    };
    const auto behind = std::count_if(rows_.begin(), rows_.end(), of_its_lane);
    fences_.emplace_back(fence, static_cast<std::size_t>(behind));
    co_return Result<void>();
  }

  Task<> suspect(Ticks, LaneId lane) override {
    enter();
    if (lane.sale == 0) co_return Errc::not_found;
    co_return Result<void>();
  }

  Task<LaneImage> image(Ticks, LaneId lane) override {
    enter();
    LaneImage image;
    image.lane = lane;
    co_return image;
  }

  Task<LaneSnapshot> lane_snapshot(Ticks, LaneId lane, In<UserId> users) override {
    enter();
    LaneSnapshot lane_snapshot;
    lane_snapshot.stock = lane.sale;
    for (const auto& user : users) {
      OrderView view;
      view.quantity = static_cast<std::uint32_t>(user.text().size());
      lane_snapshot.orders.emplace_back(view);
    }
    co_return lane_snapshot;
  }

  Task<std::int64_t> position(Ticks, std::string topic, std::int32_t partition) override {
    enter();
    co_return static_cast<std::int64_t>(topic.size()) * 100 + partition;
  }

  Task<LogProgress> progress(Ticks, std::string topic, std::int32_t partitions) override {
    enter();
    LogProgress progress;
    progress.applied = static_cast<std::int64_t>(topic.size()) * 100 + partitions;
    co_return progress;
  }

  Task<std::vector<LaneFigures>> audit(Ticks, SaleId sale) override {
    enter();
    LaneFigures figures;
    figures.lane.sale = sale;
    std::vector<LaneFigures> lanes(1, figures);
    co_return lanes;
  }

 private:
  void enter() {
    std::unique_lock lock(mutex_);
    threads_.insert(std::this_thread::get_id());
    blocked_ = closed_;
    if (blocked_) changed_.notify_all();
    changed_.wait(lock, [this] { return !closed_; });
    blocked_ = false;
  }

  std::vector<Outcome> keep(In<OrderMessage> messages) {
    std::lock_guard lock(mutex_);
    std::vector<Outcome> outcomes;
    for (const auto& message : messages) {
      if (ids_.insert(message.id).second) rows_.push_back(message);
      Outcome outcome;
      outcome.id = message.id;
      outcome.status = OrderStatus::confirmed;
      outcomes.push_back(outcome);
    }
    return outcomes;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Answer> script_;
  std::vector<std::vector<OrderMessage>> applies_;
  std::vector<OrderMessage> rows_;
  std::vector<std::pair<Fence, std::size_t>> fences_;
  std::set<OrderId> ids_;
  std::set<std::thread::id> threads_;
  bool closed_ = false;
  bool blocked_ = false;
};

}  // namespace sluice::test
