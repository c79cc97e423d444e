#include "sluice/orders/order_store.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "adapters/sqlite/apply.hpp"
#include "adapters/sqlite/client.hpp"
#include "adapters/sqlite/image.hpp"

namespace sluice::sqlite {
namespace {

using MaybeOrders = std::vector<std::optional<Order>>;

/// The most users of one look at their lane's snapshot.
constexpr std::size_t kUsersMax = 1'024;

// As `kOrderQuery`, of late orders.
const std::string kLateQuery =
    "SELECT order_id, l.sale_id, lane, user_id, quantity,"
    " CASE reason WHEN 'none' THEN 'queued' ELSE 'rejected' END, reason, unit_price_minor,"
    " currency, reserved_at_ms, NULL FROM late_orders AS l JOIN sales USING (sale_id) ";

const std::string kHeadColumns =
    " fence_epoch, newest_epoch, store_epoch, suspect_epoch,"
    " EXISTS (SELECT 1 FROM late_orders AS l WHERE l.sale_id = product_stock.sale_id"
    " AND l.reason = 'none')";
const std::string kHead = "SELECT" + kHeadColumns;

/// What is read of orders and lanes, and the epochs.
struct Orders {
  Connection& c;
  Statement find_{c, kOrderByKey};
  Statement late_{c, kLateQuery + "WHERE order_id = ?1 AND l.sale_id = ?2 AND user_id = ?3"};
  Statement late_of_user_{c, kLateQuery +
                                 "WHERE l.sale_id = ?1 AND user_id = ?2"
                                 " AND reason = 'none' AND quantity > 0 LIMIT 1"};
  Statement live_{c, kOrderQuery +
                         "WHERE o.sale_id = ?1 AND user_id = ?2"
                         " AND status IN ('queued', 'confirmed', 'paid')"};
  Statement head_{c, kHead + " FROM product_stock WHERE sale_id = ?1 AND lane = ?2"};
  Statement heads_{
      c, "SELECT sale_id, lane," + kHeadColumns + " FROM product_stock WHERE sale_id = ?1"};
  Statement unopened_{c,
                      "SELECT newest_epoch FROM product_stock WHERE sale_id = ?1 AND lane = ?2"
                      " AND unopened_epoch > 0 AND unopened_epoch = newest_epoch"
                      " AND (store_epoch = newest_epoch) = ?3"};
  Statement next_epoch_{c,
                        "UPDATE product_stock SET newest_epoch = ?3,"
                        " store_epoch = CASE WHEN ?4 THEN ?3 ELSE store_epoch END,"
                        " unopened_epoch = CASE WHEN ?5 THEN ?3 ELSE unopened_epoch END"
                        " WHERE sale_id = ?1 AND lane = ?2"};
  Statement begin_opening_{c,
                           "UPDATE product_stock SET unopened_epoch = 0 WHERE sale_id = ?1"
                           " AND lane = ?2 AND fence_epoch = ?3 AND newest_epoch = ?3"
                           " AND unopened_epoch = ?3 AND ?3 > 0"};
  Statement winners_after_{c,
                           "SELECT user_id FROM orders"
                           " WHERE sale_id = ?1 AND lane = ?2 AND user_id > ?3"
                           " AND status IN ('queued', 'confirmed', 'paid')"
                           " ORDER BY user_id LIMIT ?4"};
  Statement snapshot_{c, kHead +
                             ", product_stock.stock, state, starts_at_ms, ends_at_ms, revision,"
                             " state = 'open' AND ?3 >= starts_at_ms AND ?3 < ends_at_ms, returned"
                             " FROM product_stock JOIN sales USING (sale_id)"
                             " WHERE sale_id = ?1 AND lane = ?2"};
  Statement standing_{c,
                      "SELECT order_id, status, quantity FROM orders WHERE sale_id = ?1"
                      " AND user_id = ?2 AND status IN ('queued', 'confirmed', 'paid')"};
  Statement progress_{c,
                      "SELECT total(next), CASE WHEN count(*) = ?2 THEN min(log_time_ms) END"
                      " FROM queue_offsets WHERE topic = ?1 AND partition BETWEEN 0 AND ?2 - 1"};
  // A lane began with what `lane_stock` gave it.
  Statement audit_{c,
                   "WITH kept AS (SELECT lane, quantity, reason,"
                   "  status IN ('queued', 'confirmed', 'paid') AS live"
                   "  FROM orders WHERE sale_id = ?1)"
                   " SELECT sale_id, k.lane, fence_epoch, newest_epoch, store_epoch,"
                   "  suspect_epoch, EXISTS (SELECT 1 FROM late_orders AS l"
                   "   WHERE l.sale_id = ?1 AND l.reason = 'none'), initial_stock / lanes + "
                   "(k.lane < initial_stock % lanes),"
                   "  stock, total(quantity) FILTER (WHERE live), count(*) FILTER (WHERE live),"
                   "  count(*) FILTER (WHERE reason = 'stock'),"
                   "  count(*) FILTER (WHERE reason = 'duplicate'),"
                   "  (SELECT total(quantity) FROM outbox AS b"
                   "    WHERE b.sale_id = ?1 AND b.lane = k.lane)"
                   " FROM product_stock AS k JOIN sales USING (sale_id)"
                   " LEFT JOIN kept ON kept.lane = k.lane"
                   " WHERE sale_id = ?1 GROUP BY k.lane ORDER BY k.lane"};

  Result<MaybeOrders> find(In<OrderKey> keys) {
    if (keys.size() > kMessagesMax) return Errc::overloaded;
    MaybeOrders orders;
    orders.reserve(keys.size());
    for (const auto& [id, sale, user] : keys) {
      auto order = find_.first<Order>(id, sale, user);
      orders.push_back(order ? std::move(order) : late_.first<Order>(id, sale, user));
    }
    return orders;
  }

  Result<std::optional<Order>> find_live(SaleId sale, const UserId& user) {
    auto order = live_.first<Order>(sale, user);
    return order ? std::move(order) : late_of_user_.first<Order>(sale, user);
  }

  Result<LaneHead> head(LaneId lane) {
    const auto head = head_.first<LaneHead>(lane);
    if (!head) return Errc::not_found;
    return *head;
  }

  Result<std::vector<std::pair<LaneId, LaneHead>>> heads(In<SaleId> sales) {
    if (sales.size() > kSalesMax) return Errc::overloaded;
    const Transaction transaction(c, Transaction::Kind::read);
    std::vector<std::pair<LaneId, LaneHead>> heads;
    for (const auto sale : sales) {
      std::ranges::move(heads_.all<std::pair<LaneId, LaneHead>>(sale), std::back_inserter(heads));
    }
    return heads;
  }

  Result<Epoch> next_epoch(LaneId lane, Authority authority, std::optional<Term> leader) {
    Transaction transaction(c);
    if (!c.prepared<Leader>().holds(leader)) return Errc::stale;
    if (leader) {
      const auto left = unopened_.first<Epoch>(lane, authority == Authority::store);
      if (left) return *left;
    }
    const auto present = head(lane);
    if (!present) return present.error();
    const Epoch epoch = present->newest + 1;
    if (epoch > kEpochMax) return Errc::overloaded;
    next_epoch_.change(lane, epoch, authority == Authority::store, leader.has_value());
    transaction.commit();
    return epoch;
  }

  Result<void> begin_opening(const Fence& fence, Term leader) {
    Transaction transaction(c);
    if (!c.prepared<Leader>().holds(leader)) return Errc::stale;
    if (begin_opening_.change(fence.lane, fence.epoch) != 1) return Errc::stale;
    transaction.commit();
    return {};
  }

  Result<std::vector<UserId>> winners(LaneId lane, const std::string& after, std::size_t max) {
    return winners_after_.all<UserId>(lane, after, static_cast<std::int64_t>(max));
  }

  Result<LaneSnapshot> lane_snapshot(LaneId lane, In<UserId> users) {
    if (users.size() > kUsersMax) return Errc::overloaded;
    const Transaction transaction(c, Transaction::Kind::read);
    auto snapshot = snapshot_.first<LaneSnapshot>(lane, c.clock().now());
    if (!snapshot) return Errc::not_found;
    for (const auto& user : users) {
      snapshot->orders.push_back(standing_.first<OrderView>(lane.sale, user));
    }
    return *std::move(snapshot);
  }

  Result<LogProgress> progress(const std::string& topic, std::int32_t partitions) {
    return progress_.first<LogProgress>(topic, partitions).value();
  }

  Result<std::vector<LaneFigures>> audit(SaleId sale) { return audit_.all<LaneFigures>(sale); }
};

class SqliteOrderStore final : public OrderStore {
 public:
  explicit SqliteOrderStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    if (!range) return client_->apply(deadline, messages);
    return client_->write("apply", deadline, &Apply::run, messages, range);
  }

  Task<MaybeOrders> find(Ticks deadline, In<OrderKey> keys) override {
    return client_->write("find", deadline, &Orders::find, keys);
  }

  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override {
    return client_->write("find_live", deadline, &Orders::find_live, sale, user);
  }

  Task<LaneHead> head(Ticks deadline, LaneId lane) override {
    return client_->write("head", deadline, &Orders::head, lane);
  }

  Task<std::vector<std::pair<LaneId, LaneHead>>> heads(Ticks deadline, In<SaleId> sales) override {
    return client_->write("heads", deadline, &Orders::heads, sales);
  }

  Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority,
                         std::optional<Term> leader) override {
    return client_->write("next_epoch", deadline, &Orders::next_epoch, lane, authority, leader);
  }

  Task<> begin_opening(Ticks deadline, Fence fence, Term leader) override {
    return client_->write("begin_opening", deadline, &Orders::begin_opening, fence, leader);
  }

  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen,
                     std::optional<Term> leader) override {
    return client_->write("raise_fence", deadline, &Apply::raise_fence, fence, seen, leader);
  }

  Task<> suspect(Ticks deadline, LaneId lane) override {
    return client_->write("suspect", deadline, &Apply::suspect, lane);
  }

  Task<StoredImage> image(Ticks deadline, LaneId lane) override {
    return read_image(client_, deadline, lane);
  }

  Task<std::vector<UserId>> winners(Ticks deadline, LaneId lane, std::string after,
                                    std::size_t max) override {
    return client_->read("winners", deadline, &Orders::winners, lane, after, max);
  }

  Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) override {
    return client_->write("lane_snapshot", deadline, &Orders::lane_snapshot, lane, users);
  }

  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override {
    return client_->write("position", deadline, &Apply::position, topic, partition);
  }

  Task<LogProgress> progress(Ticks deadline, std::string topic, std::int32_t partitions) override {
    return client_->write("progress", deadline, &Orders::progress, topic, partitions);
  }

  Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) override {
    return client_->read("audit", deadline, &Orders::audit, sale);
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Client> client) {
  return std::make_unique<SqliteOrderStore>(std::move(client));
}

}  // namespace sluice::sqlite
