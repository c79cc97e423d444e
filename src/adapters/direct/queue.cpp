#include "sluice/adapters/direct/queue.hpp"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "sluice/base/batcher.hpp"
#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {
namespace {

using Messages = std::vector<OrderMessage>;
using Outcomes = std::vector<Outcome>;

constexpr std::size_t kPublishMax = 1'024;
constexpr std::size_t kWaitingMax = 65'536;
constexpr Millis kPauseFirst{5};
constexpr Millis kPauseMax{200};

/// One publish, on its way to the store.
struct Request {
  Ticks deadline{};
  Messages messages;
};

using Group = Batcher<Request, Result<Outcomes>>;
using Items = std::vector<Group::Item>;

class DirectQueue final : public OrderQueue {
 public:
  DirectQueue(boost::asio::any_io_executor executor, OrderStore& store,
              std::shared_ptr<Clock> clock, DirectQueueSettings settings, CallMeter* meter)
      : store_(store),
        clock_(std::move(clock)),
        joins_(settings.joins),
        meter_(meter),
        group_(std::move(executor), {kMessagesMax, 1}, Errc::unknown,
               [this](Group::Batch& batch) { return commit(batch); }) {}

  bool decides() const noexcept override { return true; }

  Task<std::vector<Receipt>> publish(Ticks deadline, In<OrderMessage> messages) override {
    std::vector<Receipt> receipts(messages.size());
    if (messages.empty()) co_return receipts;
    if (messages.size() > kPublishMax) co_return Errc::overloaded;
    if (waiting_ + messages.size() > kWaitingMax) co_return Errc::overloaded;

    const auto began = clock_->ticks();
    waiting_ += messages.size();
    const auto outcomes = co_await apply(deadline, messages);
    waiting_ -= messages.size();
    if (meter_ != nullptr) {
      meter_->record(messages.size(), outcomes.has_value(), clock_->ticks() - began);
    }
    if (outcomes) {
      std::ranges::transform(*outcomes, receipts.begin(), [](const Outcome& outcome) {
        // What the store only parked is as durable as in a log, and no more decided.
        const bool parked = outcome.status == OrderStatus::queued;
        return Receipt{parked ? Receipt::Kind::queued : Receipt::Kind::decided, outcome};
      });
    } else if (outcomes.error() != Errc::unknown) {
      co_return outcomes.error();
    }
    co_return receipts;
  }

  Task<> fence(Ticks deadline, Fence fence) override {
    try {
      co_return co_await store_.raise_fence(deadline, fence, std::nullopt, std::nullopt);
    } catch (const std::exception& e) {
      log().critical("a store failed: {}", e.what());
      co_return Errc::unknown;
    }
  }

 private:
  /// Asks the store until it knows, or `deadline`.
  Task<Outcomes> apply(Ticks deadline, In<OrderMessage> messages) {
    bool doubt = false;  // It may have done it already.
    for (Millis pause = kPauseFirst;; pause = std::min(2 * pause, kPauseMax)) {
      auto outcomes = co_await ask(deadline, messages);
      if (outcomes) co_return outcomes;
      // After an unknown answer, a definite "not done" is true of the repetition alone.
      const bool before = doubt && !mutant("direct.doubt_forgotten");
      doubt = before || outcomes.error() == Errc::unknown;
      if (!doubt) co_return outcomes;
      const auto now = clock_->ticks();
      if (now >= deadline) co_return Errc::unknown;
      co_await clock_->sleep_until(std::min<Ticks>(now + pause, deadline));
    }
  }

  /// Asks the store once, together with others or not.
  Task<Outcomes> ask(Ticks deadline, In<OrderMessage> messages) {
    if (!joins_) co_return co_await try_apply(deadline, messages);
    Request request{deadline, Messages(messages.begin(), messages.end())};
    co_return co_await group_.submit(std::move(request));
  }

  /// Applies the batch in as few transactions as the store's limit allows.
  boost::asio::awaitable<void> commit(Group::Batch& batch) {
    Items joined;
    Messages messages;
    for (auto& item : batch.items) {
      const auto& more = item.request.messages;
      if (messages.size() + more.size() > kMessagesMax) {
        co_await apply_joined(joined, messages);
        joined.clear();
        messages.clear();
      }
      // Looked at last: the transaction before may have taken long.
      if (item.request.deadline <= clock_->ticks()) {
        item.answer(Errc::unavailable);
        continue;
      }
      messages.insert(messages.end(), more.begin(), more.end());
      joined.push_back(std::move(item));
    }
    if (!joined.empty()) co_await apply_joined(joined, messages);
  }

  /// Answers all at the first of their deadlines: who is more patient asks again.
  boost::asio::awaitable<void> apply_joined(Items& items, const Messages& messages) {
    auto deadline = Ticks::max();
    for (const auto& item : items) deadline = std::min(deadline, item.request.deadline);
    waiting_ -= messages.size();
    const auto outcomes = co_await try_apply(deadline, messages);
    waiting_ += messages.size();
    auto next = outcomes ? outcomes->begin() : Outcomes::const_iterator();
    for (auto& item : items) {
      if (outcomes) {
        const auto first = std::exchange(next, next + std::ssize(item.request.messages));
        item.answer(Outcomes(first, next));
      } else {
        item.answer(outcomes.error());
      }
    }
  }

  Task<Outcomes> try_apply(Ticks deadline, In<OrderMessage> messages) {
    try {
      auto outcomes = co_await store_.apply(deadline, messages, std::nullopt);
      if (outcomes.has_error() || outcomes->size() == messages.size()) co_return outcomes;
      log().critical("a store gave {} outcomes for {} messages", outcomes->size(), messages.size());
    } catch (const std::exception& e) {
      log().critical("a store failed: {}", e.what());
    }
    co_return Errc::unknown;
  }

  OrderStore& store_;
  std::shared_ptr<Clock> clock_;
  const bool joins_;
  CallMeter* meter_;
  std::size_t waiting_ = 0;  ///< Messages of publishes, but for those in a joined transaction.
  Group group_;
};

}  // namespace

std::unique_ptr<OrderQueue> create_direct_queue(boost::asio::any_io_executor executor,
                                                OrderStore& store, std::shared_ptr<Clock> clock,
                                                DirectQueueSettings settings, CallMeter* meter) {
  return std::make_unique<DirectQueue>(std::move(executor), store, std::move(clock), settings,
                                       meter);
}

}  // namespace sluice
