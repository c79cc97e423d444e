#include "sluice/orders/publisher.hpp"

#include <algorithm>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

/// Only what the store decided may be settled.
bool is_decided(const Receipt& receipt) {
  return receipt.kind == Receipt::Kind::decided || mutant("settle.unknown");
}

}  // namespace

struct Publisher::Stream {
  Stream(LaneId l, const LaneServices& services)
      : lane(l), inventory(services.inventory), queue(services.queue) {}
  LaneId lane;
  Inventory& inventory;
  OrderQueue& queue;
  std::unique_ptr<Requests> requests;
};

Publisher::Publisher(asio::any_io_executor executor, PurchaseSettings settings, Clock& clock)
    : executor_(std::move(executor)), settings_(settings), clock_(clock) {}

Publisher::~Publisher() = default;

asio::awaitable<Receipt> Publisher::publish(LaneServices services, OrderMessage message) {
  auto& requests = *stream(message.lane, services).requests;
  Request request{std::move(message), clock_.ticks() + settings_.publish_timeout};
  return requests.submit(std::move(request));
}

asio::awaitable<void> Publisher::publish_batch(Stream& stream, Requests::Batch& batch) {
  // A slow publish holds up none that comes later.
  batch.release();
  std::vector<OrderMessage> messages;
  messages.reserve(batch.items.size());
  Ticks deadline = Ticks::max();
  for (auto& item : batch.items) {
    deadline = std::min(deadline, item.request.deadline);
    messages.push_back(std::move(item.request.message));
  }
  auto receipts = co_await stream.queue.publish(deadline, messages);
  if (!receipts) receipts = std::vector<Receipt>(messages.size());
  // Settled before it is answered, so that no look-up sees the order go back to queued.
  co_await settle(stream, messages, *receipts);
  for (std::size_t i = 0; i < batch.items.size(); ++i)
    batch.items[i].answer.resume_here((*receipts)[i]);
}

asio::awaitable<void> Publisher::settle(Stream& stream, const std::vector<OrderMessage>& messages,
                                        const std::vector<Receipt>& receipts) {
  // A rebuild may have come between two reservations that travel together.
  std::map<Epoch, std::vector<Settlement>> epochs;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!is_decided(receipts[i])) continue;
    const auto& message = messages[i];
    epochs[message.epoch].push_back(
        {message.id, message.user, message.quantity, settle_action(receipts[i].outcome)});
  }
  for (const auto& [epoch, settlements] : epochs) {
    const Call call{stream.lane, epoch, clock_.ticks() + settings_.reserve_timeout};
    const auto settled = co_await stream.inventory.settle(call, settlements);
    if (settled) continue;
    log().warn("{} orders left for recovery to settle: {}", settlements.size(),
               settled.error().message());
  }
}

Publisher::Stream& Publisher::stream(LaneId lane, const LaneServices& services) {
  auto& slot = streams_[{lane, &services.queue}];
  if (!slot) {
    slot = std::make_unique<Stream>(lane, services);
    const Requests::Limits limits{settings_.batch_max, settings_.batches_max};
    auto work = [this, stream = slot.get()](Requests::Batch& batch) {
      return publish_batch(*stream, batch);
    };
    slot->requests = std::make_unique<Requests>(executor_, limits, Receipt{}, std::move(work));
  }
  return *slot;
}

}  // namespace sluice
