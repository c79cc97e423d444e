#include <utility>

#include "sluice/base/failpoint.hpp"
#include "sluice/orders/apply_check.hpp"

#include "adapters/sqlite/apply.hpp"
#include "adapters/sqlite/rows.hpp"
#include "adapters/sqlite/stores.hpp"

namespace sluice::sqlite {
namespace {

/// What `head_of` reads, in its order, at the beginning of a row.
constexpr std::string_view kHeadQuery =
    "SELECT fence_epoch, newest_epoch, store_epoch, suspect_epoch";

/// The most users of one look at their lane_snapshot.
constexpr std::size_t kStandingMax = 1'024;

LaneHead head_of(const Statement::Run& row) {
  LaneHead head;
  head.fence = static_cast<Epoch>(row.integer(0));
  head.newest = static_cast<Epoch>(row.integer(1));
  head.by_store = static_cast<Epoch>(row.integer(2));
  head.suspect = static_cast<Epoch>(row.integer(3));
  return head;
}

/// Id, status and quantity from column `first` on.
OrderView view_of(const Statement::Run& row, int first) {
  OrderView view;
  view.id = row.order_id(first);
  view.status = status_of(row.text(first + 1));
  view.quantity = static_cast<std::uint32_t>(row.integer(first + 2));
  return view;
}

class OrderStoreImpl final : public OrderStore {
 public:
  explicit OrderStoreImpl(std::shared_ptr<Database> database) : database_(std::move(database)) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    // The one step of embedded mode at which dying in the middle shows.
    failpoint("sqlite.apply");
    const auto work = [&] {
      return apply_.run(messages, range);
    };
    auto outcomes = database_->answer(deadline, work);
    failpoint("sqlite.apply.done");
    co_return outcomes;
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

  Task<LaneHead> head(Ticks deadline, LaneId lane) override {
    const auto work = [&]() -> Result<LaneHead> {
      auto row = head_.run(lane.sale, lane.index);
      if (!row.next()) return Errc::not_found;
      return head_of(row);
    };
    co_return database_->answer(deadline, work);
  }

  Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority) override {
    const auto work = [&] {
      return next_epoch_now(lane, authority);
    };
    co_return database_->answer(deadline, work);
  }

  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen) override {
    const auto work = [&]() -> Result<void> {
      Transaction transaction(*database_);
      if (seen) {
        auto row = head_.run(fence.lane.sale, fence.lane.index);
        if (!row.next() || head_of(row).fence != *seen) return Errc::stale;
      }
      apply_.raise(fence);
      transaction.commit();
      return {};
    };
    co_return database_->answer(deadline, work);
  }

  Task<> suspect(Ticks deadline, LaneId lane) override {
    const auto work = [&]() -> Result<void> {
      Transaction transaction(*database_);
      if (suspect_.change(lane.sale, lane.index) == 0) return Errc::not_found;
      transaction.commit();
      return {};
    };
    co_return database_->answer(deadline, work);
  }

  Task<LaneImage> image(Ticks deadline, LaneId lane) override {
    const auto work = [&] {
      return image_now(lane);
    };
    co_return database_->answer(deadline, work);
  }

  Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) override {
    const auto work = [&] {
      return lane_snapshot_now(lane, users);
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

  Task<LogProgress> progress(Ticks deadline, std::string topic, std::int32_t partitions) override {
    const auto work = [&]() -> Result<LogProgress> {
      LogProgress progress;
      auto row = progress_.run(topic, partitions);
      if (!row.next()) return progress;
      progress.applied = row.integer(2);
      if (partitions > 0 && row.integer(0) == partitions)
        progress.through = from_ms(row.integer(1));
      return progress;
    };
    co_return database_->answer(deadline, work);
  }

  Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) override {
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

  Result<Epoch> next_epoch_now(LaneId lane, Authority authority) {
    Transaction transaction(*database_);
    Epoch epoch = 0;
    {
      auto row = head_.run(lane.sale, lane.index);
      if (!row.next()) return Errc::not_found;
      epoch = head_of(row).newest + 1;
    }
    if (epoch > kEpochMax) return Errc::overloaded;
    next_epoch_.change(lane.sale, lane.index, epoch, authority == Authority::store);
    transaction.commit();
    return epoch;
  }

  /// What both views of a lane say of it; in one transaction with what follows.
  template <class View>
  bool read_lane(LaneId lane, View& view, LaneHead& head) {
    auto row = lane_.run(lane.sale, lane.index);
    if (!row.next()) return false;
    head = head_of(row);
    view.stock = row.integer(4);
    view.window.state = parse_sale_state(row.text(6)).value_or(SaleState::closed);
    view.window.starts_at = from_ms(row.integer(7));
    view.window.ends_at = from_ms(row.integer(8));
    view.window.revision = static_cast<std::uint32_t>(row.integer(9));
    if constexpr (requires { view.limit_per_order; }) {
      view.limit_per_order = static_cast<std::uint32_t>(row.integer(5));
    }
    if constexpr (requires { view.returned; }) {
      view.returned = static_cast<std::uint64_t>(row.integer(10));
    }
    return true;
  }

  Result<LaneImage> image_now(LaneId lane) {
    Transaction transaction(*database_);
    LaneImage image;
    LaneHead head;
    image.lane = lane;
    if (!read_lane(lane, image, head)) return Errc::not_found;
    image.epoch = head.fence;
    auto rows = winners_.run(lane.sale, lane.index);
    while (rows.next()) image.winners.emplace_back(user_of(rows.text(0)), view_of(rows, 1));
    return image;
  }

  Result<LaneSnapshot> lane_snapshot_now(LaneId lane, In<UserId> users) {
    if (users.size() > kStandingMax) return Errc::overloaded;
    Transaction transaction(*database_);
    LaneSnapshot lane_snapshot;
    if (!read_lane(lane, lane_snapshot, lane_snapshot.head)) return Errc::not_found;
    const auto now = database_->clock().now();
    const auto& window = lane_snapshot.window;
    lane_snapshot.open =
        window.state == SaleState::open && now >= window.starts_at && now < window.ends_at;
    lane_snapshot.orders.reserve(users.size());
    for (const auto& user : users) {
      auto row = standing_.run(lane.sale, user.text());
      lane_snapshot.orders.emplace_back();
      if (row.next()) lane_snapshot.orders.back() = view_of(row, 0);
    }
    return lane_snapshot;
  }

  Result<std::vector<LaneFigures>> audit_now(SaleId sale) {
    std::vector<LaneFigures> lanes;
    auto rows = audit_.run(sale);
    while (rows.next()) {
      LaneFigures figures;
      figures.head = head_of(rows);
      figures.lane = {sale, static_cast<std::uint32_t>(rows.integer(4))};
      figures.stock = rows.integer(5);
      figures.initial = lane_stock(rows.integer(6), static_cast<std::uint32_t>(rows.integer(7)),
                                   figures.lane.index);
      figures.live_units = rows.integer(8);
      figures.live_orders = rows.integer(9);
      figures.rejected_stock = rows.integer(10);
      figures.rejected_duplicate = rows.integer(11);
      figures.returning = rows.integer(12);
      lanes.push_back(figures);
    }
    return lanes;
  }

  std::shared_ptr<Database> database_;
  Apply apply_{*database_};
  Statement find_{*database_, std::string(kOrderQuery) +
                                  "WHERE order_id = ?1 AND o.sale_id = ?2 AND user_id = ?3"};
  Statement live_{*database_, std::string(kOrderQuery) +
                                  "WHERE o.sale_id = ?1 AND user_id = ?2"
                                  " AND status IN ('queued', 'confirmed', 'paid')"};
  Statement head_{*database_,
                  std::string(kHeadQuery) + " FROM product_stock WHERE sale_id = ?1 AND lane = ?2"};
  Statement lane_{*database_, std::string(kHeadQuery) +
                                  ", product_stock.stock, limit_per_order, state, starts_at_ms,"
                                  " ends_at_ms, revision, returned FROM product_stock JOIN sales"
                                  " USING (sale_id) WHERE sale_id = ?1 AND lane = ?2"};
  Statement next_epoch_{*database_,
                        "UPDATE product_stock SET newest_epoch = ?3,"
                        " store_epoch = CASE WHEN ?4 THEN ?3 ELSE store_epoch END"
                        " WHERE sale_id = ?1 AND lane = ?2"};
  Statement suspect_{*database_,
                     "UPDATE product_stock SET suspect_epoch = fence_epoch"
                     " WHERE sale_id = ?1 AND lane = ?2"};
  Statement winners_{*database_,
                     "SELECT user_id, order_id, status, quantity FROM orders"
                     " WHERE sale_id = ?1 AND lane = ?2"
                     " AND status IN ('queued', 'confirmed', 'paid') ORDER BY user_id"};
  Statement standing_{*database_,
                      "SELECT order_id, status, quantity FROM orders WHERE sale_id = ?1"
                      " AND user_id = ?2 AND status IN ('queued', 'confirmed', 'paid')"};
  Statement position_{*database_,
                      "SELECT next FROM queue_offsets WHERE topic = ?1 AND partition = ?2"};
  Statement progress_{*database_,
                      "SELECT count(*), min(log_time_ms), total(next) FROM queue_offsets"
                      " WHERE topic = ?1 AND partition BETWEEN 0 AND ?2 - 1"};
  Statement audit_{*database_,
                   "WITH kept AS (SELECT lane, quantity, reason,"
                   "  status IN ('queued', 'confirmed', 'paid') AS live"
                   "  FROM orders WHERE sale_id = ?1)"
                   " SELECT fence_epoch, newest_epoch, store_epoch, suspect_epoch, k.lane, stock,"
                   "  initial_stock, lanes,"
                   "  total(quantity) FILTER (WHERE live), count(*) FILTER (WHERE live),"
                   "  count(*) FILTER (WHERE reason = 'stock'),"
                   "  count(*) FILTER (WHERE reason = 'duplicate'),"
                   "  (SELECT total(quantity) FROM outbox AS b"
                   "    WHERE b.sale_id = ?1 AND b.lane = k.lane)"
                   " FROM product_stock AS k JOIN sales USING (sale_id)"
                   " LEFT JOIN kept ON kept.lane = k.lane"
                   " WHERE sale_id = ?1 GROUP BY k.lane ORDER BY k.lane"};
};

}  // namespace

std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Database> database) {
  return std::make_unique<OrderStoreImpl>(std::move(database));
}

}  // namespace sluice::sqlite
