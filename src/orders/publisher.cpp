#include "sluice/orders/publisher.hpp"

#include <algorithm>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"
#include "sluice/orders/decisions_log.hpp"

namespace sluice {
namespace {

/// Only what the store decided may be settled.
bool is_decided(const Receipt& receipt) {
  return receipt.kind == Receipt::Kind::decided || mutant("settle.unknown");
}

}  // namespace

boost::asio::awaitable<Receipt> Publisher::publish(LaneServices services, OrderMessage message) {
  const Requests::Limits limits{settings_.batch_max, settings_.batches_max};
  auto work = [this, services](Requests::Batch& batch) { return publish_batch(services, batch); };
  const std::pair stream(message.lane, &services.queue);
  auto& requests = requests_.try_emplace(stream, executor_, limits, Receipt{}, work).first->second;
  Request request{std::move(message), clock_.ticks() + settings_.publish_timeout};
  return requests.submit(std::move(request));
}

boost::asio::awaitable<void> Publisher::publish_batch(LaneServices services,
                                                      Requests::Batch& batch) {
  // A slow publish holds up none that comes later.
  batch.release();
  std::vector<OrderMessage> messages;
  messages.reserve(batch.items.size());
  Ticks deadline = Ticks::max();
  for (auto& item : batch.items) {
    deadline = std::min(deadline, item.request.deadline);
    messages.push_back(std::move(item.request.message));
  }
  auto receipts = co_await services.queue.publish(deadline, messages);
  if (!receipts) receipts = std::vector<Receipt>(messages.size());

  std::vector<OrderMessage> decided;
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& receipt = (*receipts)[i];
    if (!is_decided(receipt)) continue;
    decided.push_back(std::move(messages[i]));
    outcomes.push_back(receipt.outcome);
  }
  log_decisions(decided, outcomes);
  // Settled before it is answered, so that no look-up sees the order go back to queued.
  const auto settle_by = clock_.ticks() + settings_.reserve_timeout;
  const auto settled = co_await settle(services.inventory, settle_by, decided, outcomes);
  if (!settled) {
    log().warn("{} orders left for recovery to settle: {}", decided.size(),
               settled.error().message());
  }
  for (std::size_t i = 0; i < batch.items.size(); ++i)
    batch.items[i].answer.resume_here((*receipts)[i]);
}

}  // namespace sluice
