#include "sluice/inventory/sold_out_view.hpp"

#include <utility>

#include "sluice/base/mutation.hpp"

namespace sluice {

void SoldOutView::said_sold_out(Epoch epoch, std::uint64_t version, bool may_return, Ticks now) {
  if (state_ != State::open && epoch == epoch_ && version == version_) {
    may_return_ = may_return;
    return;
  }
  state_ = State::incomplete;
  epoch_ = epoch;
  version_ = version;
  may_return_ = may_return;
  winners_.clear();
  checked_at_ = now;
  asked_at_ = now - fresh_for_;
}

void SoldOutView::winners(Epoch epoch, Winners winners, Ticks now) {
  if (state_ != State::incomplete || epoch < epoch_) return;
  if ((epoch != epoch_ || winners.version != version_) && !mutant("sold_out.other_winners")) {
    state_ = State::open;
    return;
  }
  winners_.clear();
  for (auto& user : winners.users) winners_.insert(std::move(user));
  state_ = State::complete;
  checked_at_ = now;
}

void SoldOutView::seen(const LaneView& lane, Ticks now) {
  if (state_ == State::open) return;
  if (!lane.ready || lane.epoch != epoch_ || lane.version != version_ || lane.stock > 0) {
    state_ = State::open;
    winners_.clear();
    return;
  }
  may_return_ = lane.pending > 0 && !mutant("sold_out.view_final");
  checked_at_ = now;
}

SoldOutView::Step SoldOutView::next(Ticks now) {
  if (state_ == State::open || now - asked_at_ < fresh_for_ / 4) return Step::none;
  asked_at_ = now;
  return state_ == State::incomplete ? Step::fetch_winners : Step::check_version;
}

SoldOutView::Answer SoldOutView::ask(const UserId& user, Ticks now) const {
  if (state_ != State::complete || now - checked_at_ >= fresh_for_) return Answer::ask_the_lane;
  if (winners_.contains(user)) return Answer::ask_the_lane;
  return may_return_ ? Answer::sold_out_for_now : Answer::sold_out;
}

}  // namespace sluice
