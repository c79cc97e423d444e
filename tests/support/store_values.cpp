#include "support/store_values.hpp"

#include <atomic>
#include <chrono>

#include "sluice/domain/order_id.hpp"

#include "support/run_awaitable.hpp"

namespace sluice::test {
namespace {

constexpr TimePoint kReservedAt{Millis{1'800'000'000'123}};

}  // namespace

Ticks soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(10); }

SaleDraft draft_of(std::int64_t stock, std::uint32_t lanes, std::uint32_t limit) {
  SaleDraft draft;
  draft.title = "Lamp";
  draft.description = "A lamp.";
  draft.unit_price_minor = 1990;
  draft.currency = "EUR";
  draft.stock = stock;
  draft.limit_per_order = limit;
  draft.lanes = lanes;
  draft.starts_at = kReservedAt - std::chrono::hours(1);
  draft.ends_at = kReservedAt + std::chrono::hours(1);
  return draft;
}

UserId user_of(std::uint64_t number) { return *UserId::parse("u" + std::to_string(number)); }

OrderMessage message_of(LaneId lane, const UserId& user, std::uint32_t quantity, Epoch epoch) {
  static const OrderIdSeal seal("only for tests");
  static std::atomic<std::uint64_t> counter{0};
  const auto number = counter.fetch_add(1);
  // The id has 18 random bits: a new millisecond when they are used up keeps it unique.
  const auto at = kReservedAt + Millis{static_cast<Millis::rep>(number >> 18)};
  OrderMessage message;
  message.id = seal.issue(lane, epoch, user, at, number);
  message.lane = lane;
  message.epoch = epoch;
  message.user = user;
  message.quantity = quantity;
  message.reserved_at = at;
  return message;
}

Outcome confirmed(const OrderMessage& message) {
  return Outcome{message.id, OrderStatus::confirmed, RejectReason::none};
}

Outcome rejected(const OrderMessage& message, RejectReason reason) {
  return Outcome{message.id, OrderStatus::rejected, reason};
}

std::ostream& operator<<(std::ostream& out, const SaleFigures& figures) {
  return out << "initial " << figures.initial << ", stock " << figures.stock << ", live units "
             << figures.live_units << ", live orders " << figures.live_orders
             << ", rejected for stock " << figures.rejected_stock << ", as duplicates "
             << figures.rejected_duplicate;
}

SaleFigures figures_of(OrderStore& store, SaleId sale) {
  SaleFigures sum;
  for (const auto& lane : run_awaitable(store.audit(soon(), sale)).value()) {
    sum.initial += lane.initial;
    sum.stock += lane.stock;
    sum.live_units += lane.live_units;
    sum.live_orders += lane.live_orders;
    sum.rejected_stock += lane.rejected_stock;
    sum.rejected_duplicate += lane.rejected_duplicate;
  }
  return sum;
}

Task<WholeImage> whole_image(OrderStore& store, Ticks deadline, LaneId lane) {
  const auto image = co_await store.image(deadline, lane);
  if (!image) co_return image.error();
  WholeImage whole{image->lane, {}};
  for (bool last = false; !last;) {
    const auto page = co_await image->pages->next(deadline);
    if (!page) co_return page.error();
    whole.winners.insert(whole.winners.end(), page->orders.begin(), page->orders.end());
    last = page->last;
  }
  co_return whole;
}

WholeImage renew(OrderStore& store, LaneId lane) {
  const auto epoch =
      run_awaitable(store.next_epoch(soon(), lane, Authority::inventory, std::nullopt)).value();
  run_awaitable(store.raise_fence(soon(), Fence{lane, epoch}, std::nullopt, std::nullopt)).value();
  return run_awaitable(whole_image(store, soon(), lane)).value();
}

}  // namespace sluice::test
