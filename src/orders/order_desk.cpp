#include "sluice/orders/order_desk.hpp"

#include <utility>

namespace sluice {
namespace {

namespace asio = boost::asio;

constexpr Millis kRetryWait{500};

Refusal unknown_order() { return {Code::unknown_order, {}}; }
Refusal busy() { return {Code::busy, kRetryWait}; }

OrderState state_of(const Order& order) {
  return {{order.id, order.status, order.quantity}, order.reason};
}

}  // namespace

OrderDesk::OrderDesk(asio::any_io_executor executor, LookupSettings settings, Ports ports)
    : settings_(settings),
      ports_(ports),
      store_look_ups_(std::move(executor), {settings.batch_max, 2, 65536},
                      boost::system::error_code(Errc::internal),
                      [this](StoreLookUps::Batch& batch) { return store_batch(batch); }) {}

asio::awaitable<LookUp> OrderDesk::find(const Sale& sale, OrderId id, UserId user) {
  const SaleId sale_id = sale.id;
  const LaneId lane{sale_id, id.lane()};
  if (!ports_.seal.authentic(id, sale_id, user)) co_return unknown_order();

  const auto projected = co_await this->projected(lane, user);
  if (projected && projected->id == id) co_return co_await present(lane, *projected, user);
  co_return co_await stored(lane, id, user);
}

asio::awaitable<LookUp> OrderDesk::mine(const Sale& sale, UserId user) {
  const SaleId sale_id = sale.id;
  const LaneId lane{sale_id, lane_of(user, sale.terms.lanes)};
  if (const auto projected = co_await this->projected(lane, user)) {
    co_return co_await present(lane, *projected, user);
  }
  if (epochs_[lane] != 0) co_return unknown_order();

  // No projection to ask: the store knows the decided ones.
  const auto found = co_await ports_.store.find_live(deadline(), sale_id, user);
  if (!found) co_return busy();
  if (!*found) co_return unknown_order();
  co_return state_of(**found);
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
  const bool fresh = ports_.clock.now() - projected.id.created_at() < settings_.queued_fresh;
  if (projected.status != OrderStatus::queued || fresh) co_return OrderState{projected, {}};
  auto state = co_await stored(lane, projected.id, std::move(user));
  // No store knows its size yet.
  if (state && state->order.status == OrderStatus::queued) {
    state->order.quantity = projected.quantity;
  }
  co_return state;
}

asio::awaitable<std::optional<OrderView>> OrderDesk::projected(LaneId lane, UserId user) {
  auto& epoch = epochs_[lane];
  const std::vector<UserId> users{std::move(user)};
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (epoch == 0) {
      const Call any_epoch{lane, 0, deadline()};
      const auto view = co_await ports_.inventory.view(any_epoch);
      if (!view || !view->ready) co_return std::nullopt;
      epoch = view->epoch;
    }
    const Call call{lane, epoch, deadline()};
    const auto found = co_await ports_.inventory.find(call, users);
    if (found) co_return found->front();
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

  const auto head = co_await ports_.store.head(deadline(), lane);
  if (!head) co_return busy();
  if (id.epoch() >= head->fence) co_return OrderState{{id, OrderStatus::queued, 0}, {}};

  // It may have been applied between the first look and the fence; behind the fence nothing is.
  found = co_await store_look_ups_.submit(key);
  if (!found) co_return busy();
  if (*found) co_return state_of(**found);
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

Ticks OrderDesk::deadline() const { return ports_.clock.ticks() + settings_.timeout; }

}  // namespace sluice
