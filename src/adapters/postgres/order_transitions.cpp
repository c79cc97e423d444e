#include <algorithm>
#include <utility>
#include <vector>

#include "adapters/postgres/order_rows.hpp"
#include "adapters/postgres/order_statements.hpp"
#include "adapters/postgres/store_parts.hpp"

namespace sluice::postgres {
namespace {

std::int64_t at_most(std::size_t max) {
  return static_cast<std::int64_t>(std::min(max, kMovesMax));
}

class PostgresOrderTransitions final : public OrderTransitions {
 public:
  explicit PostgresOrderTransitions(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<std::vector<std::optional<Order>>> move(Ticks deadline,
                                               In<Transition> transitions) override {
    if (transitions.size() > kMovesMax) co_return Errc::overloaded;
    std::vector<std::optional<Order>> orders(transitions.size());
    if (transitions.empty()) co_return orders;
    using T = const Transition&;
    Params params;
    params.uuids(transitions, [](T t) { return t.order.id; })
        .int8s(transitions, [](T t) { return t.order.sale; })
        .int4s(transitions, [](T t) { return to_int4(t.order.id.lane()); })
        .texts(transitions, [](T t) { return std::string_view(t.order.user.text()); })
        .texts(transitions, [](T t) { return name(after(t.move)); });
    const auto rows = co_await client_->run(deadline, kMove, std::move(params));
    if (rows.has_error()) co_return rows.error();
    for (std::size_t i = 0; i < rows->size(); ++i) {
      auto order = read_order(*rows, i, 1);
      // Committed: an answer that cannot be read leaves it unknown.
      if (!order) co_return Errc::unknown;
      orders.at(static_cast<std::size_t>(rows->int8(i, 0) - 1)) = std::move(order);
    }
    co_return orders;
  }

  Task<std::vector<OrderKey>> due(Ticks deadline, std::size_t max) override {
    Params params(at_most(max));
    const auto rows = co_await client_->run(deadline, kDue, std::move(params));
    if (rows.has_error()) co_return rows.error();
    std::vector<OrderKey> keys;
    keys.reserve(rows->size());
    for (std::size_t i = 0; i < rows->size(); ++i) {
      auto user = UserId::parse(rows->text(i, 2));
      if (!user) co_return Errc::invalid;
      keys.push_back(OrderKey{rows->uuid(i, 0), rows->int8(i, 1), *std::move(user)});
    }
    co_return keys;
  }

  Task<std::vector<LaneId>> returning(Ticks deadline, std::size_t max) override {
    Params params(at_most(max));
    const auto rows = co_await client_->run(deadline, kReturning, std::move(params));
    if (rows.has_error()) co_return rows.error();
    std::vector<LaneId> lanes;
    lanes.reserve(rows->size());
    for (std::size_t i = 0; i < rows->size(); ++i) {
      lanes.push_back({rows->int8(i, 0), static_cast<std::uint32_t>(rows->int4(i, 1))});
    }
    co_return lanes;
  }

  Task<std::vector<Settlement>> outbox(Ticks deadline, LaneId lane, std::size_t max) override {
    Params params(lane.sale, to_int4(lane.index), at_most(max));
    const auto rows = co_await client_->run(deadline, kOutbox, std::move(params));
    if (rows.has_error()) co_return rows.error();
    std::vector<Settlement> returns;
    returns.reserve(rows->size());
    for (std::size_t i = 0; i < rows->size(); ++i) {
      auto user = UserId::parse(rows->text(i, 1));
      if (!user) co_return Errc::invalid;
      const auto quantity = static_cast<std::uint32_t>(rows->int4(i, 2));
      returns.push_back({rows->uuid(i, 0), *std::move(user), quantity, SettleAction::give_back});
    }
    co_return returns;
  }

  Task<> relayed(Ticks deadline, Fence taken, In<OrderId> orders) override {
    if (orders.size() > kMovesMax) co_return Errc::overloaded;
    Params params(taken.lane.sale, to_int4(taken.lane.index), to_int4(taken.epoch));
    params.uuids(orders, [](const OrderId& id) { return id; });
    const auto rows = co_await client_->run(deadline, kRelayed, std::move(params));
    if (rows.has_error()) co_return rows.error();
    co_return Result<void>{};
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<OrderTransitions> create_order_transitions(std::shared_ptr<Client> client) {
  return std::make_unique<PostgresOrderTransitions>(std::move(client));
}

}  // namespace sluice::postgres
