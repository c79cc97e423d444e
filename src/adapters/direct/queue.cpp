#include "sluice/adapters/direct/queue.hpp"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "sluice/base/batcher.hpp"
#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"
#include "sluice/orders/apply_check.hpp"

#include "adapters/direct/crossing.hpp"

namespace sluice {
namespace {

using Messages = std::vector<OrderMessage>;
using Outcomes = Result<std::vector<Outcome>>;
using OutcomeTicket = direct::Ticket<Outcomes>;
using FenceTicket = direct::Ticket<Result<void>>;

constexpr std::size_t kPublishMax = 1'024;
constexpr std::size_t kWaitingMax = 65'536;
constexpr Millis kPauseFirst{5};
constexpr Millis kPauseMax{200};

/// One publish, on its way to the store.
struct Request {
  std::shared_ptr<OutcomeTicket> ticket;
  Ticks deadline{};
  Messages messages;
};

/// The store's side: everything here runs on the store's executor.
class Committer {
 public:
  Committer(boost::asio::any_io_executor executor, OrderStore& store, std::shared_ptr<Clock> clock)
      : store_(store),
        clock_(std::move(clock)),
        batcher_(std::move(executor), limits(), Errc::unknown,
                 [this](Group::Batch& batch) { return commit(batch); }) {}

  /// Waits for the commit of `request` and answers its ticket.
  boost::asio::awaitable<void> enqueue(Request request) {
    const auto ticket = request.ticket;
    if (waiting_ + request.messages.size() > kWaitingMax) {
      ticket->answer(Errc::overloaded);
      co_return;
    }
    waiting_ += request.messages.size();
    auto outcomes = co_await batcher_.submit(std::move(request));
    ticket->answer(std::move(outcomes));
  }

  /// Not in line with the publishes: what was acknowledged before is applied already.
  boost::asio::awaitable<void> raise(std::shared_ptr<FenceTicket> ticket, Ticks deadline,
                                     Fence fence) {
    if (clock_->ticks() >= deadline) ticket->give_up();
    if (!ticket->begin()) co_return;
    try {
      auto raised = co_await store_.raise_fence(deadline, fence, std::nullopt);
      ticket->answer(std::move(raised));
    } catch (const std::exception& e) {
      log().critical("a store failed: {}", e.what());
      ticket->answer(Errc::unknown);
    }
  }

 private:
  using Group = Batcher<Request, Outcomes>;

  static Group::Limits limits() {
    Group::Limits limits;
    limits.batch_max = kMessagesMax;
    limits.in_flight_max = 1;
    limits.waiting_max = kWaitingMax;
    return limits;
  }

  /// Applies the batch in as few transactions as the store's limit allows.
  boost::asio::awaitable<void> commit(Group::Batch& batch) {
    for (const auto& item : batch.items) waiting_ -= item.request.messages.size();
    auto next = batch.items.begin();
    while (next != batch.items.end()) {
      Messages joined;
      Ticks deadline{};
      const auto first = next;
      while (next != batch.items.end() && fits(joined, next->request)) {
        join(*next, joined, deadline);
        ++next;
      }
      if (joined.empty()) continue;
      const auto outcomes = co_await apply(deadline, joined);
      std::size_t offset = 0;
      for (auto item = first; item != next; ++item) answer(*item, outcomes, offset);
    }
  }

  static bool fits(const Messages& joined, const Request& request) {
    return joined.size() + request.messages.size() <= kMessagesMax;
  }

  /// Appends the item's messages, unless its caller has given up: then answers it.
  void join(Group::Item& item, Messages& joined, Ticks& deadline) {
    auto& request = item.request;
    if (clock_->ticks() >= request.deadline) request.ticket->give_up();
    if (!request.ticket->begin()) {
      item.answer(Errc::unavailable);
      return;
    }
    deadline = std::max(deadline, request.deadline);
    joined.insert(joined.end(), request.messages.begin(), request.messages.end());
  }

  /// Gives a joined item its part of the outcomes.
  static void answer(Group::Item& item, const Outcomes& outcomes, std::size_t& offset) {
    if (!item.answer) return;
    if (outcomes.has_error()) {
      item.answer(outcomes.error());
      return;
    }
    const auto begin = outcomes->begin() + static_cast<std::ptrdiff_t>(offset);
    const auto count = item.request.messages.size();
    offset += count;
    item.answer(std::vector<Outcome>(begin, begin + static_cast<std::ptrdiff_t>(count)));
  }

  /// Asks the store until it knows, or `deadline`.
  boost::asio::awaitable<Outcomes> apply(Ticks deadline, const Messages& messages) {
    bool doubt = false;
    for (Millis pause = kPauseFirst;; pause = std::min(2 * pause, kPauseMax)) {
      auto outcomes = co_await try_apply(deadline, messages);
      if (outcomes.has_value()) co_return outcomes;
      doubt = doubt || outcomes.error() == Errc::unknown;
      // After an unknown answer, a definite "not done" is true of the repetition alone.
      if (!doubt || mutant("direct.doubt_forgotten")) co_return outcomes;
      const auto now = clock_->ticks();
      if (now >= deadline) co_return Errc::unknown;
      co_await clock_->sleep_until(std::min<Ticks>(now + pause, deadline));
    }
  }

  boost::asio::awaitable<Outcomes> try_apply(Ticks deadline, const Messages& messages) {
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
  std::size_t waiting_ = 0;  ///< Messages of publishes that no batch took yet.
  Group batcher_;
};

Receipt receipt_of(const Outcome& outcome) {
  Receipt receipt;
  receipt.kind = Receipt::Kind::decided;
  receipt.outcome = outcome;
  return receipt;
}

class DirectQueue final : public OrderQueue {
 public:
  DirectQueue(boost::asio::any_io_executor executor, OrderStore& store,
              std::shared_ptr<Clock> clock, CallMeter* meter)
      : executor_(std::move(executor)),
        clock_(clock),
        meter_(meter),
        committer_(executor_, store, clock) {}

  bool decides() const noexcept override { return true; }

  Task<std::vector<Receipt>> publish(Ticks deadline, In<OrderMessage> messages) override {
    std::vector<Receipt> receipts(messages.size());
    if (messages.empty()) co_return receipts;
    if (messages.size() > kPublishMax) co_return Errc::overloaded;

    const auto began = clock_->ticks();
    auto ticket = std::make_shared<OutcomeTicket>();
    Request request;
    request.ticket = ticket;
    request.deadline = deadline;
    request.messages.assign(messages.begin(), messages.end());
    auto work = committer_.enqueue(std::move(request));
    auto answer = direct::cross(executor_, clock_, deadline, std::move(ticket), std::move(work));
    const auto outcomes = co_await std::move(answer);

    if (meter_ != nullptr) {
      meter_->record(messages.size(), outcomes.has_value(), clock_->ticks() - began);
    }
    if (outcomes.has_value()) {
      std::transform(outcomes->begin(), outcomes->end(), receipts.begin(), receipt_of);
    } else if (outcomes.error() != Errc::unknown) {
      co_return outcomes.error();
    }
    co_return receipts;
  }

  Task<> fence(Ticks deadline, Fence fence) override {
    auto ticket = std::make_shared<FenceTicket>();
    auto work = committer_.raise(ticket, deadline, fence);
    auto answer = direct::cross(executor_, clock_, deadline, std::move(ticket), std::move(work));
    co_return co_await std::move(answer);
  }

 private:
  boost::asio::any_io_executor executor_;
  std::shared_ptr<Clock> clock_;
  CallMeter* meter_;
  Committer committer_;
};

}  // namespace

std::unique_ptr<OrderQueue> create_direct_queue(boost::asio::any_io_executor store_executor,
                                                OrderStore& store, std::shared_ptr<Clock> clock,
                                                CallMeter* meter) {
  return std::make_unique<DirectQueue>(std::move(store_executor), store, std::move(clock), meter);
}

}  // namespace sluice
