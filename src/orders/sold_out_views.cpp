#include "sluice/orders/sold_out_views.hpp"

#include <utility>
#include <vector>

#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

constexpr Millis kUpkeepEvery{50};
constexpr Millis kSoldOutForNowWait{2000};

}  // namespace

AdmissionStage SoldOutViews::stage(Random& random) const {
  return [this, &random](Admission& admission) -> std::optional<Refusal> {
    const auto known = views_.find(admission.lane);
    if (known == views_.end()) return std::nullopt;
    switch (known->second.ask(*admission.user, admission.ticks)) {
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

void SoldOutViews::said_sold_out(LaneId lane, Epoch epoch, const ReserveReply& reply) {
  auto& view = views_.try_emplace(lane, settings_.sold_out_fresh).first->second;
  view.said_sold_out(epoch, reply.version, reply.may_return, clock_.ticks());
}

boost::asio::awaitable<void> SoldOutViews::upkeep() {
  for (;;) {
    // Coroutines may add views while one is looked after: work on a list of this round.
    std::vector<std::pair<LaneId, SoldOutView*>> views;
    for (auto& [lane, view] : views_) views.emplace_back(lane, &view);
    for (const auto& [lane, view] : views) co_await look_after(lane, *view);
    co_await clock_.sleep_until(clock_.ticks() + kUpkeepEvery);
  }
}

boost::asio::awaitable<void> SoldOutViews::look_after(LaneId lane, SoldOutView& view) {
  const auto step = view.next(clock_.ticks());
  if (step == SoldOutView::Step::none) co_return;
  auto& inventory = router_.at(lane).inventory;
  const Call call{lane, view.epoch(), clock_.ticks() + settings_.reserve_timeout};
  if (step == SoldOutView::Step::check_version) {
    const auto seen = co_await inventory.view(call);
    if (seen) view.seen(*seen, clock_.ticks());
    co_return;
  }
  auto winners = co_await inventory.winners(call);
  if (winners) view.winners(call.epoch, std::move(*winners), clock_.ticks());
}

Refusal sold_out(bool may_return, Random& random) {
  if (!may_return) return {Code::sold_out, {}};
  return {Code::sold_out_for_now, jittered(kSoldOutForNowWait, random)};
}

bool may_expire(const Sale& sale) {
  return must_be_paid(sale.terms) && !mutant("sold_out.unpaid_final");
}

}  // namespace sluice
