#include <memory>

#include "sluice/adapters/direct/queue.hpp"

#include "adapters/direct/punctual_store.hpp"
#include "support/order_queue_contract.hpp"
#include "support/run_on.hpp"

namespace sluice::test {
namespace {

class DirectWorld final : public OrderQueueHarness {
 public:
  DirectWorld() {
    for (const std::uint32_t lane : {0u, 1u}) {
      // No epoch but the first is allotted: a fence is put, and refuses nothing.
      store_.lanes[{kContractSale, lane}].stock = 100'000;
    }
  }

  std::vector<Result<std::vector<Receipt>>> publish(std::vector<Publish> calls) override {
    std::vector<std::function<Result<std::vector<Receipt>>()>> started;
    for (const auto& call : calls) {
      started.push_back(start_on(context_, queue_->publish(call.deadline, call.messages)));
    }
    std::vector<Result<std::vector<Receipt>>> answers;
    for (const auto& answer : started) answers.push_back(answer());
    return answers;
  }

  Result<void> fence(Ticks deadline, Fence fence) override {
    return run_on(context_, queue_->fence(deadline, fence));
  }

  std::vector<OrderMessage> arrived(std::size_t) override { return store_.rows(); }

  std::vector<ArrivedFence> fences(std::size_t, std::size_t) override {
    std::vector<ArrivedFence> found;
    for (const auto& [fence, behind] : store_.fences) found.push_back({fence, behind});
    return found;
  }

  void silence() override { store_.silent = true; }

 private:
  boost::asio::io_context context_{1};
  PunctualStore store_{system_clock()};
  std::unique_ptr<OrderQueue> queue_ = create_direct_queue(context_.get_executor(), store_);
};

const OrderQueueContract kDirect{"Direct", [] { return std::make_unique<DirectWorld>(); }};
[[maybe_unused]] const bool kRegistered = register_order_queue_contract(kDirect);

}  // namespace
}  // namespace sluice::test
