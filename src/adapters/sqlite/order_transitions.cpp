#include <utility>

#include "adapters/sqlite/client.hpp"

namespace sluice::sqlite {
namespace {

using sql::at_most;

struct Transitions {
  Connection& c;
  Statement find_{c, kOrderByKey};
  Statement move_{c,
                  "UPDATE orders SET status = ?4 WHERE order_id = ?1 AND sale_id = ?2"
                  " AND user_id = ?3 AND status = 'confirmed' AND (?5 IS NULL OR pay_by_ms <= ?5)"};
  Statement give_back_{c,
                       "UPDATE product_stock SET stock = stock + o.quantity,"
                       " returned = returned + o.quantity FROM orders AS o"
                       " WHERE o.order_id = ?1 AND product_stock.sale_id = o.sale_id"
                       " AND product_stock.lane = o.lane"};
  Statement remember_{c,
                      "INSERT INTO outbox (order_id, sale_id, lane, quantity, user_id)"
                      " SELECT order_id, sale_id, lane, quantity, user_id FROM orders"
                      " WHERE order_id = ?1"};
  Statement due_{c,
                 "SELECT order_id, sale_id, user_id FROM orders"
                 " WHERE status = 'confirmed' AND pay_by_ms <= ?1 ORDER BY pay_by_ms LIMIT ?2"};
  Statement returning_{c,
                       "SELECT DISTINCT sale_id, lane FROM outbox ORDER BY sale_id, lane LIMIT ?1"};
  Statement outbox_{c,
                    "SELECT order_id, user_id, quantity FROM outbox"
                    " WHERE sale_id = ?1 AND lane = ?2 ORDER BY place LIMIT ?3"};
  Statement newest_{c, "SELECT newest_epoch FROM product_stock WHERE sale_id = ?1 AND lane = ?2"};
  Statement forget_{c, "DELETE FROM outbox WHERE sale_id = ?1 AND lane = ?2 AND order_id = ?3"};

  bool move_one(const Transition& transition) {
    const auto& key = transition.order;
    const auto status = after(transition.move);
    std::optional<TimePoint> due_by;
    if (transition.move == Move::expire) due_by = c.clock().now();
    if (move_.change(key.id, key.sale, key.user, name(status), due_by) == 0) return false;
    if (status == OrderStatus::paid) return true;
    give_back_.change(key.id);
    remember_.change(key.id);
    return true;
  }

  Result<std::vector<std::optional<Order>>> move(In<Transition> transitions) {
    if (transitions.size() > kMovesMax) return Errc::overloaded;
    Transaction transaction(c);
    bool moved = false;
    for (const auto& transition : transitions) moved |= move_one(transition);
    std::vector<std::optional<Order>> orders;
    orders.reserve(transitions.size());
    for (const auto& [key, move] : transitions) {
      orders.push_back(find_.first<Order>(key.id, key.sale, key.user));
    }
    // Nothing to make durable costs no fsync.
    if (moved) transaction.commit();
    return orders;
  }

  Result<std::vector<OrderKey>> due(std::size_t max) {
    return due_.all<OrderKey>(c.clock().now(), at_most(max, kMovesMax));
  }

  Result<std::vector<LaneId>> returning(std::size_t max) {
    return returning_.all<LaneId>(at_most(max, kMovesMax));
  }

  Result<std::vector<Settlement>> outbox(LaneId lane, std::size_t max) {
    auto returns = outbox_.all<Settlement>(lane, at_most(max, kMovesMax));
    for (auto& settlement : returns) settlement.action = SettleAction::give_back;
    return returns;
  }

  Result<void> relayed(const Fence& taken, In<OrderId> orders) {
    if (orders.size() > kMovesMax) return Errc::overloaded;
    Transaction transaction(c);
    if (newest_.first<Epoch>(taken.lane) != taken.epoch) return Errc::stale;
    for (const auto& id : orders) forget_.change(taken.lane, id);
    transaction.commit();
    return {};
  }
};

class SqliteOrderTransitions final : public OrderTransitions {
 public:
  explicit SqliteOrderTransitions(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<std::vector<std::optional<Order>>> move(Ticks deadline,
                                               In<Transition> transitions) override {
    return client_->write("move", deadline, &Transitions::move, transitions);
  }

  Task<std::vector<OrderKey>> due(Ticks deadline, std::size_t max) override {
    return client_->write("due", deadline, &Transitions::due, max);
  }

  Task<std::vector<LaneId>> returning(Ticks deadline, std::size_t max) override {
    return client_->write("returning", deadline, &Transitions::returning, max);
  }

  Task<std::vector<Settlement>> outbox(Ticks deadline, LaneId lane, std::size_t max) override {
    return client_->write("outbox", deadline, &Transitions::outbox, lane, max);
  }

  Task<> relayed(Ticks deadline, Fence taken, In<OrderId> orders) override {
    return client_->write("relayed", deadline, &Transitions::relayed, taken, orders);
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<OrderTransitions> create_order_transitions(std::shared_ptr<Client> client) {
  return std::make_unique<SqliteOrderTransitions>(std::move(client));
}

}  // namespace sluice::sqlite
