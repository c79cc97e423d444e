#include "sluice/fulfilment/fulfilment.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/decisions_log.hpp"

namespace sluice {

namespace asio = boost::asio;

Fulfilment::Fulfilment(FulfilmentSettings settings, Ports ports)
    : settings_(settings),
      ports_(ports),
      mode_(ports.mode),
      batch_size_(ports.metrics.histogram("sluice_apply_batch_size", "Messages in one transaction.",
                                          {1, 4, 16, 64, 128, 256, 512, 1024, 4096})),
      poison_(
          ports.metrics.counter("sluice_poison_messages_total", "Messages that are no orders.")),
      retries_(ports.metrics.counter("sluice_apply_retries_total",
                                     "Transactions that had to be tried again.")),
      parked_(ports.metrics.counter("sluice_orders_parked_total",
                                    "Messages from before a rebuild of their lane, for the leader "
                                    "to decide.")) {
  for (std::size_t i = 0; i < decided_.size(); ++i) {
    const std::string reason(name(static_cast<RejectReason>(i)));
    decided_[i] = &ports.metrics.counter("sluice_orders_decided_total",
                                         "Messages decided by the store.", {{"rejected", reason}});
  }
}

asio::awaitable<void> Fulfilment::run() {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  while (!stopped_) {
    co_await step();
    // A feed with much to deliver need not suspend, and others live on this loop, too.
    co_await asio::post(executor, asio::use_awaitable);
  }
}

asio::awaitable<void> Fulfilment::step() {
  co_await settle_what_is_left();
  if (isolated()) co_return co_await leave();
  auto delivery = co_await ports_.feed.next(in(settings_.poll), settings_.batch_max);
  if (!delivery) {
    log().warn("the order log does not answer: {}", delivery.error().message());
    co_await pause();
    co_return;
  }
  if (!delivery->range) co_return;
  // Poison is kept before the position moves past it: a crash may keep it twice, never lose it.
  if (!co_await keep_poison(*delivery) && !mutant("fulfilment.poison_lost")) {
    co_await pause();
    co_await rewind(*delivery->range);
    co_return;
  }

  auto outcomes = co_await apply(*delivery);
  if (!outcomes) {
    co_await rewind(*delivery->range);
    co_return;
  }
  if (delivery->messages.empty()) co_return;
  batch_size_.Observe(static_cast<double>(delivery->messages.size()));
  for (const auto& outcome : *outcomes) {
    const bool parked = outcome.status == OrderStatus::queued;
    (parked ? parked_ : *decided_[static_cast<std::size_t>(outcome.reason)]).Increment();
  }
  log_decisions(delivery->messages, *outcomes);
  const auto deadline = in(settings_.settle_timeout);
  auto settled = Result<void>(Errc::unavailable);
  // While others wait it is known that the inventory is away.
  if (unsettled_.empty()) {
    settled = co_await settle(ports_.inventory, deadline, delivery->messages, *outcomes);
    if (!settled) log().warn("settling waits: {}", settled.error().message());
  }
  if (!settled) keep_unsettled({std::move(delivery->messages), *outcomes});
  co_await announce(ports_.results, deadline, *outcomes);
}

asio::awaitable<void> Fulfilment::settle_what_is_left() {
  while (!unsettled_.empty()) {
    const auto& next = unsettled_.front();
    const auto settled = co_await settle(ports_.inventory, in(settings_.settle_timeout),
                                         next.messages, next.outcomes);
    if (!settled) co_return;
    unsettled_orders_ -= next.messages.size();
    unsettled_.pop_front();
    if (unsettled_.empty()) log().info("all is settled again");
  }
}

void Fulfilment::keep_unsettled(Unsettled stretch) {
  unsettled_orders_ += stretch.messages.size();
  unsettled_.push_back(std::move(stretch));
  while (unsettled_orders_ > settings_.unsettled_max && unsettled_.size() > 1) {
    const auto left = unsettled_.front().messages.size();
    log().warn("{} orders are left for recovery to settle", left);
    unsettled_orders_ -= left;
    unsettled_.pop_front();
  }
}

Task<std::vector<Outcome>> Fulfilment::apply(const Delivery& delivery) {
  auto range = delivery.range;
  bool maybe_applied = false;
  if (mutant("fulfilment.position_first")) {
    const std::vector<OrderMessage> none;
    co_await ports_.store.apply(in(settings_.apply_timeout), none, range);
  }
  while (!stopped_ || maybe_applied) {
    auto outcomes =
        co_await ports_.store.apply(in(settings_.apply_timeout), delivery.messages, range);
    if (outcomes) co_return outcomes;
    if (outcomes.error() == Errc::stale) {
      if (!maybe_applied || !range) co_return outcomes;
      // The transaction whose answer was lost did commit, and moved the position: ask again for
      // the outcomes alone.
      range.reset();
      continue;
    }
    maybe_applied |= outcomes.error() == Errc::unknown;
    retries_.Increment();
    log().warn("{} orders wait for the store: {}", delivery.messages.size(),
               outcomes.error().message());
    if (stopped_ || isolated()) co_return outcomes;
    co_await pause();
  }
  co_return Errc::unavailable;
}

bool Fulfilment::isolated() { return mode_.get().isolated && !mutant("isolation.partitions_kept"); }

asio::awaitable<void> Fulfilment::leave() {
  const auto left = co_await ports_.feed.leave(in(settings_.poll));
  if (!left) log().warn("the partitions are not left yet: {}", left.error().message());
  co_await pause();
}

asio::awaitable<void> Fulfilment::rewind(const OffsetRange& range) {
  if (mutant("fulfilment.no_rewind")) co_return;
  const auto rewound = co_await ports_.feed.rewind(in(settings_.apply_timeout), range);
  if (!rewound) {
    log().warn("{}/{} cannot be read again: {}", range.topic, range.partition,
               rewound.error().message());
    co_await pause();
  }
}

asio::awaitable<bool> Fulfilment::keep_poison(const Delivery& delivery) {
  if (delivery.poison.empty()) co_return true;
  for (const auto& poison : delivery.poison) {
    log().error("{}/{}: a message is no order ({}): \"{}\"", delivery.range->topic,
                delivery.range->partition, poison.why, printable(poison.bytes));
  }
  const auto kept = co_await ports_.feed.dead_letter(in(settings_.apply_timeout), *delivery.range,
                                                     delivery.poison);
  if (!kept) {
    log().error("poison could not be kept: {}", kept.error().message());
    co_return false;
  }
  poison_.Increment(static_cast<double>(delivery.poison.size()));
  co_return true;
}

asio::awaitable<void> Fulfilment::pause() {
  co_await ports_.clock.sleep_until(in(settings_.retry_wait));
}

}  // namespace sluice
