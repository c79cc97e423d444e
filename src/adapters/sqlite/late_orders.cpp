#include "sluice/orders/late_orders.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "adapters/sqlite/apply.hpp"
#include "adapters/sqlite/client.hpp"

namespace sluice::sqlite {
namespace {

struct Late {
  Connection& c;
  Statement note_{c,
                  "INSERT INTO late_orders (order_id, sale_id, lane, user_id, quantity, epoch,"
                  " reserved_at_ms, noted_at_ms) SELECT ?1, ?2, ?3, ?4, 0, ?5, ?6, ?6"
                  " FROM product_stock WHERE sale_id = ?2 AND lane = ?3 AND fence_epoch > ?5"
                  " AND NOT EXISTS (SELECT 1 FROM orders WHERE order_id = ?1)"
                  " ON CONFLICT DO NOTHING"};
  Statement undecided_{c,
                       "SELECT order_id, sale_id, lane, epoch, user_id, quantity, reserved_at_ms,"
                       " noted_at_ms, place FROM late_orders WHERE reason = 'none' AND place > ?1"
                       " ORDER BY place LIMIT ?2"};
  Statement refuse_{c,
                    "UPDATE late_orders SET reason = ?3 WHERE order_id = ?1 AND quantity = ?2"
                    " AND reason = 'none'"};

  Result<void> note(In<OrderKey> orders) {
    if (orders.size() > kLateMax) return Errc::overloaded;
    Transaction transaction(c);
    for (const auto& [id, sale, user] : orders) {
      note_.change(id, LaneId{sale, id.lane()}, user, id.epoch(), c.clock().now());
    }
    transaction.commit();
    return {};
  }

  Result<std::vector<LateOrder>> undecided(std::int64_t after, std::size_t max) {
    return undecided_.all<LateOrder>(after, sql::at_most(max, kLateMax));
  }

  Result<void> refuse(In<LateRefusal> refusals, Term leader) {
    if (refusals.size() > kLateMax) return Errc::overloaded;
    Transaction transaction(c);
    if (!c.prepared<Leader>().holds(leader)) return Errc::stale;
    for (const auto& [order, reason] : refusals) {
      refuse_.change(order.message.id, order.message.quantity, name(reason));
    }
    transaction.commit();
    return {};
  }
};

class SqliteLateOrders final : public LateOrders {
 public:
  explicit SqliteLateOrders(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<> note(Ticks deadline, In<OrderKey> orders) override {
    return client_->write("note_late", deadline, &Late::note, orders);
  }

  Task<std::vector<LateOrder>> undecided(Ticks deadline, std::int64_t after,
                                         std::size_t max) override {
    return client_->write("undecided_late", deadline, &Late::undecided, after, max);
  }

  Task<> refuse(Ticks deadline, In<LateRefusal> refusals, Term leader) override {
    return client_->write("refuse_late", deadline, &Late::refuse, refusals, leader);
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<LateOrders> create_late_orders(std::shared_ptr<Client> client) {
  return std::make_unique<SqliteLateOrders>(std::move(client));
}

}  // namespace sluice::sqlite
