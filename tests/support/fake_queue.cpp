#include "support/fake_queue.hpp"

namespace sluice::test {

Task<std::vector<Receipt>> FakeQueue::publish(Ticks /*deadline*/, In<OrderMessage> messages) {
  published.emplace_back(messages.begin(), messages.end());
  const auto fault = co_await on_publish.enter();
  if (fault) co_return fault->error;
  std::vector<Receipt> receipts;
  for (const auto& message : messages) receipts.push_back(receipt ? receipt(message) : queued());
  co_return receipts;
}

Task<> FakeQueue::fence(Ticks deadline, Fence fence) {
  const auto fault = co_await on_fence.enter();
  if (fault && !fault->done) co_return fault->error;
  fences.push_back(fence);
  if (raise_in != nullptr) {
    auto raised = co_await raise_in->raise_fence(deadline, fence, std::nullopt, std::nullopt);
    if (!raised) co_return raised.error();
  }
  if (fault) co_return fault->error;
  co_return boost::system::in_place_value;
}

Receipt queued() {
  Receipt receipt;
  receipt.kind = Receipt::Kind::queued;
  return receipt;
}

Receipt unacknowledged() { return Receipt(); }

Receipt decided(const OrderMessage& message, OrderStatus status, RejectReason reason) {
  Receipt receipt;
  receipt.kind = Receipt::Kind::decided;
  receipt.outcome.id = message.id;
  receipt.outcome.status = status;
  receipt.outcome.reason = reason;
  return receipt;
}

}  // namespace sluice::test
