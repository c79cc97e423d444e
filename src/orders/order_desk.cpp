#include "sluice/orders/order_desk.hpp"

#include <utility>

#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

constexpr Millis kRetryWait{500};
constexpr std::size_t kHeadsMax = 4096;

Refusal unknown_order() { return {Code::unknown_order, {}}; }
Refusal busy() { return {Code::busy, kRetryWait}; }

OrderState state_of(const Order& order) {
  return {{order.id, order.status, order.quantity}, order.reason};
}

}  // namespace

OrderDesk::OrderDesk(asio::any_io_executor executor, LookupSettings settings, Ports ports)
    : settings_(settings),
      ports_(ports),
      store_look_ups_(executor, {settings.batch_max, 2, 65536},
                      boost::system::error_code(Errc::internal),
                      [this](StoreLookUps::Batch& batch) { return store_batch(batch); }),
      head_look_ups_(std::move(executor), {kHeadsMax, 1, 65536},
                     boost::system::error_code(Errc::internal),
                     [this](HeadLookUps::Batch& batch) { return head_batch(batch); }) {}

asio::awaitable<LookUp> OrderDesk::find(const Sale& sale, OrderId id, UserId user) {
  const SaleId sale_id = sale.id;
  const LaneId lane{sale_id, id.lane()};
  if (!ports_.seal.authentic(id, sale_id, user)) co_return unknown_order();

  const auto projected = co_await this->projected(lane, user);
  if (projected && projected->order && projected->order->id == id) {
    co_return co_await present(lane, *projected->order, user);
  }
  co_return co_await stored(lane, id, user);
}

asio::awaitable<LookUp> OrderDesk::mine(const Sale& sale, UserId user) {
  const SaleId sale_id = sale.id;
  const LaneId lane{sale_id, lane_of(user, sale.terms.lanes)};
  const auto projected = co_await this->projected(lane, user);
  if (projected && projected->order) co_return co_await present(lane, *projected->order, user);
  if (!projected) co_return co_await mine_in_store(lane, std::move(user));

  // That there is none counts only while the row still has that epoch sold by the projection.
  const auto row = co_await head(lane);
  if (!row) co_return busy();
  if (row->fence == projected->epoch || mutant("mine.of_old_times")) co_return unknown_order();
  co_return co_await mine_in_store(lane, std::move(user));
}

asio::awaitable<LookUp> OrderDesk::mine_in_store(LaneId lane, UserId user) {
  const auto row = co_await head(lane);
  if (!row) co_return busy();
  const auto found = co_await ports_.store.find_live(deadline(), lane.sale, std::move(user));
  if (!found) co_return busy();
  if (*found) co_return state_of(**found);
  // The store knows the decided ones; while it does not sell itself there may be others.
  const bool all = row->seller() == Seller::store || mutant("mine.decided_only");
  co_return all ? unknown_order() : busy();
}

asio::awaitable<LookUp> OrderDesk::wait(const Sale& sale, OrderId id, UserId user,
                                        Millis patience) {
  const Sale kept = sale;
  const auto until = ports_.clock.ticks() + patience;
  for (;;) {
    auto state = co_await find(kept, id, user);
    const auto now = ports_.clock.ticks();
    if (!state || state->order.status != OrderStatus::queued || now >= until) co_return state;
    if (ports_.watch.full()) co_return state;
    co_await ports_.watch.changed(id, std::min(until, now + settings_.look_again));
  }
}

asio::awaitable<LookUp> OrderDesk::present(LaneId lane, OrderView projected, UserId user) {
  if (projected.status != OrderStatus::queued || mutant("find.as_projected")) {
    co_return OrderState{projected, {}};
  }
  auto state = co_await stored(lane, projected.id, std::move(user));
  // No store knows its size yet.
  if (state && state->order.status == OrderStatus::queued) {
    state->order.quantity = projected.quantity;
  }
  co_return state;
}

asio::awaitable<std::optional<OrderDesk::Projected>> OrderDesk::projected(LaneId lane,
                                                                          UserId user) {
  auto& epoch = epochs_[lane];
  const auto route = ports_.routes.route(lane);
  const std::vector<UserId> users{std::move(user)};
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (epoch == 0 || epoch < route.fence) {
      const Call any_epoch{lane, 0, deadline()};
      const auto view = co_await route.inventory->view(any_epoch);
      // Behind the fence it is a picture of old times.
      if (!view || !view->ready || view->epoch < route.fence) co_return std::nullopt;
      epoch = view->epoch;
    }
    const Call call{lane, epoch, deadline()};
    const auto found = co_await route.inventory->find(call, users);
    if (found) co_return Projected{epoch, found->front()};
    epoch = 0;
    if (found.error() != Errc::not_ready) break;
  }
  co_return std::nullopt;
}

asio::awaitable<LookUp> OrderDesk::stored(LaneId lane, OrderId id, UserId user) {
  const OrderKey key{id, lane.sale, std::move(user)};
  if (store_look_ups_.full()) co_return busy();
  auto found = co_await store_look_ups_.submit(key);
  if (!found) co_return busy();
  if (*found) co_return state_of(**found);

  const auto row = co_await head(lane);
  if (!row) co_return busy();
  if (id.epoch() >= row->fence && !mutant("find.fenced_early")) {
    co_return OrderState{{id, OrderStatus::queued, 0}, {}};
  }

  // It may have been applied between the first look and the fence; behind the fence nothing is.
  found = co_await store_look_ups_.submit(key);
  if (!found) co_return busy();
  if (*found && !mutant("find.one_look")) co_return state_of(**found);
  co_return OrderState{{id, OrderStatus::rejected, 0}, RejectReason::fenced};
}

asio::awaitable<void> OrderDesk::store_batch(StoreLookUps::Batch& batch) {
  std::vector<OrderKey> keys;
  keys.reserve(batch.items.size());
  for (const auto& item : batch.items) keys.push_back(item.request);
  auto found = co_await ports_.store.find(deadline(), keys);
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    if (found) {
      batch.items[i].answer(std::move((*found)[i]));
    } else {
      batch.items[i].answer(found.error());
    }
  }
}

Task<LaneHead> OrderDesk::head(LaneId lane) {
  if (head_look_ups_.full()) co_return Errc::overloaded;
  co_return co_await head_look_ups_.submit(lane);
}

asio::awaitable<void> OrderDesk::head_batch(HeadLookUps::Batch& batch) {
  std::unordered_map<LaneId, Result<LaneHead>> heads;
  for (auto& item : batch.items) {
    auto known = heads.find(item.request);
    if (known == heads.end()) {
      const auto head = co_await ports_.store.head(deadline(), item.request);
      known = heads.emplace(item.request, head).first;
    }
    item.answer(known->second);
  }
}

Ticks OrderDesk::deadline() const { return ports_.clock.ticks() + settings_.timeout; }

}  // namespace sluice
