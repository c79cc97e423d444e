#include <memory>

#include "sluice/adapters/direct/queue.hpp"

#include "adapters/direct/fake_store.hpp"
#include "adapters/direct/publisher.hpp"
#include "adapters/direct/store_thread.hpp"
#include "support/order_queue_contract.hpp"
#include "support/run_awaitable.hpp"

namespace sluice::test {
namespace {

class DirectWorld final : public OrderQueueHarness {
 public:
  ~DirectWorld() override {
    store_.open();
    thread_.stop();
  }

  std::vector<Result<std::vector<Receipt>>> publish(std::vector<Publish> calls) override {
    Publisher publisher(*queue_);
    for (auto& call : calls) publisher.start(std::move(call.messages), call.deadline);
    return publisher.finish();
  }

  Result<void> fence(Ticks deadline, Fence fence) override {
    return run_awaitable(queue_->fence(deadline, fence));
  }

  std::vector<OrderMessage> arrived(std::size_t) override { return store_.rows(); }

  std::vector<ArrivedFence> fences(std::size_t, std::size_t) override {
    std::vector<ArrivedFence> found;
    for (const auto& [fence, behind] : store_.fences()) found.push_back({fence, behind});
    return found;
  }

  void silence() override { store_.close(); }

 private:
  FakeStore store_;
  StoreThread thread_;
  std::unique_ptr<OrderQueue> queue_ = create_direct_queue(thread_.executor(), store_);
};

const OrderQueueContract kDirect{"Direct", [] {
                                   return std::make_unique<DirectWorld>();
                                 }};
[[maybe_unused]] const bool kRegistered = register_order_queue_contract(kDirect);

}  // namespace
}  // namespace sluice::test
