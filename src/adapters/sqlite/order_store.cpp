#include <utility>

#include "sluice/orders/apply_check.hpp"

#include "adapters/sqlite/apply.hpp"
#include "adapters/sqlite/client.hpp"
#include "adapters/sqlite/rows.hpp"

namespace sluice::sqlite {
namespace {

constexpr Step kImage{"image", Step::Weight::bulk};
constexpr Step kAudit{"audit", Step::Weight::bulk};

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

struct OrderStatements {
  Connection& c;
  Statement find{
      c, std::string(kOrderQuery) + "WHERE order_id = ?1 AND o.sale_id = ?2 AND user_id = ?3"};
  Statement live{c, std::string(kOrderQuery) +
                        "WHERE o.sale_id = ?1 AND user_id = ?2"
                        " AND status IN ('queued', 'confirmed', 'paid')"};
  Statement head{c,
                 std::string(kHeadQuery) + " FROM product_stock WHERE sale_id = ?1 AND lane = ?2"};
  Statement lane{c, std::string(kHeadQuery) +
                        ", product_stock.stock, limit_per_order, state, starts_at_ms,"
                        " ends_at_ms, revision, returned FROM product_stock JOIN sales"
                        " USING (sale_id) WHERE sale_id = ?1 AND lane = ?2"};
  Statement next_epoch{c,
                       "UPDATE product_stock SET newest_epoch = ?3,"
                       " store_epoch = CASE WHEN ?4 THEN ?3 ELSE store_epoch END"
                       " WHERE sale_id = ?1 AND lane = ?2"};
  Statement suspect{c,
                    "UPDATE product_stock SET suspect_epoch = fence_epoch"
                    " WHERE sale_id = ?1 AND lane = ?2"};
  Statement winners{c,
                    "SELECT user_id, order_id, status, quantity FROM orders"
                    " WHERE sale_id = ?1 AND lane = ?2"
                    " AND status IN ('queued', 'confirmed', 'paid') ORDER BY user_id"};
  Statement standing{c,
                     "SELECT order_id, status, quantity FROM orders WHERE sale_id = ?1"
                     " AND user_id = ?2 AND status IN ('queued', 'confirmed', 'paid')"};
  Statement position{c, "SELECT next FROM queue_offsets WHERE topic = ?1 AND partition = ?2"};
  Statement progress{c,
                     "SELECT count(*), min(log_time_ms), total(next) FROM queue_offsets"
                     " WHERE topic = ?1 AND partition BETWEEN 0 AND ?2 - 1"};
  Statement audit{c,
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

using MaybeOrders = std::vector<std::optional<Order>>;

Result<MaybeOrders> find_orders(Connection& connection, In<OrderKey> keys) {
  if (keys.size() > kMessagesMax) return Errc::overloaded;
  auto& statements = connection.prepared<OrderStatements>();
  MaybeOrders orders;
  orders.reserve(keys.size());
  for (const auto& key : keys) {
    auto row = statements.find.run(key.id, key.sale, key.user.text());
    orders.emplace_back();
    if (row.next()) orders.back() = order_of(row);
  }
  return orders;
}

Result<LaneHead> read_head(Connection& connection, LaneId lane) {
  auto row = connection.prepared<OrderStatements>().head.run(lane.sale, lane.index);
  if (!row.next()) return Errc::not_found;
  return head_of(row);
}

Result<Epoch> allot_epoch(Connection& connection, LaneId lane, Authority authority) {
  Transaction transaction(connection);
  const auto head = read_head(connection, lane);
  if (!head) return head.error();
  const Epoch epoch = head->newest + 1;
  if (epoch > kEpochMax) return Errc::overloaded;
  auto& statements = connection.prepared<OrderStatements>();
  statements.next_epoch.change(lane.sale, lane.index, epoch, authority == Authority::store);
  transaction.commit();
  return epoch;
}

/// What both views of a lane say of it; in one transaction with what follows.
template <class View>
bool read_lane(Connection& connection, LaneId lane, View& view, LaneHead& head) {
  auto row = connection.prepared<OrderStatements>().lane.run(lane.sale, lane.index);
  if (!row.next()) return false;
  head = head_of(row);
  view.stock = row.integer(4);
  view.window.state = parse_name<SaleState>(row.text(6)).value_or(SaleState::closed);
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

Result<LaneImage> read_image(Connection& connection, LaneId lane) {
  Transaction transaction(connection, Transaction::Kind::read);
  LaneImage image;
  LaneHead head;
  image.lane = lane;
  if (!read_lane(connection, lane, image, head)) return Errc::not_found;
  image.epoch = head.fence;
  auto rows = connection.prepared<OrderStatements>().winners.run(lane.sale, lane.index);
  while (rows.next()) image.winners.emplace_back(user_of(rows.text(0)), view_of(rows, 1));
  return image;
}

Result<LaneSnapshot> read_snapshot(Connection& connection, LaneId lane, In<UserId> users) {
  if (users.size() > kStandingMax) return Errc::overloaded;
  Transaction transaction(connection, Transaction::Kind::read);
  LaneSnapshot snapshot;
  if (!read_lane(connection, lane, snapshot, snapshot.head)) return Errc::not_found;
  const auto now = connection.clock().now();
  const auto& window = snapshot.window;
  snapshot.open =
      window.state == SaleState::open && now >= window.starts_at && now < window.ends_at;
  snapshot.orders.reserve(users.size());
  for (const auto& user : users) {
    auto row = connection.prepared<OrderStatements>().standing.run(lane.sale, user.text());
    snapshot.orders.emplace_back();
    if (row.next()) snapshot.orders.back() = view_of(row, 0);
  }
  return snapshot;
}

Result<std::vector<LaneFigures>> read_figures(Connection& connection, SaleId sale) {
  std::vector<LaneFigures> lanes;
  auto rows = connection.prepared<OrderStatements>().audit.run(sale);
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

class SqliteOrderStore final : public OrderStore {
 public:
  explicit SqliteOrderStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    if (!range) return client_->apply(deadline, messages);
    const auto work = [copy = copy_of(messages), range = std::move(range)](Connection& connection) {
      return connection.prepared<Apply>().run(copy, range);
    };
    return client_->write<std::vector<Outcome>>({"apply"}, deadline, work);
  }

  Task<MaybeOrders> find(Ticks deadline, In<OrderKey> keys) override {
    const auto work = [copy = copy_of(keys)](Connection& connection) {
      return find_orders(connection, copy);
    };
    return client_->write<MaybeOrders>({"find"}, deadline, work);
  }

  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override {
    const auto work = [sale, user](Connection& connection) -> Result<std::optional<Order>> {
      std::optional<Order> order;
      auto row = connection.prepared<OrderStatements>().live.run(sale, user.text());
      if (row.next()) order = order_of(row);
      return order;
    };
    return client_->write<std::optional<Order>>({"find_live"}, deadline, work);
  }

  Task<LaneHead> head(Ticks deadline, LaneId lane) override {
    const auto work = [lane](Connection& connection) { return read_head(connection, lane); };
    return client_->write<LaneHead>({"head"}, deadline, work);
  }

  Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority) override {
    const auto work = [lane, authority](Connection& connection) {
      return allot_epoch(connection, lane, authority);
    };
    return client_->write<Epoch>({"next_epoch"}, deadline, work);
  }

  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen) override {
    const auto work = [fence, seen](Connection& connection) -> Result<void> {
      Transaction transaction(connection);
      if (seen) {
        const auto head = read_head(connection, fence.lane);
        if (!head || head->fence != *seen) return Errc::stale;
      }
      connection.prepared<Apply>().raise(fence);
      transaction.commit();
      return {};
    };
    return client_->write<void>({"raise_fence"}, deadline, work);
  }

  Task<> suspect(Ticks deadline, LaneId lane) override {
    const auto work = [lane](Connection& connection) -> Result<void> {
      Transaction transaction(connection);
      auto& suspect = connection.prepared<OrderStatements>().suspect;
      if (suspect.change(lane.sale, lane.index) == 0) return Errc::not_found;
      transaction.commit();
      return {};
    };
    return client_->write<void>({"suspect"}, deadline, work);
  }

  Task<LaneImage> image(Ticks deadline, LaneId lane) override {
    const auto work = [lane](Connection& connection) { return read_image(connection, lane); };
    return client_->read<LaneImage>(kImage, deadline, work);
  }

  Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) override {
    const auto work = [lane, copy = copy_of(users)](Connection& connection) {
      return read_snapshot(connection, lane, copy);
    };
    return client_->write<LaneSnapshot>({"lane_snapshot"}, deadline, work);
  }

  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override {
    const auto work = [=](Connection& connection) -> Result<std::int64_t> {
      auto row = connection.prepared<OrderStatements>().position.run(topic, partition);
      return row.next() ? row.integer(0) : 0;
    };
    return client_->write<std::int64_t>({"position"}, deadline, work);
  }

  Task<LogProgress> progress(Ticks deadline, std::string topic, std::int32_t partitions) override {
    const auto work = [=](Connection& connection) -> Result<LogProgress> {
      LogProgress progress;
      auto row = connection.prepared<OrderStatements>().progress.run(topic, partitions);
      if (!row.next()) return progress;
      progress.applied = row.integer(2);
      if (partitions > 0 && row.integer(0) == partitions) {
        progress.through = from_ms(row.integer(1));
      }
      return progress;
    };
    return client_->write<LogProgress>({"progress"}, deadline, work);
  }

  Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) override {
    const auto work = [sale](Connection& connection) { return read_figures(connection, sale); };
    return client_->read<std::vector<LaneFigures>>(kAudit, deadline, work);
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Client> client) {
  return std::make_unique<SqliteOrderStore>(std::move(client));
}

}  // namespace sluice::sqlite
