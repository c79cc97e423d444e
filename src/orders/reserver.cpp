#include "sluice/orders/reserver.hpp"

#include <utility>

#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

OrderMessage message_of(const Attempt& attempt, LaneId lane) {
  return {attempt.id,         lane,
          attempt.id.epoch(), attempt.user,
          attempt.quantity,   attempt.id.created_at()};
}

/// An inventory behind the lane's fence grants what the store refuses.
bool sells(const LaneView& view, Epoch fence) {
  const bool behind = view.epoch < fence && !mutant("purchase.behind_the_fence");
  return view.ready && !behind;
}

}  // namespace

struct Reserver::Lane {
  explicit Lane(LaneId i) : id(i) {}
  LaneId id;
  Epoch epoch = 0;  ///< 0: not known yet.
  std::unique_ptr<Requests> requests;
};

struct Reserver::Counters {
  explicit Counters(Metrics& metrics)
      : reserved(metrics.counter("sluice_reservations_total", "Purchases that hold units.")),
        lost(metrics.counter("sluice_reservations_refused_total",
                             "Purchases that the lane refused.")),
        batch_size(metrics.histogram("sluice_reserve_batch_size", "Purchases in a reserve call.",
                                     {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024})) {}
  Counter& reserved;
  Counter& lost;
  Histogram& batch_size;
};

Reserver::Reserver(asio::any_io_executor executor, PurchaseSettings settings, Ports ports)
    : executor_(std::move(executor)),
      settings_(settings),
      ports_(ports),
      counters_(std::make_unique<Counters>(ports.metrics)) {}

Reserver::~Reserver() = default;

asio::awaitable<Result<Reserved>> Reserver::reserve(LaneId lane, UserId user,
                                                    std::uint32_t quantity) {
  Request request{std::move(user), quantity};
  return this->lane(lane).requests->submit(std::move(request));
}

asio::awaitable<void> Reserver::reserve_batch(Lane& lane, Requests::Batch& batch) {
  // The whole batch ends with the services that it began with, whatever the mode is by then.
  const auto services = ports_.router.at(lane.id);
  std::vector<Attempt> attempts;
  const auto reply = co_await ask(lane, services, batch, attempts);
  batch.release();
  if (!reply) {
    for (auto& item : batch.items) item.answer.resume_here(reply.error());
    co_return;
  }
  std::size_t granted = 0;
  bool sold_out = false;
  for (const auto& reservation : reply->reservations) {
    sold_out |= reservation.verdict == Verdict::sold_out;
    granted += reservation.verdict == Verdict::granted ? 1 : 0;
  }
  if (sold_out) ports_.sold_out.said_sold_out(lane.id, lane.epoch, *reply);
  counters_->batch_size.Observe(static_cast<double>(batch.items.size()));
  counters_->reserved.Increment(static_cast<double>(granted));
  counters_->lost.Increment(static_cast<double>(batch.items.size() - granted));
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const auto& reservation = reply->reservations[i];
    Reserved reserved{services, reservation, {}, reply->may_return};
    if (reservation.verdict == Verdict::granted) {
      reserved.message = message_of(attempts[i], lane.id);
    }
    batch.items[i].answer.resume_here(std::move(reserved));
  }
}

Task<ReserveReply> Reserver::ask(Lane& lane, const LaneServices& services,
                                 const Requests::Batch& batch, std::vector<Attempt>& attempts) {
  const auto give_up = ports_.clock.ticks() + settings_.answer_timeout - settings_.publish_timeout;
  const boost::system::error_code open = Errc::unknown;
  bool learned = false;
  bool maybe_reserved = false;
  for (;;) {
    if (lane.epoch == 0) {
      learned = true;
      const auto known = co_await learn_epoch(lane, services);
      if (!known) co_return maybe_reserved ? open : known.error();
      attempts.clear();
    }
    if (attempts.empty() || mutant("purchase.new_ids")) attempts = make_attempts(lane, batch);

    auto reply = co_await services.inventory.reserve(call(lane), attempts);
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

Task<> Reserver::learn_epoch(Lane& lane, const LaneServices& services) {
  const auto view = co_await services.inventory.view(call(lane));
  // Looking reserves nothing, whatever became of it.
  if (!view) co_return Errc::unavailable;
  if (!sells(*view, services.fence)) co_return Errc::not_ready;
  lane.epoch = view->epoch;
  co_return boost::system::in_place_value;
}

std::vector<Attempt> Reserver::make_attempts(const Lane& lane, const Requests::Batch& batch) const {
  std::vector<Attempt> attempts;
  attempts.reserve(batch.items.size());
  const auto now = ports_.clock.now();
  for (const auto& item : batch.items) {
    const auto& [user, quantity] = item.request;
    const auto id = ports_.seal.issue(lane.id, lane.epoch, user, now, ports_.random());
    attempts.push_back({id, user, quantity});
  }
  return attempts;
}

Reserver::Lane& Reserver::lane(LaneId id) {
  auto& slot = lanes_[id];
  if (!slot) {
    slot = std::make_unique<Lane>(id);
    const Requests::Limits limits{settings_.batch_max, settings_.batches_max};
    auto work = [this, lane = slot.get()](Requests::Batch& batch) {
      return reserve_batch(*lane, batch);
    };
    const boost::system::error_code failed = Errc::internal;
    slot->requests = std::make_unique<Requests>(executor_, limits, failed, std::move(work));
  }
  return *slot;
}

Call Reserver::call(const Lane& lane) const {
  return {lane.id, lane.epoch, ports_.clock.ticks() + settings_.reserve_timeout};
}

}  // namespace sluice
