#include <string>
#include <utility>
#include <vector>

#include "sluice/orders/apply_check.hpp"

#include "adapters/postgres/order_rows.hpp"
#include "adapters/postgres/order_statements.hpp"
#include "adapters/postgres/store_parts.hpp"

namespace sluice::postgres {
namespace {

constexpr std::size_t kUsersMax = 1024;
constexpr int kCollisionsMax = 5;

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
  using F = const Fence&;
  const auto fences = range ? In<Fence>(range->fences) : In<Fence>();
  params.int8s(fences, [](F f) { return f.lane.sale; })
      .int4s(fences, [](F f) { return to_int4(f.lane.index); })
      .int4s(fences, [](F f) { return to_int4(f.epoch); });
  return params;
}

LaneHead read_head(const Rows& rows, std::size_t row, int c) {
  const auto epoch = [&](int column) {
    return static_cast<Epoch>(rows.int4(row, column));
  };
  return LaneHead{epoch(c), epoch(c + 1), epoch(c + 2), epoch(c + 3)};
}

/// The window in the columns state, start, end and revision from `c` on; empty when the state is
/// beyond this program's domain.
std::optional<LaneWindow> read_window(const Rows& rows, int c) {
  const auto state = parse_sale_state(rows.text(0, c));
  if (!state) return std::nullopt;
  return LaneWindow{*state, rows.time(0, c + 1), rows.time(0, c + 2),
                    static_cast<std::uint32_t>(rows.int4(0, c + 3))};
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

  Task<LaneHead> head(Ticks deadline, LaneId lane) override { co_return head_now(deadline, lane); }

  Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority) override {
    co_return next_epoch_now(deadline, lane, authority);
  }

  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen) override {
    co_return raise_fence_now(deadline, fence, seen);
  }

  Task<> suspect(Ticks deadline, LaneId lane) override { co_return suspect_now(deadline, lane); }

  Task<LaneImage> image(Ticks deadline, LaneId lane) override {
    co_return image_now(deadline, lane);
  }

  Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) override {
    co_return lane_snapshot_now(deadline, lane, users);
  }

  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override {
    co_return position_now(deadline, topic, partition);
  }

  Task<LogProgress> progress(Ticks deadline, std::string topic, std::int32_t partitions) override {
    co_return progress_now(deadline, topic, partitions);
  }

  Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) override {
    co_return audit_now(deadline, sale);
  }

 private:
  Result<std::vector<Outcome>> apply_now(Ticks deadline, In<OrderMessage> messages,
                                         const std::optional<OffsetRange>& range) {
    if (const auto wrong = check_apply(messages, range)) return *wrong;
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

  Result<LaneHead> head_now(Ticks deadline, LaneId lane) {
    const auto rows = connection_->run(deadline, kHead, lane_params(lane));
    if (rows.has_error()) return rows.error();
    if (rows->size() == 0) return Errc::not_found;
    return read_head(*rows, 0, 0);
  }

  Result<Epoch> next_epoch_now(Ticks deadline, LaneId lane, Authority authority) {
    auto params = lane_params(lane);
    params.boolean(authority == Authority::store).int4(to_int4(kEpochMax));
    const auto rows = connection_->run(deadline, kNextEpoch, params);
    if (rows.has_error()) return rows.error();
    if (rows->size() == 1) return static_cast<Epoch>(rows->int4(0, 0));
    const auto present = head_now(deadline, lane);
    return present.has_error() ? present.error() : make_error_code(Errc::overloaded);
  }

  Result<void> raise_fence_now(Ticks deadline, const Fence& fence, std::optional<Epoch> seen) {
    auto params = lane_params(fence.lane);
    params.int4(to_int4(fence.epoch)).int4(seen ? to_int4(*seen) : -1);
    const auto rows = connection_->run(deadline, kRaiseFence, params);
    if (rows.has_error()) return rows.error();
    if (seen && rows->size() == 0) return Errc::stale;
    return {};
  }

  Result<void> suspect_now(Ticks deadline, LaneId lane) {
    const auto rows = connection_->run(deadline, kSuspect, lane_params(lane));
    if (rows.has_error()) return rows.error();
    if (rows->size() == 0) return Errc::not_found;
    return {};
  }

  Result<LaneImage> image_now(Ticks deadline, LaneId lane) {
    LaneImage image;
    image.lane = lane;
    const auto read = connection_->snapshot(deadline, [&] {
      auto step = read_lane(deadline, image);
      if (step.has_value()) step = read_winners(deadline, image);
      return step;
    });
    if (read.has_error()) return read.error();
    return image;
  }

  Result<void> read_lane(Ticks deadline, LaneImage& image) {
    const auto rows = connection_->run(deadline, kLane, lane_params(image.lane));
    if (rows.has_error()) return rows.error();
    if (rows->size() == 0) return Errc::not_found;
    const auto window = read_window(*rows, 3);
    if (!window) return Errc::invalid;
    image.epoch = static_cast<Epoch>(rows->int4(0, 0));
    image.stock = rows->int8(0, 1);
    image.limit_per_order = static_cast<std::uint32_t>(rows->int4(0, 2));
    image.window = *window;
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

  Result<LaneSnapshot> lane_snapshot_now(Ticks deadline, LaneId lane, In<UserId> users) {
    if (users.size() > kUsersMax) return Errc::overloaded;
    auto params = lane_params(lane);
    params.texts(users, [](const UserId& u) { return std::string_view(u.text()); });
    const auto rows = connection_->run(deadline, kStanding, params);
    if (rows.has_error()) return rows.error();
    if (rows->size() == 0) return Errc::not_found;
    const auto window = read_window(*rows, 5);
    if (!window) return Errc::invalid;
    LaneSnapshot lane_snapshot;
    lane_snapshot.head = read_head(*rows, 0, 0);
    lane_snapshot.stock = rows->int8(0, 4);
    lane_snapshot.window = *window;
    lane_snapshot.open = rows->boolean(0, 9);
    lane_snapshot.returned = static_cast<std::uint64_t>(rows->int8(0, 13));
    lane_snapshot.orders.resize(users.size());
    for (std::size_t i = 0; i < users.size(); ++i) {
      if (rows->null(i, 10)) continue;
      const auto status = parse_order_status(rows->text(i, 11));
      if (!status) return Errc::invalid;
      const auto quantity = static_cast<std::uint32_t>(rows->int4(i, 12));
      lane_snapshot.orders[i] = OrderView{rows->uuid(i, 10), *status, quantity};
    }
    return lane_snapshot;
  }

  Result<std::int64_t> position_now(Ticks deadline, const std::string& topic,
                                    std::int32_t partition) {
    Params params;
    params.text(topic).int4(partition);
    const auto rows = connection_->run(deadline, kPosition, params);
    if (rows.has_error()) return rows.error();
    return rows->size() == 0 ? std::int64_t{0} : rows->int8(0, 0);
  }

  Result<LogProgress> progress_now(Ticks deadline, const std::string& topic,
                                   std::int32_t partitions) {
    Params params;
    params.text(topic).int4(partitions);
    const auto rows = connection_->run(deadline, kProgress, params);
    if (rows.has_error()) return rows.error();
    LogProgress progress;
    progress.applied = rows->int8(0, 0);
    if (partitions > 0 && rows->int8(0, 1) == partitions) progress.through = rows->time(0, 2);
    return progress;
  }

  Result<std::vector<LaneFigures>> audit_now(Ticks deadline, SaleId sale) {
    Params params;
    params.int8(sale);
    const auto rows = connection_->run(deadline, kAudit, params);
    if (rows.has_error()) return rows.error();
    std::vector<LaneFigures> lanes(rows->size());
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      auto& lane = lanes[i];
      lane.lane = LaneId{sale, static_cast<std::uint32_t>(rows->int4(i, 0))};
      lane.head = read_head(*rows, i, 1);
      lane.initial = rows->int8(i, 5);
      lane.stock = rows->int8(i, 6);
      lane.live_units = rows->int8(i, 7);
      lane.live_orders = rows->int8(i, 8);
      lane.rejected_stock = rows->int8(i, 9);
      lane.rejected_duplicate = rows->int8(i, 10);
      lane.returning = rows->int8(i, 11);
    }
    return lanes;
  }

  std::shared_ptr<Connection> connection_;
};

}  // namespace

std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Connection> connection) {
  return std::make_unique<PostgresOrderStore>(std::move(connection));
}

}  // namespace sluice::postgres
