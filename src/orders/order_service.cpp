#include "sluice/orders/order_service.hpp"

#include <algorithm>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

constexpr Millis kRetryWait{500};
constexpr std::size_t kHeadsMax = 4096;

Refusal unknown_order() { return {Code::unknown_order, {}}; }
Refusal busy() { return {Code::busy, kRetryWait}; }
Refusal order_final() { return {Code::order_final, {}}; }
Refusal order_undecided() { return {Code::order_undecided, kRetryWait}; }

OrderState state_of(const Order& order) {
  OrderState state{{order.id, order.status, order.quantity}, order.reason, {}};
  if (order.status == OrderStatus::confirmed) state.pay_by = order.pay_by;
  return state;
}

/// Whether the store may know better than the projection, and have said so to somebody.
bool may_move_on(const OrderView& projected, const Sale& sale) {
  if (mutant("find.as_projected")) return false;
  if (projected.status == OrderStatus::queued) return true;
  return must_be_paid(sale.terms) && !mutant("find.unpaid_as_projected");
}

}  // namespace

OrderService::OrderService(asio::any_io_executor executor, LookupSettings settings, Ports ports)
    : executor_(executor),
      settings_(settings),
      ports_(ports),
      store_look_ups_(executor, {settings.batch_max, 2, 65536}, Errc::internal,
                      [this](StoreLookUps::Batch& batch) { return store_batch(batch); }),
      head_look_ups_(executor, {kHeadsMax, 1, 65536}, Errc::internal,
                     [this](HeadLookUps::Batch& batch) { return head_batch(batch); }),
      moves_(std::move(executor), {settings.batch_max, 2, 65536}, Errc::unknown,
             [this](Moves::Batch& batch) { return move_batch(batch); }) {}

asio::awaitable<LookUp> OrderService::find(const Sale& sale, OrderId id, UserId user) {
  const LaneId lane{sale.id, id.lane()};
  if (!ports_.seal.authentic(id, lane.sale, user)) co_return unknown_order();

  const auto projected = co_await this->projected(lane, user);
  if (projected && projected->order && projected->order->id == id) {
    co_return co_await present(sale, *projected->order, user);
  }
  co_return co_await stored(lane, id, user);
}

asio::awaitable<LookUp> OrderService::mine(const Sale& sale, UserId user) {
  const LaneId lane{sale.id, lane_of(user, sale.terms.lanes)};
  const auto projected = co_await this->projected(lane, user);
  const bool known = projected && projected->order;
  if (known) {
    const auto state = co_await present(sale, *projected->order, user);
    const bool over = state && (state->order.status == OrderStatus::cancelled ||
                                state->order.status == OrderStatus::expired);
    if (!over) co_return state;
  }

  const auto row = co_await head(lane);
  if (!row) co_return busy();
  // That the projection has no other counts only while the row still has its epoch sold by it.
  const bool no_late = !row->late || mutant("mine.late_unseen");
  const bool no_other = no_late && row->fence == (projected ? projected->epoch : 0);
  const bool none = projected && !known && (no_other || mutant("mine.of_old_times"));
  if (none) co_return unknown_order();

  const auto found = co_await ports_.store.find_live(deadline(), lane.sale, std::move(user));
  if (!found) co_return busy();
  if (*found) co_return state_of(**found);
  // The store knows the decided ones; while it does not sell itself there may be others.
  const bool all = no_other || sale.finished || row->authority() == Authority::store ||
                   mutant("mine.decided_only");
  co_return all ? unknown_order() : busy();
}

asio::awaitable<LookUp> OrderService::wait(const Sale& sale, OrderId id, UserId user,
                                           Patience patience) {
  const Sale kept = sale;
  const auto until = ports_.clock.ticks() + patience.at_most;
  for (;;) {
    auto state = co_await find(kept, id, user);
    const auto now = ports_.clock.ticks();
    const bool over = now >= until || patience.over() || ports_.watch.full();
    if (!state || state->order.status != OrderStatus::queued || over) co_return state;
    co_await ports_.watch.changed(id, std::min(until, now + settings_.look_again), patience);
    // Perhaps nobody reads the answer, so it is not worth another look.
    if (patience.over()) co_return state;
  }
}

asio::awaitable<LookUp> OrderService::move(const Sale& sale, OrderId id, UserId user, Move move) {
  const LaneId lane{sale.id, id.lane()};
  if (!ports_.seal.authentic(id, lane.sale, user)) co_return unknown_order();
  // Only time lets an order expire.
  if (!must_be_paid(sale.terms) || move == Move::expire) co_return order_final();
  if (moves_.full()) co_return busy();

  const Transition transition{{id, lane.sale, user}, move};
  const auto moved = co_await moves_.submit(transition);
  if (!moved) {
    if (moved.error() != Errc::unknown) co_return busy();
    co_return Refusal{Code::outcome_unknown, kRetryWait};
  }
  LookUp now = unknown_order();
  if (*moved) {
    now = state_of(**moved);
    const bool cancelled = now->order.status == OrderStatus::cancelled;
    if (cancelled && move == Move::cancel) co_await give_back(**moved);
  } else {
    now = co_await stored(lane, id, std::move(user));
    if (!now) co_return now;
    // Confirmed: it was decided since the store was asked to move it.
    const auto status = now->order.status;
    if (status == OrderStatus::queued || status == OrderStatus::confirmed) {
      co_return order_undecided();
    }
  }
  // The row is as the move would have it; else it moved otherwise, for good.
  co_return now->order.status == after(move) ? now : order_final();
}

asio::awaitable<void> OrderService::give_back(Order order) {
  const auto projected = co_await this->projected(order.lane, order.user);
  if (!projected || !projected->order || projected->order->id != order.id) co_return;
  const Call call{order.lane, projected->epoch, deadline()};
  const std::vector<Settlement> settlements{
      {order.id, order.user, order.quantity, SettleAction::give_back}};
  auto& inventory = ports_.router.at(order.lane).inventory;
  const auto settled = co_await inventory.settle(call, settlements);
  if (!settled) {
    log().warn("a cancelled order left for the relay: {}", settled.error().message());
  }
}

asio::awaitable<LookUp> OrderService::present(const Sale& sale, OrderView projected, UserId user) {
  if (!may_move_on(projected, sale)) co_return OrderState{projected, {}, {}};
  const LaneId lane{sale.id, projected.id.lane()};
  auto state = co_await stored(lane, projected.id, std::move(user));
  // No store knows its size yet.
  if (state && state->order.status == OrderStatus::queued) {
    state->order.quantity = projected.quantity;
  }
  co_return state;
}

Task<OrderService::Projected> OrderService::projected(LaneId lane, UserId user) {
  const LaneLookUps::Limits limits{settings_.batch_max, 2};
  auto work = [this, lane](LaneLookUps::Batch& batch) { return lane_batch(lane, batch); };
  auto& look_ups =
      lane_look_ups_.try_emplace(lane, executor_, limits, Errc::internal, work).first->second;
  if (look_ups.full()) co_return Errc::overloaded;
  co_return co_await look_ups.submit(std::move(user));
}

asio::awaitable<void> OrderService::lane_batch(LaneId lane, LaneLookUps::Batch& batch) {
  const auto services = ports_.router.at(lane);
  const auto users = requests_of(batch);
  auto& epoch = epochs_[lane];
  Result<std::vector<std::optional<OrderView>>> found = Errc::not_ready;
  for (int attempt = 0; attempt < 2 && !found && found.error() == Errc::not_ready; ++attempt) {
    if (epoch == 0 || epoch < services.fence) {
      const auto sold_under = co_await find_epoch(services, lane, deadline());
      if (!sold_under) {
        found = sold_under.error();
        break;
      }
      epoch = *sold_under;
    }
    const Call call{lane, epoch, deadline()};
    found = co_await services.inventory.find(call, users);
    if (!found) epoch = 0;
  }
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    batch.items[i].answer(found ? Result<Projected>(Projected{epoch, (*found)[i]})
                                : Result<Projected>(found.error()));
  }
}

asio::awaitable<LookUp> OrderService::stored(LaneId lane, OrderId id, UserId user) {
  const OrderKey key{id, lane.sale, std::move(user)};
  if (store_look_ups_.full()) co_return busy();
  auto found = co_await store_look_ups_.submit(key);
  if (!found) co_return busy();
  if (*found) co_return state_of(**found);

  const auto row = co_await head(lane);
  if (!row) co_return busy();
  if (id.epoch() < row->fence && !mutant("find.missing_unnoted")) {
    // Its message may still come: the leader refuses it once none can.
    const In<OrderKey> missing(&key, 1);
    const auto noted = co_await ports_.late.note(deadline(), missing);
    if (!noted) co_return busy();
  }
  co_return OrderState{{id, OrderStatus::queued, 0}, {}, {}};
}

asio::awaitable<void> OrderService::store_batch(StoreLookUps::Batch& batch) {
  const auto keys = requests_of(batch);
  auto found = co_await ports_.store.find(deadline(), keys);
  answer_each(batch, std::move(found));
}

asio::awaitable<void> OrderService::move_batch(Moves::Batch& batch) {
  const auto transitions = requests_of(batch);
  auto moved = co_await ports_.moves.move(deadline(), transitions);
  answer_each(batch, std::move(moved));
}

Task<LaneHead> OrderService::head(LaneId lane) {
  if (head_look_ups_.full()) co_return Errc::overloaded;
  co_return co_await head_look_ups_.submit(lane);
}

asio::awaitable<void> OrderService::head_batch(HeadLookUps::Batch& batch) {
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

Ticks OrderService::deadline() const { return ports_.clock.ticks() + settings_.timeout; }

}  // namespace sluice
