#include "sluice/orders/late_orders.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "adapters/postgres/order_statements.hpp"
#include "adapters/postgres/store_parts.hpp"

namespace sluice::postgres {
namespace {

class PostgresLateOrders final : public LateOrders {
 public:
  explicit PostgresLateOrders(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<> note(Ticks deadline, In<OrderKey> orders) override {
    if (orders.size() > kLateMax) co_return Errc::overloaded;
    using K = const OrderKey&;
    Params params;
    params.array(orders, &OrderKey::id)
        .array(orders, &OrderKey::sale)
        .array(orders, [](K key) { return key.id.lane(); })
        .array(orders, [](K key) { return key.id.epoch(); })
        .array(orders, &OrderKey::user);
    co_return co_await client_->change(deadline, kNoteLate, std::move(params));
  }

  Task<std::vector<LateOrder>> undecided(Ticks deadline, std::int64_t after,
                                         std::size_t max) override {
    return client_->list<LateOrder>(deadline, kUndecidedLate,
                                    Params(after, sql::at_most(max, kLateMax)));
  }

  Task<> refuse(Ticks deadline, In<LateRefusal> refusals, Term leader) override {
    if (refusals.size() > kLateMax) co_return Errc::overloaded;
    using R = const LateRefusal&;
    Params params;
    params.array(refusals, [](R r) { return r.order.message.id; })
        .array(refusals, [](R r) { return r.order.message.lane.sale; })
        .array(refusals, [](R r) { return r.order.message.lane.index; })
        .array(refusals, [](R r) { return r.order.message.quantity; })
        .array(refusals, [](R r) { return name(r.reason); })
        .add(static_cast<std::int64_t>(leader));
    co_return co_await client_->change(deadline, kRefuseLate, std::move(params));
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<LateOrders> create_late_orders(std::shared_ptr<Client> client) {
  return std::make_unique<PostgresLateOrders>(std::move(client));
}

}  // namespace sluice::postgres
