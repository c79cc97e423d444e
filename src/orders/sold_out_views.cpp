#include "sluice/orders/sold_out_views.hpp"

#include <utility>
#include <vector>

#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

constexpr Millis kUpkeepEvery{50};
constexpr Millis kSoldOutForNowWait{2000};

}  // namespace

SoldOutView::Answer SoldOutViews::ask(LaneId lane, const UserId& user, Ticks now) const {
  const auto known = lanes_.find(lane);
  if (known == lanes_.end()) return SoldOutView::Answer::ask_the_lane;
  return known->second->view.ask(user, now);
}

void SoldOutViews::said_sold_out(LaneId id, Epoch epoch, const ReserveReply& reply) {
  auto& lane = lanes_[id];
  if (!lane) lane = std::make_unique<Lane>(Lane{SoldOutView(settings_.sold_out_fresh), 0});
  lane->epoch = epoch;
  lane->view.said_sold_out(epoch, reply.version, reply.may_return, clock_.ticks());
}

boost::asio::awaitable<void> SoldOutViews::upkeep() {
  while (!stopped_) {
    // Coroutines may add lanes while one is looked after: work on a list of this round.
    std::vector<std::pair<LaneId, Lane*>> lanes;
    for (const auto& [id, lane] : lanes_) lanes.emplace_back(id, lane.get());
    for (const auto& [id, lane] : lanes) co_await look_after(id, *lane);
    co_await clock_.sleep_until(clock_.ticks() + kUpkeepEvery);
  }
}

boost::asio::awaitable<void> SoldOutViews::look_after(LaneId id, Lane& lane) {
  const auto step = lane.view.next(clock_.ticks());
  if (step == SoldOutView::Step::none) co_return;
  auto& inventory = router_.at(id).inventory;
  const Call call{id, lane.epoch, clock_.ticks() + settings_.reserve_timeout};
  if (step == SoldOutView::Step::check_version) {
    const auto seen = co_await inventory.view(call);
    if (seen) lane.view.seen(*seen, clock_.ticks());
    co_return;
  }
  auto winners = co_await inventory.winners(call);
  if (winners) lane.view.winners(call.epoch, std::move(*winners), clock_.ticks());
}

AdmissionStage create_sold_out_stage(const SoldOutViews& views, Random& random) {
  return [&views, &random](Admission& admission) -> std::optional<Refusal> {
    switch (views.ask(admission.lane, *admission.user, admission.ticks)) {
      case SoldOutView::Answer::ask_the_lane:
        break;
      case SoldOutView::Answer::sold_out_for_now:
        return sold_out(true, random);
      case SoldOutView::Answer::sold_out:
        return sold_out(may_expire(*admission.sale), random);
    }
    return std::nullopt;
  };
}

Refusal sold_out(bool may_return, Random& random) {
  if (!may_return) return {Code::sold_out, {}};
  return {Code::sold_out_for_now, jittered(kSoldOutForNowWait, random)};
}

bool may_expire(const Sale& sale) {
  return must_be_paid(sale.terms) && !mutant("sold_out.unpaid_final");
}

}  // namespace sluice
