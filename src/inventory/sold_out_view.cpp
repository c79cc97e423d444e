#include "sluice/inventory/sold_out_view.hpp"

#include <utility>

#include "sluice/base/mutation.hpp"

namespace sluice {

SoldOut::Answer SoldOut::ask(const UserId& user, std::uint64_t newest, Ticks now) const noexcept {
  if (now >= until_.load()) return Answer::ask_the_lane;
  if (newest > moment_ && !mutant("sold_out.news_ignored")) return Answer::ask_the_lane;
  if (winners_.contains(winner_hash(user))) return Answer::ask_the_lane;
  return may_return_.load() ? Answer::sold_out_for_now : Answer::sold_out;
}

void SoldOut::renew(Ticks until, bool may_return) noexcept {
  may_return_.store(may_return);
  until_.store(until);
}

void SoldOutView::said_sold_out(Epoch epoch) {
  if (epoch < epoch_) return;
  if (epoch > epoch_) {
    const auto before = std::exchange(cursor_, {});
    forget();
    if (mutant("sold_out.other_winners")) cursor_ = before;
    epoch_ = epoch;
  }
  if (state_ != State::open) return;
  state_ = State::reading;
  next_at_ = {};
}

std::optional<SoldOutView::Page> SoldOutView::next(bool asked, Ticks now) {
  if (state_ == State::open || now < next_at_) return std::nullopt;
  if (state_ == State::complete && !asked) return std::nullopt;
  next_at_ = now + fresh_for_ / 4;
  return Page{epoch_, cursor_};
}

void SoldOutView::read(Epoch epoch, Result<WinnersPage> page, Ticks asked_at) {
  if (epoch != epoch_ || state_ == State::open) return;
  if (!page) {
    const bool over = page.error() == Errc::not_ready || page.error() == Errc::invalid;
    if (over) forget();
    return;
  }
  const auto moment = lane_moment(epoch, page->version);
  const bool grown = !page->hashes.empty();
  const bool same = known_ && known_->moment() == moment && !grown && page->last;
  if (!same) close();
  winners_.add(std::move(page->hashes));
  cursor_ = std::move(page->next);
  if (!page->last && !mutant("sold_out.first_page")) {
    state_ = State::reading;
    next_at_ = {};
    return;
  }
  if (page->stock > 0 && !mutant("sold_out.units_left")) {
    close();
    state_ = State::open;
    return;
  }
  state_ = State::complete;
  if (!same) known_ = std::make_shared<SoldOut>(moment, winners_);
  // Counted from the question: what happened on the way to the answer is not known.
  known_->renew(asked_at + fresh_for_, page->may_return && !mutant("sold_out.view_final"));
}

void SoldOutView::close() {
  if (known_) known_->close();
}

void SoldOutView::forget() {
  close();
  known_.reset();
  winners_ = {};
  cursor_.clear();
  state_ = State::open;
}

}  // namespace sluice
