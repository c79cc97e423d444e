#include "sluice/orders/order_store.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/postgres/order_statements.hpp"
#include "adapters/postgres/store_parts.hpp"

namespace sluice::postgres {
namespace {

constexpr std::size_t kUsersMax = 1024;

/// As the server counts terms.
std::optional<std::int64_t> number(std::optional<Term> term) {
  if (!term) return std::nullopt;
  return static_cast<std::int64_t>(*term);
}

/// Of messages that no log brought.
const OffsetRange kNoRange{};

Params apply_params(In<OrderMessage> messages, const OffsetRange& range) {
  using M = const OrderMessage&;
  using F = const Fence&;
  Params params;
  params.array(messages, &OrderMessage::id)
      .array(messages, [](M m) { return m.lane.sale; })
      .array(messages, [](M m) { return m.lane.index; })
      .array(messages, &OrderMessage::epoch)
      .array(messages, &OrderMessage::user)
      .array(messages, &OrderMessage::quantity)
      .array(messages, &OrderMessage::reserved_at)
      .add(range.topic, range.partition, range.begin, range.next, range.log_time)
      .array(range.fences, [](F f) { return f.lane.sale; })
      .array(range.fences, [](F f) { return f.lane.index; })
      .array(range.fences, &Fence::epoch)
      .add(std::ranges::any_of(messages, [](M m) { return m.id.epoch() != m.epoch; }));
  return params;
}

/// The pages of an image: the first came with it.
class Pages final : public ImagePages {
 public:
  Pages(std::shared_ptr<Client> client, std::unique_ptr<Pool::Snapshot> snapshot, ImagePage first)
      : client_(std::move(client)), snapshot_(std::move(snapshot)), first_(std::move(first)) {
    if (first_->last) snapshot_.reset();
  }

  static Result<ImagePage> page_of(const Rows& rows) {
    auto orders = rows.values<LiveOrder>();
    if (!orders) return orders.error();
    const bool last = orders->size() < kImagePageMax;
    return ImagePage{std::move(*orders), last};
  }

  Task<ImagePage> next(Ticks deadline) override {
    if (first_) co_return *std::exchange(first_, std::nullopt);
    if (!snapshot_) co_return Errc::unavailable;
    const Params none;
    std::vector<Query> queries(1);
    queries[0] = Query{&kLiveOrdersPage, &none};
    auto read = co_await client_->run(deadline, *snapshot_, std::move(queries));
    auto page = read ? page_of(read->at(0)) : Result<ImagePage>(read.error());
    if (!page || page->last) snapshot_.reset();
    co_return page;
  }

 private:
  std::shared_ptr<Client> client_;
  std::unique_ptr<Pool::Snapshot> snapshot_;
  std::optional<ImagePage> first_;
};

class PostgresOrderStore final : public OrderStore {
 public:
  explicit PostgresOrderStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    if (const auto wrong = check_apply(messages, range)) co_return *wrong;
    if (messages.empty() && !range) co_return std::vector<Outcome>();
    const bool raises = range && !range->fences.empty();
    const auto& statement = !messages.empty() ? kApply : raises ? kRaise : kAdvance;
    auto params = apply_params(messages, range ? *range : kNoRange);
    const auto rows = co_await client_->run(deadline, statement, std::move(params));
    if (!rows) co_return rows.error();
    // The batch is committed: an answer that cannot be read leaves its outcome unknown.
    auto outcomes = rows->values<Outcome>();
    if (!outcomes || outcomes->size() != messages.size()) co_return Errc::unknown;
    for (std::size_t i = 0; i < messages.size(); ++i) (*outcomes)[i].id = messages[i].id;
    co_return outcomes;
  }

  Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) override {
    if (keys.size() > kMessagesMax) co_return Errc::overloaded;
    if (keys.empty()) co_return std::vector<std::optional<Order>>();
    Params params;
    params.array(keys, &OrderKey::id).array(keys, &OrderKey::sale).array(keys, &OrderKey::user);
    co_return co_await client_->orders(deadline, kFind, std::move(params), keys.size(),
                                       Errc::invalid);
  }

  Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) override {
    return client_->find<Order>(deadline, kFindLive, Params(sale, user));
  }

  Task<LaneHead> head(Ticks deadline, LaneId lane) override {
    return client_->get<LaneHead>(deadline, kHead, Params(lane));
  }

  Task<std::vector<std::pair<LaneId, LaneHead>>> heads(Ticks deadline, In<SaleId> sales) override {
    if (sales.size() > kSalesMax) co_return Errc::overloaded;
    Params params;
    params.array(sales, std::identity());
    co_return co_await client_->list<std::pair<LaneId, LaneHead>>(deadline, kHeads,
                                                                  std::move(params));
  }

  Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority,
                         std::optional<Term> leader) override {
    Params params(lane, authority == Authority::store, kEpochMax, number(leader));
    const auto epoch = co_await client_->find<Epoch>(deadline, kNextEpoch, std::move(params));
    if (!epoch) co_return epoch.error();
    if (*epoch) co_return **epoch;
    const auto present = co_await head(deadline, lane);
    co_return present.has_error() ? present.error() : make_error_code(Errc::overloaded);
  }

  Task<> begin_opening(Ticks deadline, Fence fence, Term leader) override {
    return client_->change(deadline, kBeginOpening,
                           Params(fence.lane, fence.epoch, *number(leader)));
  }

  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen,
                     std::optional<Term> leader) override {
    const auto absent = seen ? std::optional(Errc::stale) : std::nullopt;
    Params params(fence.lane, fence.epoch, seen, number(leader));
    return client_->change(deadline, kRaiseFence, std::move(params), absent);
  }

  Task<> suspect(Ticks deadline, LaneId lane) override {
    return client_->change(deadline, kSuspect, Params(lane), Errc::not_found);
  }

  Task<StoredImage> image(Ticks deadline, LaneId lane) override {
    const Params params(lane);
    const Params none;
    std::vector<Query> queries(4);
    queries[0] = Query{&kLane, &params};
    queries[1] = Query{&kWholeRead, &none};
    queries[2] = Query{&kLiveOrders, &params};
    queries[3] = Query{&kLiveOrdersPage, &none};
    auto snapshot = client_->snapshot();
    const auto read = co_await client_->run(deadline, *snapshot, std::move(queries));
    if (!read) co_return read.error();
    const auto lanes = read->at(0).values<LaneImage>();
    auto first = Pages::page_of(read->at(1));
    if (!lanes || !first) co_return Errc::invalid;
    if (lanes->empty()) co_return Errc::not_found;
    StoredImage image;
    image.lane = lanes->front();
    image.lane.lane = lane;
    image.pages = std::make_unique<Pages>(client_, std::move(snapshot), *std::move(first));
    co_return image;
  }

  Task<std::vector<UserId>> winners(Ticks deadline, LaneId lane, std::string after,
                                    std::size_t max) override {
    Params params(lane, std::string_view(after), static_cast<std::int64_t>(max));
    co_return co_await client_->list<UserId>(deadline, kWinnersAfter, std::move(params));
  }

  Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) override {
    if (users.size() > kUsersMax) co_return Errc::overloaded;
    Params params(lane);
    params.array(users, std::identity());
    const auto rows = co_await client_->run(deadline, kStanding, std::move(params));
    if (!rows) co_return rows.error();
    if (rows->size() == 0) co_return Errc::not_found;
    try {
      auto lane_snapshot = rows->value<LaneSnapshot>();
      for (std::size_t i = 0; i < users.size(); ++i) {
        const auto order = rows->value<std::optional<OrderView>>(i, kStandingOrder);
        lane_snapshot.orders.push_back(order);
      }
      co_return lane_snapshot;
    } catch (const sql::Unreadable&) {
      co_return Errc::invalid;
    }
  }

  Task<std::int64_t> position(Ticks deadline, std::string topic, std::int32_t partition) override {
    return client_->get<std::int64_t>(deadline, kPosition, Params(topic, partition));
  }

  Task<LogProgress> progress(Ticks deadline, std::string topic, std::int32_t partitions) override {
    return client_->get<LogProgress>(deadline, kProgress, Params(topic, partitions));
  }

  Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) override {
    return client_->list<LaneFigures>(deadline, kAudit, Params(sale));
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<OrderStore> create_order_store(std::shared_ptr<Client> client) {
  return std::make_unique<PostgresOrderStore>(std::move(client));
}

}  // namespace sluice::postgres
