#include "sluice/orders/reserver.hpp"

#include <algorithm>
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

}  // namespace

Reserver::Reserver(asio::any_io_executor executor, PurchaseSettings settings, Ports ports)
    : executor_(std::move(executor)),
      settings_(settings),
      ports_(ports),
      reserved_(ports.metrics.counter("sluice_reservations_total", "Purchases that hold units.")),
      refused_(ports.metrics.counter("sluice_reservations_refused_total",
                                     "Purchases that the lane refused.")),
      batch_size_(ports.metrics.histogram("sluice_reserve_batch_size",
                                          "Purchases in a reserve call.",
                                          {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024})) {}

asio::awaitable<Result<Reserved>> Reserver::reserve(LaneId lane, UserId user,
                                                    std::uint32_t quantity) {
  const Requests::Limits limits{settings_.batch_max, settings_.batches_max};
  auto work = [this, lane](Requests::Batch& batch) { return reserve_batch(lane, batch); };
  auto& requests =
      requests_.try_emplace(lane, executor_, limits, Errc::internal, work).first->second;
  Request request{std::move(user), quantity};
  return requests.submit(std::move(request));
}

asio::awaitable<void> Reserver::reserve_batch(LaneId lane, Requests::Batch& batch) {
  // The whole batch ends with the services that it began with, whatever the mode is by then.
  const auto services = ports_.router.at(lane);
  std::vector<Attempt> attempts;
  const auto reply = co_await ask(lane, services, batch, attempts);
  batch.release();
  if (!reply) {
    for (auto& item : batch.items) item.answer.resume_here(reply.error());
    co_return;
  }
  const auto count = [&reply](Verdict verdict) {
    return std::ranges::count(reply->reservations, verdict, &Reservation::verdict);
  };
  ports_.sold_out.heard(lane, attempts.front().id.epoch(), *reply);
  const auto asked = static_cast<double>(batch.items.size());
  const auto granted = static_cast<double>(count(Verdict::granted));
  batch_size_.Observe(asked);
  reserved_.Increment(granted);
  refused_.Increment(asked - granted);
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const auto& reservation = reply->reservations[i];
    Reserved reserved{services, reservation, {}, reply->may_return};
    if (reservation.verdict == Verdict::granted) reserved.message = message_of(attempts[i], lane);
    batch.items[i].answer.resume_here(std::move(reserved));
  }
}

Task<ReserveReply> Reserver::ask(LaneId lane, const LaneServices& services,
                                 const Requests::Batch& batch, std::vector<Attempt>& attempts) {
  auto& epoch = epochs_[lane];
  const auto give_up = ports_.clock.ticks() + settings_.answer_timeout - settings_.publish_timeout;
  const boost::system::error_code open = Errc::unknown;
  bool learned = false;
  bool maybe_reserved = false;
  for (;;) {
    if (epoch == 0) {
      learned = true;
      const auto found = co_await find_epoch(services, lane, deadline());
      if (!found) co_return maybe_reserved ? open : found.error();
      epoch = *found;
      attempts.clear();
    }
    if (attempts.empty() || mutant("purchase.new_ids")) {
      attempts = make_attempts(lane, epoch, batch);
    }

    const Call call{lane, epoch, deadline()};
    auto reply = co_await services.inventory.reserve(call, attempts);
    if (reply) co_return reply;
    bool again = false;
    if (reply.error() == Errc::not_ready) {
      epoch = 0;
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

std::vector<Attempt> Reserver::make_attempts(LaneId lane, Epoch epoch,
                                             const Requests::Batch& batch) const {
  std::vector<Attempt> attempts;
  attempts.reserve(batch.items.size());
  const auto now = ports_.clock.now();
  for (const auto& item : batch.items) {
    const auto& [user, quantity] = item.request;
    const auto id = ports_.seal.issue(lane, epoch, user, now, ports_.random());
    attempts.push_back({id, user, quantity});
  }
  return attempts;
}

}  // namespace sluice
