#include "sluice/orders/purchase_service.hpp"

#include <utility>

#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

using Kind = PurchaseAnswer::Kind;

constexpr Millis kRetryWait{500};
constexpr Millis kStockWait{2000};

PurchaseAnswer refused(Refusal refusal) { return {.refusal = refusal}; }

/// Who refuses a purchase, the cheapest first.
AdmissionChain admission_of(const PurchaseService::Ports& ports, SoldOutViews::Reader& views) {
  return {create_sale_window_stage(), views.stage(ports.random),
          create_sale_rate_stage(ports.sales, ports.random),
          create_node_rate_stage(ports.rate_limiter, ports.random),
          create_concurrency_stage(ports.concurrency, ports.random)};
}

Code code_of(const boost::system::error_code& error) {
  if (error == Errc::not_ready && mutant("purchase.zero_for_not_ready")) return Code::sold_out;
  if (error == Errc::not_ready) return Code::not_ready;
  if (error == Errc::unknown) return Code::outcome_unknown;
  return Code::busy;
}

/// A queued order is promised only when something outlives this process that may know it: with a
/// queue that decides at once that is the row alone.
bool may_promise(const OrderView& known, const OrderQueue& queue) {
  return known.status != OrderStatus::queued || !queue.decides() || mutant("existing.promised");
}

/// An order that is over, and that the projection has not let go of yet, is nobody's order.
bool still_counts(const OrderView& known) {
  return is_live(known.status) || mutant("existing.rejected");
}

bool sold_out_may_return(const Sale& sale, const Reserved& reserved) {
  return (reserved.may_return && !mutant("sold_out.too_early")) || may_expire(sale);
}

Refusal outside_window(const Sale& sale, TimePoint asked_at, Random& random) {
  const auto code = window_code(phase(sale, asked_at));
  return {code, problem(code).retryable ? jittered(kStockWait, random) : Millis{0}};
}

/// Units that the projection granted and the store does not have: fewer may be left for others.
bool for_several(const Reserved& reserved) {
  return reserved.message.quantity > 1 && !mutant("sold_out.for_one_order");
}

/// No log holds what a queue that decides at once did not answer.
bool is_in_doubt(const Reserved& reserved) {
  return reserved.services.queue.decides() && !mutant("purchase.unknown_promised");
}

}  // namespace

PurchaseService::PurchaseService(asio::any_io_executor executor, PurchaseSettings settings,
                                 Ports ports)
    : ports_(ports),
      sold_out_(ports.sold_out),
      admission_(admission_of(ports, sold_out_)),
      reserver_(executor, settings,
                {ports.router, sold_out_, ports.clock, ports.random, ports.seal, ports.metrics}),
      publisher_(std::move(executor), settings, ports.clock),
      unacknowledged_(
          ports.metrics.counter("sluice_publish_unacknowledged_total",
                                "Reservations answered without the queue's acknowledgement.")) {}

asio::awaitable<PurchaseAnswer> PurchaseService::buy(const Sale& sale, UserId user,
                                                     std::uint32_t quantity,
                                                     std::string_view request_id) {
  const LaneId lane{sale.id, lane_of(user, sale.terms.lanes)};
  Admission admission{ports_.clock.now(), ports_.clock.ticks(), {}, &user, &sale, lane, quantity};
  if (const auto refusal = admit(admission_, admission)) co_return refused(*refusal);
  if (sale.finished) co_return co_await answer_finished(sale, std::move(user));

  auto reserved = co_await reserver_.reserve(lane, user, quantity);
  if (!reserved) {
    co_return refused({code_of(reserved.error()), jittered(kRetryWait, ports_.random)});
  }
  switch (reserved->reservation.verdict) {
    case Verdict::granted:
      break;
    case Verdict::already:
      co_return co_await answer_existing(sale, user, *reserved);
    case Verdict::sold_out:
      co_return refused(sold_out(sold_out_may_return(sale, *reserved), ports_.random));
    case Verdict::insufficient:
      co_return refused({Code::insufficient_stock, jittered(kStockWait, ports_.random)});
    case Verdict::not_open:
      co_return refused(outside_window(sale, admission.now, ports_.random));
  }
  reserved->message.request_id = request_id;
  const auto receipt = co_await publisher_.publish(reserved->services, reserved->message);
  co_return answer_published(sale, *reserved, receipt);
}

asio::awaitable<PurchaseAnswer> PurchaseService::answer_finished(const Sale& sale, UserId user) {
  const auto known = co_await ports_.orders.mine(sale, std::move(user));
  if (known && still_counts(known->order)) co_return PurchaseAnswer{Kind::existing, known->order};
  if (!known && known.error().code != Code::unknown_order) co_return refused(known.error());
  co_return refused({Code::sale_closed, {}});
}

asio::awaitable<PurchaseAnswer> PurchaseService::answer_existing(const Sale& sale,
                                                                 const UserId& user,
                                                                 const Reserved& reserved) {
  const auto known = co_await ports_.orders.present(sale, reserved.reservation.existing, user);
  if (!known) co_return refused(known.error());
  if (!may_promise(known->order, reserved.services.queue)) {
    co_return refused({Code::outcome_unknown, kRetryWait});
  }
  if (!still_counts(known->order)) co_return refused({Code::busy, kRetryWait});
  co_return PurchaseAnswer{Kind::existing, known->order};
}

PurchaseAnswer PurchaseService::answer_published(const Sale& sale, const Reserved& reserved,
                                                 const Receipt& receipt) const {
  if (receipt.kind == Receipt::Kind::decided) {
    return answer_decided(sale, reserved, receipt.outcome);
  }
  const bool acknowledged = receipt.kind == Receipt::Kind::queued;
  if (!acknowledged && is_in_doubt(reserved)) {
    return refused({Code::outcome_unknown, jittered(kRetryWait, ports_.random)});
  }
  if (!acknowledged) unacknowledged_.Increment();
  const OrderView order{reserved.message.id, OrderStatus::queued, reserved.message.quantity};
  const auto& services = reserved.services;
  return {Kind::queued, order, !acknowledged || services.backlogged, services.wait};
}

PurchaseAnswer PurchaseService::answer_decided(const Sale& sale, const Reserved& reserved,
                                               const Outcome& outcome) const {
  if (is_live(outcome.status)) {
    return {Kind::confirmed, {reserved.message.id, outcome.status, reserved.message.quantity}};
  }
  // The projection promised what the store does not have.
  const auto wait = jittered(kRetryWait, ports_.random);
  if (outcome.reason != RejectReason::stock) return refused({Code::busy, wait});
  if (for_several(reserved)) return refused({Code::insufficient_stock, wait});
  return refused(sold_out(may_expire(sale), ports_.random));
}

}  // namespace sluice
