#include <functional>
#include <utility>
#include <vector>

#include "adapters/postgres/order_statements.hpp"
#include "adapters/postgres/store_parts.hpp"

namespace sluice::postgres {
namespace {

using sql::at_most;

class PostgresOrderTransitions final : public OrderTransitions {
 public:
  explicit PostgresOrderTransitions(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<std::vector<std::optional<Order>>> move(Ticks deadline,
                                               In<Transition> transitions) override {
    if (transitions.size() > kMovesMax) co_return Errc::overloaded;
    if (transitions.empty()) co_return std::vector<std::optional<Order>>();
    using T = const Transition&;
    Params params;
    params.array(transitions, [](T t) { return t.order.id; })
        .array(transitions, [](T t) { return t.order.sale; })
        .array(transitions, [](T t) { return t.order.id.lane(); })
        .array(transitions, [](T t) { return t.order.user; })
        .array(transitions, [](T t) { return name(after(t.move)); });
    // Committed: an answer that cannot be read leaves it unknown.
    co_return co_await client_->orders(deadline, kMove, std::move(params), transitions.size(),
                                       Errc::unknown);
  }

  Task<std::vector<OrderKey>> due(Ticks deadline, std::size_t max) override {
    return client_->list<OrderKey>(deadline, kDue, Params(at_most(max, kMovesMax)));
  }

  Task<std::vector<LaneId>> returning(Ticks deadline, std::size_t max) override {
    return client_->list<LaneId>(deadline, kReturning, Params(at_most(max, kMovesMax)));
  }

  Task<std::vector<Settlement>> outbox(Ticks deadline, LaneId lane, std::size_t max) override {
    Params params(lane, at_most(max, kMovesMax));
    auto returns = co_await client_->list<Settlement>(deadline, kOutbox, std::move(params));
    if (!returns) co_return returns.error();
    for (auto& settlement : *returns) settlement.action = SettleAction::give_back;
    co_return returns;
  }

  Task<> relayed(Ticks deadline, Fence taken, In<OrderId> orders) override {
    if (orders.size() > kMovesMax) co_return Errc::overloaded;
    Params params(taken.lane, taken.epoch);
    params.array(orders, std::identity());
    co_return co_await client_->change(deadline, kRelayed, std::move(params));
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<OrderTransitions> create_order_transitions(std::shared_ptr<Client> client) {
  return std::make_unique<PostgresOrderTransitions>(std::move(client));
}

}  // namespace sluice::postgres
