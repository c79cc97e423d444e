#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "sluice/domain/order.hpp"
#include "sluice/domain/sale.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice::test {

/// Ten seconds from now: long enough for any one call, short enough for a test that hangs.
Ticks soon();

/// A valid draft: price 1990 EUR, a window around 2027.
SaleDraft draft_of(std::int64_t stock, std::uint32_t lanes = 1, std::uint32_t limit = 1000);

/// User "u<number>".
UserId user_of(std::uint64_t number);

/// A message under a new order id: no two calls in a process give the same id.
OrderMessage message_of(LaneId lane, const UserId& user, std::uint32_t quantity = 1,
                        Epoch epoch = 1);

/// What the store says about a message it took, and about one it refused.
Outcome confirmed(const OrderMessage& message);
Outcome rejected(const OrderMessage& message, RejectReason reason);

/// The lanes of a sale added up.
struct SaleFigures {
  std::int64_t initial = 0;
  std::int64_t stock = 0;
  std::int64_t live_units = 0;
  std::int64_t live_orders = 0;
  std::int64_t rejected_stock = 0;
  std::int64_t rejected_duplicate = 0;

  bool operator==(const SaleFigures&) const = default;
};

std::ostream& operator<<(std::ostream& out, const SaleFigures& figures);

/// The store's audit of a sale. Throws when there is none.
SaleFigures figures_of(OrderStore& store, SaleId sale);

/// An image that was read to its end, or is to be copied: with all of its live orders.
struct WholeImage : LaneImage {
  std::vector<LiveOrder> winners;
};

/// Takes the lane's image and reads every page, each by `deadline`.
Task<WholeImage> whole_image(OrderStore& store, Ticks deadline, LaneId lane);

/// Allots the lane's next epoch, raises the fence to it at once, and returns the image under it, as
/// a rebuild does. Throws when a step fails.
WholeImage renew(OrderStore& store, LaneId lane);

/// The stores' errors as results, to compare in one line: "ok", or the error's name.
template <class R>
std::string error_of(const R& result) {
  return result.has_value() ? "ok" : result.error().message();
}

}  // namespace sluice::test
