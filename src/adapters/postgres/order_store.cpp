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
  const auto epoch = [&](int column) { return static_cast<Epoch>(rows.int4(row, column)); };
  return LaneHead{epoch(c), epoch(c + 1), epoch(c + 2), epoch(c + 3)};
}

/// The window in the columns state, start, end and revision from `c` on; empty when the state is
/// beyond this program's domain.
std::optional<LaneWindow> read_window(const Rows& rows, int c) {
  const auto state = parse_name<SaleState>(rows.text(0, c));
  if (!state) return std::nullopt;
  return LaneWindow{*state, rows.time(0, c + 1), rows.time(0, c + 2),
                    static_cast<std::uint32_t>(rows.int4(0, c + 3))};
}

Params lane_params(LaneId lane) { return Params(lane.sale, to_int4(lane.index)); }

/// The image in the rows of `kLane` and `kWinners`.
Result<LaneImage> read_image(LaneId id, const Rows& lane, const Rows& winners) {
  if (lane.size() == 0) return Errc::not_found;
  const auto window = read_window(lane, 3);
  if (!window) return Errc::invalid;
  LaneImage image;
  image.lane = id;
  image.epoch = static_cast<Epoch>(lane.int4(0, 0));
  image.stock = lane.int8(0, 1);
  image.limit_per_order = static_cast<std::uint32_t>(lane.int4(0, 2));
  image.window = *window;
  image.winners.reserve(winners.size());
  for (std::size_t i = 0; i < winners.size(); ++i) {
    const auto user = UserId::parse(winners.text(i, 0));
    const auto status = parse_name<OrderStatus>(winners.text(i, 2));
    if (!user || !status) return Errc::invalid;
    const auto quantity = static_cast<std::uint32_t>(winners.int4(i, 3));
    image.winners.emplace_back(*user, OrderView{winners.uuid(i, 1), *status, quantity});
  }
  return image;
}

class PostgresOrderStore final : public OrderStore {
 public:
  explicit PostgresOrderStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    if (const auto wrong = check_apply(messages, range)) co_return *wrong;
    if (messages.empty() && !range) co_return std::vector<Outcome>();
    const bool raises = range && !range->fences.empty();
    const auto& statement = !messages.empty() ? kApply : raises ? kRaise : kAdvance;
    auto params = apply_params(messages, range);
    const auto rows = co_await client_->run(deadline, statement, std::move(params));
    if (rows.has_error()) co_return rows.error();
    // The batch is committed: an answer that cannot be read leaves its outcome unknown.
    if (rows->size() != messages.size()) co_return Errc::unknown;
    std::vector<Outcome> outcomes;
    outcomes.reserve(messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const auto status = parse_name<OrderStatus>(rows->text(i, 0));
      const auto reason = parse_name<RejectReason>(rows->text(i, 1));
      if (!status || !reason) co_return Errc::unknown;
      outcomes.push_back(Outcome{messages[i].id, *status, *reason});
    }
    co_return outcomes;
  }

  Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) override {
    if (keys.size() > kMessagesMax) co_return Errc::overloaded;
    std::vector<std::optional<Order>> orders(keys.size());
    if (keys.empty()) co_return orders;
    Params params;
    params.uuids(keys, [](const OrderKey& k) { return k.id; })
        .int8s(keys, [](const OrderKey& k) { return k.sale; })
        .texts(keys, [](const OrderKey& k) { return std::string_view(k.user.text()); });
    const auto rows = co_await client_->run(deadline, kFind, std::move(params));
    if (rows.has_error()) co_return rows.error();
    for (std::size_t i = 0; i < rows->size(); ++i) {
      auto order = read_order(*rows, i, 1);
      if (!order) co_return Errc::invalid;
      orders.at(static_cast<std::size_t>(rows->int8(i, 0) - 1)) = std::move(order);
    }
    co_return orders;
  }

  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override {
    Params params(sale, user.text());
    const auto rows = co_await client_->run(deadline, kFindLive, std::move(params));
    if (rows.has_error()) co_return rows.error();
    if (rows->size() == 0) co_return std::optional<Order>();
    auto order = read_order(*rows, 0, 0);
    if (!order) co_return Errc::invalid;
    co_return order;
  }

  Task<LaneHead> head(Ticks deadline, LaneId lane) override {
    auto params = lane_params(lane);
    const auto rows = co_await client_->run(deadline, kHead, std::move(params));
    if (rows.has_error()) co_return rows.error();
    if (rows->size() == 0) co_return Errc::not_found;
    co_return read_head(*rows, 0, 0);
  }

  Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority) override {
    auto params = lane_params(lane);
    params.boolean(authority == Authority::store).int4(to_int4(kEpochMax));
    const auto rows = co_await client_->run(deadline, kNextEpoch, std::move(params));
    if (rows.has_error()) co_return rows.error();
    if (rows->size() == 1) co_return static_cast<Epoch>(rows->int4(0, 0));
    const auto present = co_await head(deadline, lane);
    co_return present.has_error() ? present.error() : make_error_code(Errc::overloaded);
  }

  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen) override {
    auto params = lane_params(fence.lane);
    params.int4(to_int4(fence.epoch)).int4(seen ? to_int4(*seen) : -1);
    const auto rows = co_await client_->run(deadline, kRaiseFence, std::move(params));
    if (rows.has_error()) co_return rows.error();
    if (seen && rows->size() == 0) co_return Errc::stale;
    co_return Result<void>{};
  }

  Task<> suspect(Ticks deadline, LaneId lane) override {
    auto params = lane_params(lane);
    const auto rows = co_await client_->run(deadline, kSuspect, std::move(params));
    if (rows.has_error()) co_return rows.error();
    if (rows->size() == 0) co_return Errc::not_found;
    co_return Result<void>{};
  }

  Task<LaneImage> image(Ticks deadline, LaneId lane) override {
    const auto params = lane_params(lane);
    std::vector<Query> queries(2);
    queries[0] = Query{&kLane, &params};
    queries[1] = Query{&kWinners, &params};
    const auto read = co_await client_->snapshot(deadline, std::move(queries));
    if (read.has_error()) co_return read.error();
    co_return read_image(lane, read->at(0), read->at(1));
  }

  Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) override {
    if (users.size() > kUsersMax) co_return Errc::overloaded;
    auto params = lane_params(lane);
    params.texts(users, [](const UserId& u) { return std::string_view(u.text()); });
    const auto rows = co_await client_->run(deadline, kStanding, std::move(params));
    if (rows.has_error()) co_return rows.error();
    if (rows->size() == 0) co_return Errc::not_found;
    const auto window = read_window(*rows, 5);
    if (!window) co_return Errc::invalid;
    LaneSnapshot lane_snapshot;
    lane_snapshot.head = read_head(*rows, 0, 0);
    lane_snapshot.stock = rows->int8(0, 4);
    lane_snapshot.window = *window;
    lane_snapshot.open = rows->boolean(0, 9);
    lane_snapshot.returned = static_cast<std::uint64_t>(rows->int8(0, 13));
    lane_snapshot.orders.resize(users.size());
    for (std::size_t i = 0; i < users.size(); ++i) {
      if (rows->null(i, 10)) continue;
      const auto status = parse_name<OrderStatus>(rows->text(i, 11));
      if (!status) co_return Errc::invalid;
      const auto quantity = static_cast<std::uint32_t>(rows->int4(i, 12));
      lane_snapshot.orders[i] = OrderView{rows->uuid(i, 10), *status, quantity};
    }
    co_return lane_snapshot;
  }

  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override {
    Params params(topic, partition);
    const auto rows = co_await client_->run(deadline, kPosition, std::move(params));
    if (rows.has_error()) co_return rows.error();
    co_return rows->size() == 0 ? std::int64_t{0} : rows->int8(0, 0);
  }

  Task<LogProgress> progress(Ticks deadline, std::string topic, std::int32_t partitions) override {
    Params params(topic, partitions);
    const auto rows = co_await client_->run(deadline, kProgress, std::move(params));
    if (rows.has_error()) co_return rows.error();
    LogProgress progress;
    progress.applied = rows->int8(0, 0);
    if (partitions > 0 && rows->int8(0, 1) == partitions) progress.through = rows->time(0, 2);
    co_return progress;
  }

  Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) override {
    Params params(sale);
    const auto rows = co_await client_->run(deadline, kAudit, std::move(params));
    if (rows.has_error()) co_return rows.error();
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
    co_return lanes;
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Client> client) {
  return std::make_unique<PostgresOrderStore>(std::move(client));
}

}  // namespace sluice::postgres
