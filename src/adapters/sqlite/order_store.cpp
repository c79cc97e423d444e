#include <utility>

#include "adapters/sqlite/apply.hpp"
#include "adapters/sqlite/rows.hpp"
#include "adapters/sqlite/stores.hpp"

namespace sluice::sqlite {
namespace {

/// What `order_of` reads, in its order.
constexpr std::string_view kOrderQuery =
    "SELECT order_id, o.sale_id, lane, user_id, quantity, status, reason, unit_price_minor,"
    " currency, reserved_at_ms FROM orders AS o JOIN sales USING (sale_id) ";

Order order_of(const Statement::Run& row) {
  Order order;
  order.id = row.order_id(0);
  order.lane.sale = row.integer(1);
  order.lane.index = static_cast<std::uint32_t>(row.integer(2));
  order.user = user_of(row.text(3));
  order.quantity = static_cast<std::uint32_t>(row.integer(4));
  order.status = status_of(row.text(5));
  order.reason = reason_of(row.text(6));
  order.unit_price_minor = row.integer(7);
  order.currency = row.text(8);
  order.created_at = from_ms(row.integer(9));
  return order;
}

class OrderStoreImpl final : public OrderStore {
 public:
  explicit OrderStoreImpl(std::shared_ptr<Database> database) : database_(std::move(database)) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    const auto work = [&] {
      return apply_.run(messages, range);
    };
    co_return database_->answer(deadline, work);
  }

  Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) override {
    const auto work = [&] {
      return find_now(keys);
    };
    co_return database_->answer(deadline, work);
  }

  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override {
    const auto work = [&]() -> Result<std::optional<Order>> {
      std::optional<Order> order;
      auto row = live_.run(sale, user.text());
      if (row.next()) order = order_of(row);
      return order;
    };
    co_return database_->answer(deadline, work);
  }

  Task<Epoch> fence_epoch(Ticks deadline, LaneId lane) override {
    const auto work = [&]() -> Result<Epoch> {
      auto row = fence_epoch_.run(lane.sale, lane.index);
      if (!row.next()) return Errc::not_found;
      return static_cast<Epoch>(row.integer(0));
    };
    co_return database_->answer(deadline, work);
  }

  Task<LaneImage> fence(Ticks deadline, LaneId lane) override {
    const auto work = [&] {
      return fence_now(lane);
    };
    co_return database_->answer(deadline, work);
  }

  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override {
    const auto work = [&]() -> Result<std::int64_t> {
      auto row = position_.run(topic, partition);
      return row.next() ? row.integer(0) : 0;
    };
    co_return database_->answer(deadline, work);
  }

  Task<std::optional<TimePoint>> applied_through(Ticks deadline, std::string topic,
                                                 std::int32_t partitions) override {
    const auto work = [&]() -> Result<std::optional<TimePoint>> {
      std::optional<TimePoint> through;
      auto row = applied_through_.run(topic, partitions);
      if (row.next() && partitions > 0 && row.integer(0) == partitions) {
        through = from_ms(row.integer(1));
      }
      return through;
    };
    co_return database_->answer(deadline, work);
  }

  Task<AuditFigures> audit(Ticks deadline, SaleId sale) override {
    const auto work = [&] {
      return audit_now(sale);
    };
    co_return database_->answer(deadline, work);
  }

 private:
  Result<std::vector<std::optional<Order>>> find_now(In<OrderKey> keys) {
    if (keys.size() > kMessagesMax) return Errc::overloaded;
    std::vector<std::optional<Order>> orders;
    orders.reserve(keys.size());
    for (const auto& key : keys) {
      auto row = find_.run(key.id, key.sale, key.user.text());
      orders.emplace_back();
      if (row.next()) orders.back() = order_of(row);
    }
    return orders;
  }

  Result<LaneImage> fence_now(LaneId lane) {
    Transaction transaction(*database_);
    LaneImage image;
    image.lane = lane;
    {
      auto row = lane_.run(lane.sale, lane.index);
      if (!row.next()) return Errc::not_found;
      image.epoch = static_cast<Epoch>(row.integer(0));
      image.stock = row.integer(1);
      image.limit_per_order = static_cast<std::uint32_t>(row.integer(2));
      image.window.state = parse_sale_state(row.text(3)).value_or(SaleState::closed);
      image.window.starts_at = from_ms(row.integer(4));
      image.window.ends_at = from_ms(row.integer(5));
      image.window.revision = static_cast<std::uint32_t>(row.integer(6));
    }
    if (image.epoch >= kEpochMax) return Errc::overloaded;
    ++image.epoch;
    raise_fence_.change(lane.sale, lane.index, image.epoch);
    auto rows = winners_.run(lane.sale, lane.index);
    while (rows.next()) {
      OrderView view;
      view.id = rows.order_id(1);
      view.status = status_of(rows.text(2));
      view.quantity = static_cast<std::uint32_t>(rows.integer(3));
      image.winners.emplace_back(user_of(rows.text(0)), view);
    }
    transaction.commit();
    return image;
  }

  Result<AuditFigures> audit_now(SaleId sale) {
    auto row = audit_.run(sale);
    if (!row.next()) return Errc::not_found;
    AuditFigures figures;
    figures.initial = row.integer(0);
    figures.stock = row.integer(1);
    figures.live_units = row.integer(2);
    figures.live_orders = row.integer(3);
    figures.rejected_stock = row.integer(4);
    figures.rejected_duplicate = row.integer(5);
    return figures;
  }

  std::shared_ptr<Database> database_;
  Apply apply_{*database_};
  Statement find_{*database_, std::string(kOrderQuery) +
                                  "WHERE order_id = ?1 AND o.sale_id = ?2 AND user_id = ?3"};
  Statement live_{*database_, std::string(kOrderQuery) +
                                  "WHERE o.sale_id = ?1 AND user_id = ?2"
                                  " AND status IN ('queued', 'confirmed', 'paid')"};
  Statement fence_epoch_{*database_,
                         "SELECT fence_epoch FROM product_stock WHERE sale_id = ?1 AND lane = ?2"};
  Statement lane_{
      *database_,
      "SELECT fence_epoch, stock, limit_per_order, state, starts_at_ms, ends_at_ms, revision"
      " FROM product_stock JOIN sales USING (sale_id) WHERE sale_id = ?1 AND lane = ?2"};
  Statement raise_fence_{*database_,
                         "UPDATE product_stock SET fence_epoch = ?3"
                         " WHERE sale_id = ?1 AND lane = ?2"};
  Statement winners_{*database_,
                     "SELECT user_id, order_id, status, quantity FROM orders"
                     " WHERE sale_id = ?1 AND lane = ?2"
                     " AND status IN ('queued', 'confirmed', 'paid') ORDER BY user_id"};
  Statement position_{*database_,
                      "SELECT next FROM queue_offsets WHERE topic = ?1 AND partition = ?2"};
  Statement applied_through_{*database_,
                             "SELECT count(*), min(log_time_ms) FROM queue_offsets"
                             " WHERE topic = ?1 AND partition BETWEEN 0 AND ?2 - 1"};
  Statement audit_{*database_,
                   "WITH kept AS (SELECT quantity, reason,"
                   "  status IN ('queued', 'confirmed', 'paid') AS live"
                   "  FROM orders WHERE sale_id = ?1)"
                   " SELECT initial_stock,"
                   "  (SELECT sum(stock) FROM product_stock WHERE sale_id = ?1),"
                   "  total(quantity) FILTER (WHERE live), count(*) FILTER (WHERE live),"
                   "  count(*) FILTER (WHERE reason = 'stock'),"
                   "  count(*) FILTER (WHERE reason = 'duplicate')"
                   " FROM sales LEFT JOIN kept WHERE sale_id = ?1 GROUP BY sale_id"};
};

}  // namespace

std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Database> database) {
  return std::make_unique<OrderStoreImpl>(std::move(database));
}

}  // namespace sluice::sqlite
