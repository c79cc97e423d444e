#include "sluice/orders/order_queue.hpp"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

constexpr Step kPublish{"publish"};

bool is_open(const Receipt& receipt) { return receipt.kind == Receipt::Kind::unknown; }

}  // namespace

Task<std::vector<Receipt>> publish_through(Dependency& dependency, Ticks deadline,
                                           std::size_t messages,
                                           Dependency::Operation<std::vector<Receipt>> publish) {
  using Receipts = std::vector<Receipt>;
  Dependency::Operation<Receipts> judged = [&publish]() -> Task<Receipts> {
    auto receipts = co_await publish();
    if (receipts && !receipts->empty() && std::ranges::all_of(*receipts, is_open)) {
      co_return Errc::unknown;
    }
    co_return receipts;
  };
  auto receipts = co_await dependency.call<Receipts>(kPublish, deadline, std::move(judged));
  // A queue tells of a lost answer in the receipts.
  if (!receipts && receipts.error() == Errc::unknown) co_return Receipts(messages);
  co_return receipts;
}

}  // namespace sluice
