#include "sluice/orders/order_transitions.hpp"

#include <algorithm>
#include <utility>

#include "adapters/sqlite/rows.hpp"
#include "adapters/sqlite/stores.hpp"

namespace sluice::sqlite {
namespace {

std::int64_t at_most(std::size_t max) {
  return static_cast<std::int64_t>(std::min(max, kMovesMax));
}

class OrderTransitionsImpl final : public OrderTransitions {
 public:
  explicit OrderTransitionsImpl(std::shared_ptr<Database> database)
      : database_(std::move(database)) {}

  Task<std::vector<std::optional<Order>>> move(Ticks deadline,
                                               In<Transition> transitions) override {
    const auto work = [&] {
      return move_now(transitions);
    };
    co_return database_->answer(deadline, work);
  }

  Task<std::vector<OrderKey>> due(Ticks deadline, std::size_t max) override {
    const auto work = [&]() -> Result<std::vector<OrderKey>> {
      std::vector<OrderKey> keys;
      auto rows = due_.run(to_ms(database_->clock().now()), at_most(max));
      while (rows.next()) {
        keys.push_back({rows.order_id(0), rows.integer(1), user_of(rows.text(2))});
      }
      return keys;
    };
    co_return database_->answer(deadline, work);
  }

  Task<std::vector<LaneId>> returning(Ticks deadline, std::size_t max) override {
    const auto work = [&]() -> Result<std::vector<LaneId>> {
      std::vector<LaneId> lanes;
      auto rows = returning_.run(at_most(max));
      while (rows.next()) {
        lanes.push_back({rows.integer(0), static_cast<std::uint32_t>(rows.integer(1))});
      }
      return lanes;
    };
    co_return database_->answer(deadline, work);
  }

  Task<std::vector<Settlement>> outbox(Ticks deadline, LaneId lane, std::size_t max) override {
    const auto work = [&]() -> Result<std::vector<Settlement>> {
      std::vector<Settlement> returns;
      auto rows = outbox_.run(lane.sale, lane.index, at_most(max));
      while (rows.next()) {
        returns.push_back({rows.order_id(0), user_of(rows.text(1)),
                           static_cast<std::uint32_t>(rows.integer(2)), SettleAction::give_back});
      }
      return returns;
    };
    co_return database_->answer(deadline, work);
  }

  Task<> relayed(Ticks deadline, Fence taken, In<OrderId> orders) override {
    const auto work = [&] {
      return relayed_now(taken, orders);
    };
    co_return database_->answer(deadline, work);
  }

 private:
  Result<std::vector<std::optional<Order>>> move_now(In<Transition> transitions) {
    if (transitions.size() > kMovesMax) return Errc::overloaded;
    Transaction transaction(*database_);
    const auto now = to_ms(database_->clock().now());
    bool moved = false;
    for (const auto& transition : transitions) moved |= move_one(transition, now);
    std::vector<std::optional<Order>> orders;
    orders.reserve(transitions.size());
    for (const auto& [key, move] : transitions) {
      auto row = find_.run(key.id, key.sale, key.user.text());
      orders.emplace_back();
      if (row.next()) orders.back() = order_of(row);
    }
    // Nothing to make durable costs no fsync.
    if (moved) transaction.commit();
    return orders;
  }

  bool move_one(const Transition& transition, std::int64_t now) {
    const auto& key = transition.order;
    const auto status = after(transition.move);
    // A time that every `pay_by` reaches, where it does not matter.
    const auto due = transition.move == Move::expire ? now : std::int64_t{-1};
    if (move_.change(key.id, key.sale, key.user.text(), name(status), due) == 0) return false;
    if (status == OrderStatus::paid) return true;
    return_.change(key.id);
    remember_.change(key.id);
    return true;
  }

  Result<void> relayed_now(const Fence& taken, In<OrderId> orders) {
    if (orders.size() > kMovesMax) return Errc::overloaded;
    Transaction transaction(*database_);
    {
      auto row = newest_.run(taken.lane.sale, taken.lane.index);
      if (!row.next() || row.integer(0) != taken.epoch) return Errc::stale;
    }
    for (const auto& id : orders) forget_.change(taken.lane.sale, taken.lane.index, id);
    transaction.commit();
    return {};
  }

  std::shared_ptr<Database> database_;
  Statement find_{*database_, std::string(kOrderQuery) +
                                  "WHERE order_id = ?1 AND o.sale_id = ?2 AND user_id = ?3"};
  Statement move_{*database_,
                  "UPDATE orders SET status = ?4 WHERE order_id = ?1 AND sale_id = ?2"
                  " AND user_id = ?3 AND status = 'confirmed' AND (?5 < 0 OR pay_by_ms <= ?5)"};
  Statement return_{*database_,
                    "UPDATE product_stock SET stock = stock + o.quantity,"
                    " returned = returned + o.quantity FROM orders AS o"
                    " WHERE o.order_id = ?1 AND product_stock.sale_id = o.sale_id"
                    " AND product_stock.lane = o.lane"};
  Statement remember_{*database_,
                      "INSERT INTO outbox (order_id, sale_id, lane, quantity, user_id)"
                      " SELECT order_id, sale_id, lane, quantity, user_id FROM orders"
                      " WHERE order_id = ?1"};
  Statement due_{*database_,
                 "SELECT order_id, sale_id, user_id FROM orders"
                 " WHERE status = 'confirmed' AND pay_by_ms <= ?1 ORDER BY pay_by_ms LIMIT ?2"};
  Statement returning_{*database_,
                       "SELECT DISTINCT sale_id, lane FROM outbox ORDER BY sale_id, lane LIMIT ?1"};
  Statement outbox_{*database_,
                    "SELECT order_id, user_id, quantity FROM outbox"
                    " WHERE sale_id = ?1 AND lane = ?2 ORDER BY place LIMIT ?3"};
  Statement newest_{*database_,
                    "SELECT newest_epoch FROM product_stock WHERE sale_id = ?1 AND lane = ?2"};
  Statement forget_{*database_,
                    "DELETE FROM outbox WHERE sale_id = ?1 AND lane = ?2 AND order_id = ?3"};
};

}  // namespace

std::unique_ptr<OrderTransitions> create_order_transitions(std::shared_ptr<Database> database) {
  return std::make_unique<OrderTransitionsImpl>(std::move(database));
}

}  // namespace sluice::sqlite
