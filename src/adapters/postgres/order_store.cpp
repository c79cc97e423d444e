#include <string>
#include <utility>
#include <vector>

#include "adapters/postgres/store_parts.hpp"

namespace sluice::postgres {
namespace {

constexpr std::size_t kMessagesMax = 4096;
constexpr int kCollisionsMax = 5;

#define SLUICE_ORDER_COLUMNS                                                            \
  "o.order_id, o.sale_id, o.lane::integer, o.user_id, o.quantity, o.status, o.reason, " \
  "o.unit_price_minor, o.currency, o.reserved_at"

constexpr Statement kApply{
    "apply",
    "SELECT status, reason FROM sluice_apply($1::uuid[], $2::bigint[], $3::integer[], "
    "$4::integer[], $5::text[], $6::integer[], $7::timestamptz[], $8::text, $9::integer, "
    "$10::bigint, $11::bigint, $12::timestamptz)"};

constexpr Statement kFind{"find",
                          "SELECT k.place, " SLUICE_ORDER_COLUMNS
                          "  FROM unnest($1::uuid[], $2::bigint[], $3::text[]) WITH ORDINALITY"
                          "         AS k (order_id, sale_id, user_id, place)"
                          "  JOIN orders o ON o.order_id = k.order_id AND o.sale_id = k.sale_id"
                          "               AND o.user_id = k.user_id"};

constexpr Statement kFindLive{
    "find_live", "SELECT " SLUICE_ORDER_COLUMNS
                 "  FROM orders o WHERE o.sale_id = $1::bigint AND o.user_id = $2::text"
                 "   AND o.status IN ('confirmed', 'paid')"};

constexpr Statement kFenceEpoch{
    "fence_epoch",
    "SELECT fence_epoch FROM product_stock WHERE sale_id = $1::bigint AND lane = $2::integer"};

constexpr Statement kRaiseFence{
    "raise_fence",
    "UPDATE product_stock SET fence_epoch = fence_epoch + 1"
    " WHERE sale_id = $1::bigint AND lane = $2::integer AND fence_epoch < $3::integer"
    " RETURNING fence_epoch, stock"};

constexpr Statement kTerms{"terms",
                           "SELECT state, starts_at, ends_at, limit_per_order, revision FROM sales "
                           "WHERE sale_id = $1::bigint"};

constexpr Statement kWinners{
    "winners",
    "SELECT user_id, order_id, status, quantity FROM orders"
    " WHERE sale_id = $1::bigint AND lane = $2::integer AND status IN ('confirmed', 'paid')"};

constexpr Statement kPosition{
    "position",
    "SELECT next FROM queue_offsets WHERE topic = $1::text AND partition = $2::integer"};

constexpr Statement kAppliedThrough{"applied_through",
                                    "SELECT count(*), min(applied_through) FROM queue_offsets"
                                    " WHERE topic = $1::text AND partition < $2::integer"};

// One statement, hence one snapshot.
constexpr Statement kAudit{
    "audit",
    "SELECT k.initial, k.stock, l.units, l.orders, r.stock, r.duplicate"
    "  FROM (SELECT sum(initial)::bigint AS initial, sum(stock)::bigint AS stock"
    "          FROM product_stock WHERE sale_id = $1::bigint) k,"
    "       (SELECT coalesce(sum(quantity), 0)::bigint AS units, count(*) AS orders"
    "          FROM orders WHERE sale_id = $1::bigint AND status IN ('confirmed', 'paid')) l,"
    "       (SELECT count(*) FILTER (WHERE reason = 'stock') AS stock,"
    "               count(*) FILTER (WHERE reason = 'duplicate') AS duplicate"
    "          FROM orders WHERE sale_id = $1::bigint AND status = 'rejected') r"};

/// The order in the columns from `c` on; empty when a value is beyond this program's domain.
std::optional<Order> read_order(const Rows& rows, std::size_t row, int c) {
  const auto user = UserId::parse(rows.text(row, c + 3));
  const auto status = parse_order_status(rows.text(row, c + 5));
  const auto reason = parse_reject_reason(rows.text(row, c + 6));
  if (!user || !status || !reason) return std::nullopt;
  Order order;
  order.id = rows.uuid(row, c);
  order.lane = LaneId{rows.int8(row, c + 1), static_cast<std::uint32_t>(rows.int4(row, c + 2))};
  order.user = *user;
  order.quantity = static_cast<std::uint32_t>(rows.int4(row, c + 4));
  order.status = *status;
  order.reason = *reason;
  order.unit_price_minor = rows.int8(row, c + 7);
  order.currency = rows.text(row, c + 8);
  order.created_at = rows.time(row, c + 9);
  return order;
}

Params apply_params(In<OrderMessage> messages, const std::optional<OffsetRange>& range) {
  using M = const OrderMessage&;
  Params params;
  params.uuids(messages, [](M m) { return m.id; })
      .int8s(messages, [](M m) { return m.lane.sale; })
      .int4s(messages, [](M m) { return to_int4(m.lane.index); })
      .int4s(messages, [](M m) { return to_int4(m.epoch); })
      .texts(messages, [](M m) { return std::string_view(m.user.text()); })
      .int4s(messages, [](M m) { return to_int4(m.quantity); })
      .times(messages, [](M m) { return m.reserved_at; });
  if (range) {
    params.text(range->topic).int4(range->partition).int8(range->begin).int8(range->next);
    params.time(range->log_time);
  } else {
    params.null().null().null().null().null();
  }
  return params;
}

bool valid(const OffsetRange& range) {
  return !range.topic.empty() && range.partition >= 0 && range.begin >= 0 &&
         range.next >= range.begin;
}

Params lane_params(LaneId lane) {
  Params params;
  params.int8(lane.sale).int4(to_int4(lane.index));
  return params;
}

class PostgresOrderStore final : public OrderStore {
 public:
  explicit PostgresOrderStore(std::shared_ptr<Connection> connection)
      : connection_(std::move(connection)) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    co_return apply_now(deadline, messages, range);
  }

  Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) override {
    co_return find_now(deadline, keys);
  }

  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override {
    co_return find_live_now(deadline, sale, user);
  }

  Task<Epoch> fence_epoch(Ticks deadline, LaneId lane) override {
    co_return fence_epoch_now(deadline, lane);
  }

  Task<LaneImage> fence(Ticks deadline, LaneId lane) override {
    co_return fence_now(deadline, lane);
  }

  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override {
    co_return position_now(deadline, topic, partition);
  }

  Task<std::optional<TimePoint>> applied_through(Ticks deadline, std::string topic,
                                                 std::int32_t partitions) override {
    co_return applied_through_now(deadline, topic, partitions);
  }

  Task<AuditFigures> audit(Ticks deadline, SaleId sale) override {
    co_return audit_now(deadline, sale);
  }

 private:
  Result<std::vector<Outcome>> apply_now(Ticks deadline, In<OrderMessage> messages,
                                         const std::optional<OffsetRange>& range) {
    if (messages.size() > kMessagesMax) return Errc::overloaded;
    if (range && !valid(*range)) return Errc::invalid;
    if (messages.empty() && !range) return std::vector<Outcome>();
    const auto params = apply_params(messages, range);
    auto rows = connection_->run(deadline, kApply, params);
    // Two batches with the same orders under different lanes may block each other: one is rolled
    // back.
    for (int i = 0; i < kCollisionsMax && rows.has_error() && connection_->collided(); ++i) {
      rows = connection_->run(deadline, kApply, params);
    }
    if (rows.has_error()) return rows.error();
    // The batch is committed: an answer that cannot be read leaves its outcome unknown.
    if (rows->size() != messages.size()) return Errc::unknown;
    std::vector<Outcome> outcomes;
    outcomes.reserve(messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const auto status = parse_order_status(rows->text(i, 0));
      const auto reason = parse_reject_reason(rows->text(i, 1));
      if (!status || !reason) return Errc::unknown;
      outcomes.push_back(Outcome{messages[i].id, *status, *reason});
    }
    return outcomes;
  }

  Result<std::vector<std::optional<Order>>> find_now(Ticks deadline, In<OrderKey> keys) {
    if (keys.size() > kMessagesMax) return Errc::overloaded;
    std::vector<std::optional<Order>> orders(keys.size());
    if (keys.empty()) return orders;
    Params params;
    params.uuids(keys, [](const OrderKey& k) { return k.id; })
        .int8s(keys, [](const OrderKey& k) { return k.sale; })
        .texts(keys, [](const OrderKey& k) { return std::string_view(k.user.text()); });
    const auto rows = connection_->run(deadline, kFind, params);
    if (rows.has_error()) return rows.error();
    for (std::size_t i = 0; i < rows->size(); ++i) {
      auto order = read_order(*rows, i, 1);
      if (!order) return Errc::invalid;
      orders.at(static_cast<std::size_t>(rows->int8(i, 0) - 1)) = std::move(order);
    }
    return orders;
  }

  Result<std::optional<Order>> find_live_now(Ticks deadline, SaleId sale, const UserId& user) {
    Params params;
    params.int8(sale).text(user.text());
    const auto rows = connection_->run(deadline, kFindLive, params);
    if (rows.has_error()) return rows.error();
    if (rows->size() == 0) return std::optional<Order>();
    auto order = read_order(*rows, 0, 0);
    if (!order) return Errc::invalid;
    return order;
  }

  Result<Epoch> fence_epoch_now(Ticks deadline, LaneId lane) {
    const auto rows = connection_->run(deadline, kFenceEpoch, lane_params(lane));
    if (rows.has_error()) return rows.error();
    if (rows->size() == 0) return Errc::not_found;
    return static_cast<Epoch>(rows->int4(0, 0));
  }

  Result<LaneImage> fence_now(Ticks deadline, LaneId lane) {
    LaneImage image;
    image.lane = lane;
    const auto done = connection_->transaction(deadline, [&] {
      // The lock on the lane's row, held to the end, keeps every `apply` out.
      auto step = raise_fence(deadline, image);
      if (step.has_value()) step = read_terms(deadline, image);
      if (step.has_value()) step = read_winners(deadline, image);
      return step;
    });
    if (done.has_error()) return done.error();
    return image;
  }

  Result<void> raise_fence(Ticks deadline, LaneImage& image) {
    auto params = lane_params(image.lane);
    params.int4(to_int4(kEpochMax));
    const auto rows = connection_->run(deadline, kRaiseFence, params);
    if (rows.has_error()) return rows.error();
    if (rows->size() == 0) {
      const auto present = fence_epoch_now(deadline, image.lane);
      return present.has_error() ? present.error() : make_error_code(Errc::overloaded);
    }
    image.epoch = static_cast<Epoch>(rows->int4(0, 0));
    image.stock = rows->int8(0, 1);
    return {};
  }

  Result<void> read_terms(Ticks deadline, LaneImage& image) {
    Params params;
    params.int8(image.lane.sale);
    const auto rows = connection_->run(deadline, kTerms, params);
    if (rows.has_error()) return rows.error();
    if (rows->size() == 0) return Errc::not_found;
    const auto state = parse_sale_state(rows->text(0, 0));
    if (!state) return Errc::invalid;
    image.window = LaneWindow{*state, rows->time(0, 1), rows->time(0, 2),
                              static_cast<std::uint32_t>(rows->int4(0, 4))};
    image.limit_per_order = static_cast<std::uint32_t>(rows->int4(0, 3));
    return {};
  }

  Result<void> read_winners(Ticks deadline, LaneImage& image) {
    const auto rows = connection_->run(deadline, kWinners, lane_params(image.lane));
    if (rows.has_error()) return rows.error();
    image.winners.reserve(rows->size());
    for (std::size_t i = 0; i < rows->size(); ++i) {
      const auto user = UserId::parse(rows->text(i, 0));
      const auto status = parse_order_status(rows->text(i, 2));
      if (!user || !status) return Errc::invalid;
      const auto quantity = static_cast<std::uint32_t>(rows->int4(i, 3));
      image.winners.emplace_back(*user, OrderView{rows->uuid(i, 1), *status, quantity});
    }
    return {};
  }

  Result<std::int64_t> position_now(Ticks deadline, const std::string& topic,
                                    std::int32_t partition) {
    Params params;
    params.text(topic).int4(partition);
    const auto rows = connection_->run(deadline, kPosition, params);
    if (rows.has_error()) return rows.error();
    return rows->size() == 0 ? std::int64_t{0} : rows->int8(0, 0);
  }

  Result<std::optional<TimePoint>> applied_through_now(Ticks deadline, const std::string& topic,
                                                       std::int32_t partitions) {
    Params params;
    params.text(topic).int4(partitions);
    const auto rows = connection_->run(deadline, kAppliedThrough, params);
    if (rows.has_error()) return rows.error();
    if (partitions < 1 || rows->int8(0, 0) != partitions) return std::optional<TimePoint>();
    return std::optional<TimePoint>(rows->time(0, 1));
  }

  Result<AuditFigures> audit_now(Ticks deadline, SaleId sale) {
    Params params;
    params.int8(sale);
    const auto rows = connection_->run(deadline, kAudit, params);
    if (rows.has_error()) return rows.error();
    if (rows->null(0, 0)) return Errc::not_found;
    AuditFigures figures;
    figures.initial = rows->int8(0, 0);
    figures.stock = rows->int8(0, 1);
    figures.live_units = rows->int8(0, 2);
    figures.live_orders = rows->int8(0, 3);
    figures.rejected_stock = rows->int8(0, 4);
    figures.rejected_duplicate = rows->int8(0, 5);
    return figures;
  }

  std::shared_ptr<Connection> connection_;
};

}  // namespace

std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Connection> connection) {
  return std::make_unique<PostgresOrderStore>(std::move(connection));
}

}  // namespace sluice::postgres
