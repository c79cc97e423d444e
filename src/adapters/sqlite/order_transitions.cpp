#include <algorithm>
#include <utility>

#include "adapters/sqlite/client.hpp"
#include "adapters/sqlite/rows.hpp"

namespace sluice::sqlite {
namespace {

std::int64_t at_most(std::size_t max) {
  return static_cast<std::int64_t>(std::min(max, kMovesMax));
}

struct TransitionStatements {
  Connection& c;
  Statement find{
      c, std::string(kOrderQuery) + "WHERE order_id = ?1 AND o.sale_id = ?2 AND user_id = ?3"};
  Statement move{c,
                 "UPDATE orders SET status = ?4 WHERE order_id = ?1 AND sale_id = ?2"
                 " AND user_id = ?3 AND status = 'confirmed' AND (?5 < 0 OR pay_by_ms <= ?5)"};
  Statement give_back{c,
                      "UPDATE product_stock SET stock = stock + o.quantity,"
                      " returned = returned + o.quantity FROM orders AS o"
                      " WHERE o.order_id = ?1 AND product_stock.sale_id = o.sale_id"
                      " AND product_stock.lane = o.lane"};
  Statement remember{c,
                     "INSERT INTO outbox (order_id, sale_id, lane, quantity, user_id)"
                     " SELECT order_id, sale_id, lane, quantity, user_id FROM orders"
                     " WHERE order_id = ?1"};
  Statement due{c,
                "SELECT order_id, sale_id, user_id FROM orders"
                " WHERE status = 'confirmed' AND pay_by_ms <= ?1 ORDER BY pay_by_ms LIMIT ?2"};
  Statement returning{c,
                      "SELECT DISTINCT sale_id, lane FROM outbox ORDER BY sale_id, lane LIMIT ?1"};
  Statement outbox{c,
                   "SELECT order_id, user_id, quantity FROM outbox"
                   " WHERE sale_id = ?1 AND lane = ?2 ORDER BY place LIMIT ?3"};
  Statement newest{c, "SELECT newest_epoch FROM product_stock WHERE sale_id = ?1 AND lane = ?2"};
  Statement forget{c, "DELETE FROM outbox WHERE sale_id = ?1 AND lane = ?2 AND order_id = ?3"};

  bool apply(const Transition& transition, std::int64_t now) {
    const auto& key = transition.order;
    const auto status = after(transition.move);
    // A time that every `pay_by` reaches, where it does not matter.
    const auto due_by = transition.move == Move::expire ? now : std::int64_t{-1};
    if (move.change(key.id, key.sale, key.user.text(), name(status), due_by) == 0) return false;
    if (status == OrderStatus::paid) return true;
    give_back.change(key.id);
    remember.change(key.id);
    return true;
  }
};

Result<std::vector<std::optional<Order>>> move_orders(Connection& connection,
                                                      In<Transition> transitions) {
  if (transitions.size() > kMovesMax) return Errc::overloaded;
  auto& statements = connection.prepared<TransitionStatements>();
  Transaction transaction(connection);
  const auto now = to_ms(connection.clock().now());
  bool moved = false;
  for (const auto& transition : transitions) moved |= statements.apply(transition, now);
  std::vector<std::optional<Order>> orders;
  orders.reserve(transitions.size());
  for (const auto& [key, move] : transitions) {
    auto row = statements.find.run(key.id, key.sale, key.user.text());
    orders.emplace_back();
    if (row.next()) orders.back() = order_of(row);
  }
  // Nothing to make durable costs no fsync.
  if (moved) transaction.commit();
  return orders;
}

Result<void> forget_relayed(Connection& connection, const Fence& taken, In<OrderId> orders) {
  if (orders.size() > kMovesMax) return Errc::overloaded;
  auto& statements = connection.prepared<TransitionStatements>();
  Transaction transaction(connection);
  {
    auto row = statements.newest.run(taken.lane.sale, taken.lane.index);
    if (!row.next() || row.integer(0) != taken.epoch) return Errc::stale;
  }
  for (const auto& id : orders) statements.forget.change(taken.lane.sale, taken.lane.index, id);
  transaction.commit();
  return {};
}

class SqliteOrderTransitions final : public OrderTransitions {
 public:
  explicit SqliteOrderTransitions(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<std::vector<std::optional<Order>>> move(Ticks deadline,
                                               In<Transition> transitions) override {
    const auto work = [copy = copy_of(transitions)](Connection& connection) {
      return move_orders(connection, copy);
    };
    return client_->write<std::vector<std::optional<Order>>>({"move"}, deadline, work);
  }

  Task<std::vector<OrderKey>> due(Ticks deadline, std::size_t max) override {
    const auto work = [max](Connection& connection) -> Result<std::vector<OrderKey>> {
      std::vector<OrderKey> keys;
      auto& due = connection.prepared<TransitionStatements>().due;
      auto rows = due.run(to_ms(connection.clock().now()), at_most(max));
      while (rows.next()) {
        keys.push_back({rows.order_id(0), rows.integer(1), user_of(rows.text(2))});
      }
      return keys;
    };
    return client_->write<std::vector<OrderKey>>({"due"}, deadline, work);
  }

  Task<std::vector<LaneId>> returning(Ticks deadline, std::size_t max) override {
    const auto work = [max](Connection& connection) -> Result<std::vector<LaneId>> {
      std::vector<LaneId> lanes;
      auto rows = connection.prepared<TransitionStatements>().returning.run(at_most(max));
      while (rows.next()) {
        lanes.push_back({rows.integer(0), static_cast<std::uint32_t>(rows.integer(1))});
      }
      return lanes;
    };
    return client_->write<std::vector<LaneId>>({"returning"}, deadline, work);
  }

  Task<std::vector<Settlement>> outbox(Ticks deadline, LaneId lane, std::size_t max) override {
    const auto work = [lane, max](Connection& connection) -> Result<std::vector<Settlement>> {
      std::vector<Settlement> returns;
      auto& outbox = connection.prepared<TransitionStatements>().outbox;
      auto rows = outbox.run(lane.sale, lane.index, at_most(max));
      while (rows.next()) {
        returns.push_back({rows.order_id(0), user_of(rows.text(1)),
                           static_cast<std::uint32_t>(rows.integer(2)), SettleAction::give_back});
      }
      return returns;
    };
    return client_->write<std::vector<Settlement>>({"outbox"}, deadline, work);
  }

  Task<> relayed(Ticks deadline, Fence taken, In<OrderId> orders) override {
    const auto work = [taken, copy = copy_of(orders)](Connection& connection) {
      return forget_relayed(connection, taken, copy);
    };
    return client_->write<void>({"relayed"}, deadline, work);
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<OrderTransitions> create_order_transitions(std::shared_ptr<Client> client) {
  return std::make_unique<SqliteOrderTransitions>(std::move(client));
}

}  // namespace sluice::sqlite
