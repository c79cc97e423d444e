#include "sluice/orders/purchase_service.hpp"

#include <algorithm>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"
#include "sluice/gate/front_gate.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

constexpr Millis kUpkeepEvery{50};
constexpr Millis kRetryWait{500};
constexpr Millis kSoldOutForNowWait{2000};

PurchaseAnswer refused(Refusal refusal) {
  PurchaseAnswer answer;
  answer.refusal = refusal;
  return answer;
}

PurchaseAnswer existing(const OrderView& order, bool promised) {
  PurchaseAnswer answer;
  answer.kind = PurchaseAnswer::Kind::existing;
  answer.order = order;
  answer.promised = promised;
  return answer;
}

Code code_of(const boost::system::error_code& error) {
  if (error == Errc::not_ready && mutant("purchase.zero_for_not_ready")) return Code::sold_out;
  if (error == Errc::not_ready) return Code::not_ready;
  if (error == Errc::unknown) return Code::outcome_unknown;
  return Code::busy;
}

OrderMessage message_of(const Attempt& attempt, LaneId lane) {
  OrderMessage message;
  message.id = attempt.id;
  message.lane = lane;
  message.epoch = attempt.id.epoch();
  message.user = attempt.user;
  message.quantity = attempt.quantity;
  message.reserved_at = attempt.id.created_at();
  return message;
}

}  // namespace

struct PurchaseService::Lane {
  Lane(LaneId i, Millis fresh_for) : id(i), sold_out(fresh_for) {}
  LaneId id;
  Epoch epoch = 0;  ///< 0: not known yet.
  SoldOutView sold_out;
  std::unique_ptr<Purchases> purchases;
};

struct PurchaseService::Counters {
  explicit Counters(Metrics& metrics)
      : reserved(metrics.counter("sluice_reservations_total", "Purchases that hold units.")),
        lost(metrics.counter("sluice_reservations_refused_total",
                             "Purchases that the lane refused.")),
        backlogged(metrics.counter("sluice_publish_unacknowledged_total",
                                   "Reservations answered without the queue's acknowledgement.")),
        batch_size(metrics.histogram("sluice_reserve_batch_size", "Purchases in a reserve call.",
                                     {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024})) {}
  Counter& reserved;
  Counter& lost;
  Counter& backlogged;
  Histogram& batch_size;
};

PurchaseService::PurchaseService(asio::any_io_executor executor, PurchaseSettings settings,
                                 Ports ports)
    : executor_(std::move(executor)),
      settings_(settings),
      ports_(ports),
      counters_(std::make_unique<Counters>(ports.metrics)) {}

PurchaseService::~PurchaseService() = default;

asio::awaitable<PurchaseAnswer> PurchaseService::buy(const Sale& sale, UserId user,
                                                     std::uint32_t quantity) {
  const auto now = ports_.clock.now();
  if (const auto refusal = ports_.gate.admit(sale, now)) co_return refused(*refusal);

  Lane& lane = this->lane({sale.id, lane_of(user, sale.terms.lanes)});
  const bool held_unpaid = must_be_paid(sale.terms) && !mutant("sold_out.unpaid_final");
  Wish wish{std::move(user), quantity, window_code(phase(sale, now)), held_unpaid};
  if (const auto refusal = ask_sold_out_view(lane, wish)) co_return refused(*refusal);

  const auto room = ports_.gate.reserve_room(sale, ports_.clock.ticks());
  if (const auto* refusal = std::get_if<Refusal>(&room)) co_return refused(*refusal);

  co_return co_await lane.purchases->submit(std::move(wish));
}

asio::awaitable<void> PurchaseService::purchase_batch(Lane& lane, Purchases::Batch& batch) {
  const auto route = ports_.routes.route(lane.id);
  std::vector<Attempt> attempts;
  const auto reserved = co_await reserve(lane, route, batch, attempts);
  batch.release();
  if (!reserved) {
    const auto code = code_of(reserved.error());
    for (auto& item : batch.items) {
      item.answer(refused({code, jittered(kRetryWait, ports_.random)}));
    }
    co_return;
  }

  std::vector<OrderMessage> messages;
  std::vector<std::size_t> winners;
  bool sold_out = false;
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const auto& reservation = reserved->reservations[i];
    if (reservation.verdict == Verdict::granted) {
      winners.push_back(i);
      messages.push_back(message_of(attempts[i], lane.id));
      continue;
    }
    sold_out |= reservation.verdict == Verdict::sold_out;
    auto& item = batch.items[i];
    item.answer(reservation.verdict == Verdict::already
                    ? existing(reservation.existing, !route.queue->decides())
                    : refused(refuse(item.request, reservation.verdict, reserved->may_return)));
  }
  counters_->batch_size.Observe(static_cast<double>(batch.items.size()));
  counters_->reserved.Increment(static_cast<double>(winners.size()));
  counters_->lost.Increment(static_cast<double>(batch.items.size() - winners.size()));
  if (sold_out) {
    lane.sold_out.said_sold_out(lane.epoch, reserved->version, reserved->may_return,
                                ports_.clock.ticks());
  }
  if (messages.empty()) co_return;

  const auto deadline = ports_.clock.ticks() + settings_.publish_timeout;
  auto receipts = co_await route.queue->publish(deadline, messages);
  // Nothing left for the queue: the pending records hold these orders, and recovery decides them.
  if (!receipts) receipts = std::vector<Receipt>(messages.size());

  co_await settle(lane, *route.inventory, messages, *receipts);
  for (std::size_t i = 0; i < winners.size(); ++i) {
    auto& item = batch.items[winners[i]];
    item.answer(answer_winner(route, item.request, messages[i], (*receipts)[i]));
  }
}

Task<ReserveReply> PurchaseService::reserve(Lane& lane, const Route& route,
                                            const Purchases::Batch& batch,
                                            std::vector<Attempt>& attempts) {
  const auto give_up = ports_.clock.ticks() + settings_.answer_timeout - settings_.publish_timeout;
  const boost::system::error_code open = Errc::unknown;
  bool learned = false;
  bool maybe_reserved = false;
  for (;;) {
    if (lane.epoch == 0) {
      learned = true;
      const auto known = co_await learn_epoch(lane, route);
      if (!known) co_return maybe_reserved ? open : known.error();
      attempts.clear();
    }
    if (attempts.empty() || mutant("purchase.new_ids")) attempts = make_attempts(lane, batch);

    auto reply = co_await route.inventory->reserve(call(lane, settings_.reserve_timeout), attempts);
    if (reply) co_return reply;
    bool again = false;
    if (reply.error() == Errc::not_ready) {
      lane.epoch = 0;
      again = !learned;
    } else if (reply.error() == Errc::unknown) {
      maybe_reserved = true;
      again = ports_.clock.ticks() < give_up;
    }
    // A later "not done" says nothing about the call whose answer was lost.
    const bool doubt = maybe_reserved && !mutant("purchase.doubt_forgotten");
    if (!again) co_return doubt ? open : reply.error();
    // Asked again with the same ids, whatever was reserved finds itself.
  }
}

Task<> PurchaseService::learn_epoch(Lane& lane, const Route& route) {
  const auto view = co_await route.inventory->view(call(lane, settings_.reserve_timeout));
  // Looking reserves nothing, whatever became of it.
  if (!view) co_return Errc::unavailable;
  // What an inventory behind the fence grants would be refused.
  const bool behind = view->epoch < route.fence && !mutant("purchase.behind_the_fence");
  if (!view->ready || behind) co_return Errc::not_ready;
  lane.epoch = view->epoch;
  co_return boost::system::in_place_value;
}

std::vector<Attempt> PurchaseService::make_attempts(const Lane& lane,
                                                    const Purchases::Batch& batch) const {
  std::vector<Attempt> attempts;
  attempts.reserve(batch.items.size());
  const auto now = ports_.clock.now();
  for (const auto& item : batch.items) {
    const auto& wish = item.request;
    const auto id = ports_.seal.issue(lane.id, lane.epoch, wish.user, now, ports_.random.next());
    attempts.push_back({id, wish.user, wish.quantity});
  }
  return attempts;
}

Refusal PurchaseService::refuse(const Wish& wish, Verdict verdict, bool may_return) const {
  const auto wait = jittered(kSoldOutForNowWait, ports_.random);
  switch (verdict) {
    case Verdict::sold_out:
      return sold_out((may_return && !mutant("sold_out.too_early")) || wish.held_unpaid);
    case Verdict::insufficient:
      return {Code::insufficient_stock, wait};
    case Verdict::not_open:
      return {wish.when_not_open, problem(wish.when_not_open).retryable ? wait : Millis{0}};
    case Verdict::granted:
    case Verdict::already:
      break;
  }
  return {Code::internal_error, {}};
}

Refusal PurchaseService::sold_out(bool may_return) const {
  if (!may_return) return {Code::sold_out, {}};
  return {Code::sold_out_for_now, jittered(kSoldOutForNowWait, ports_.random)};
}

Refusal PurchaseService::refuse_phantom(const Wish& wish, RejectReason reason) const {
  const auto wait = jittered(kRetryWait, ports_.random);
  if (reason != RejectReason::stock) return {Code::busy, wait};
  // Fewer may be left for somebody else.
  const bool several = wish.quantity > 1 && !mutant("sold_out.for_one_order");
  return several ? Refusal{Code::insufficient_stock, wait} : sold_out(wish.held_unpaid);
}

PurchaseAnswer PurchaseService::answer_winner(const Route& route, const Wish& wish,
                                              const OrderMessage& message,
                                              const Receipt& receipt) const {
  PurchaseAnswer answer;
  answer.order = {message.id, OrderStatus::queued, message.quantity};
  switch (receipt.kind) {
    case Receipt::Kind::queued:
      answer.kind = PurchaseAnswer::Kind::queued;
      answer.backlogged = route.backlogged;
      answer.wait = route.wait;
      return answer;
    case Receipt::Kind::decided:
      if (is_live(receipt.outcome.status)) {
        answer.kind = PurchaseAnswer::Kind::confirmed;
        answer.order.status = receipt.outcome.status;
        return answer;
      }
      // The projection promised what the store does not have.
      return refused(refuse_phantom(wish, receipt.outcome.reason));
    case Receipt::Kind::unknown:
      break;
  }
  if (route.queue->decides() && !mutant("purchase.unknown_promised")) {
    return refused({Code::outcome_unknown, jittered(kRetryWait, ports_.random)});
  }
  counters_->backlogged.Increment();
  answer.kind = PurchaseAnswer::Kind::queued;
  answer.backlogged = true;
  answer.wait = route.wait;
  return answer;
}

asio::awaitable<void> PurchaseService::settle(Lane& lane, Inventory& inventory,
                                              const std::vector<OrderMessage>& messages,
                                              const std::vector<Receipt>& receipts) {
  std::vector<Settlement> settlements;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (receipts[i].kind != Receipt::Kind::decided && !mutant("settle.unknown")) continue;
    const auto& message = messages[i];
    settlements.push_back(
        {message.id, message.user, message.quantity, settle_action(receipts[i].outcome)});
  }
  if (settlements.empty()) co_return;
  auto under = call(lane, settings_.reserve_timeout);
  // The lane may have a newer epoch by now, or none that is known.
  under.epoch = messages.front().epoch;
  // Settled before it is answered, so that no lookup sees the order go back to queued.
  const auto settled = co_await inventory.settle(under, settlements);
  if (!settled) {
    log().warn("{} orders left for recovery to settle: {}", settlements.size(),
               settled.error().message());
  }
}

std::optional<Refusal> PurchaseService::ask_sold_out_view(const Lane& lane,
                                                          const Wish& wish) const {
  switch (lane.sold_out.ask(wish.user, ports_.clock.ticks())) {
    case SoldOutView::Answer::ask_the_lane:
      return std::nullopt;
    case SoldOutView::Answer::sold_out_for_now:
      return sold_out(true);
    case SoldOutView::Answer::sold_out:
      return sold_out(wish.held_unpaid);
  }
  return std::nullopt;
}

asio::awaitable<void> PurchaseService::upkeep() {
  while (!stopped_) {
    // Coroutines may add lanes while one is looked after: work on a list of this round.
    std::vector<Lane*> lanes;
    for (const auto& [id, lane] : lanes_) lanes.push_back(lane.get());
    for (auto* lane : lanes) co_await upkeep_lane(*lane);
    co_await ports_.clock.sleep_until(ports_.clock.ticks() + kUpkeepEvery);
  }
}

asio::awaitable<void> PurchaseService::upkeep_lane(Lane& lane) {
  const auto step = lane.sold_out.next(ports_.clock.ticks());
  if (step == SoldOutView::Step::none) co_return;
  auto& inventory = *ports_.routes.route(lane.id).inventory;
  const auto asked_under = call(lane, settings_.reserve_timeout);
  if (step == SoldOutView::Step::check_version) {
    const auto view = co_await inventory.view(asked_under);
    if (view) lane.sold_out.seen(*view, ports_.clock.ticks());
    co_return;
  }
  auto winners = co_await inventory.winners(asked_under);
  if (winners) lane.sold_out.winners(asked_under.epoch, std::move(*winners), ports_.clock.ticks());
}

PurchaseService::Lane& PurchaseService::lane(LaneId id) {
  auto& slot = lanes_[id];
  if (!slot) {
    slot = std::make_unique<Lane>(id, settings_.sold_out_fresh);
    Purchases::Limits limits;
    limits.batch_max = settings_.batch_max;
    limits.in_flight_max = settings_.batches_max;
    auto work = [this, lane = slot.get()](Purchases::Batch& batch) {
      return purchase_batch(*lane, batch);
    };
    slot->purchases =
        std::make_unique<Purchases>(executor_, limits, PurchaseAnswer{}, std::move(work));
  }
  return *slot;
}

Call PurchaseService::call(const Lane& lane, Millis timeout) const {
  return {lane.id, lane.epoch, ports_.clock.ticks() + timeout};
}

}  // namespace sluice
