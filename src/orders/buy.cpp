#include "sluice/orders/buy.hpp"

#include <utility>

#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

constexpr Millis kRetryWait{500};

}  // namespace

boost::asio::awaitable<PurchaseAnswer> buy(PurchaseService& purchases, OrderService& orders,
                                           const Sale& sale, UserId user, std::uint32_t quantity) {
  auto bought = co_await purchases.buy(sale, user, quantity);
  const bool moves_on = bought.order.status == OrderStatus::queued || must_be_paid(sale.terms);
  const bool look =
      bought.kind == PurchaseAnswer::Kind::existing && moves_on && !mutant("existing.as_projected");
  if (!look) co_return bought;

  const auto known = co_await orders.find(sale, bought.order.id, std::move(user));
  PurchaseAnswer refused;
  refused.refusal = {Code::busy, kRetryWait};
  if (!known) {
    refused.refusal = known.error();
    co_return refused;
  }
  bought.order = known->order;
  if (bought.order.status == OrderStatus::queued && !bought.promised &&
      !mutant("existing.promised")) {
    refused.refusal.code = Code::outcome_unknown;
    co_return refused;
  }
  // Rejected or over, and the projection has not let go of it yet: then the user may buy again.
  co_return is_live(bought.order.status) || mutant("existing.rejected") ? bought : refused;
}

}  // namespace sluice
