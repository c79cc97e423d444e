#include "sluice/dependency/breaker.hpp"

#include <algorithm>

namespace sluice {
namespace {

std::size_t index_of(Breaker::State state) { return static_cast<std::size_t>(state); }

}  // namespace

Breaker::Breaker(BreakerSettings settings)
    : settings_(settings),
      part_ns_(
          std::max<std::int64_t>(std::chrono::nanoseconds(settings.window).count() / kParts, 1)),
      open_for_(settings.open_for) {}

bool Breaker::permit(Ticks now) {
  const std::lock_guard lock(mutex_);
  if (hold_ == State::closed) return true;
  if (hold_ == State::open) return false;
  pass_time(now);
  if (state_ == State::closed) return true;
  // A thread whose clock reading is older than the change of state could not be told from late
  // ones.
  if (state_ == State::open || now < since_) return false;
  std::erase_if(trials_, [&](Ticks began) { return now - began >= settings_.trial_timeout; });
  if (trials_.size() + good_trials_ >= settings_.trials) return false;
  trials_.push_back(now);
  return true;
}

void Breaker::record(Ticks now, bool ok, Millis took) {
  const std::lock_guard lock(mutex_);
  if (now - took < since_) return;
  const bool slow = took > settings_.slow;
  const bool good = ok && !slow;
  if (state_ == State::closed) {
    count(now, ok, slow);
    if (!good && too_bad(now)) open(now);
  } else if (state_ == State::half_open) {
    record_trial(now, good);
  }
}

Breaker::State Breaker::state(Ticks now) {
  const std::lock_guard lock(mutex_);
  if (hold_ && hold_ != State::half_open) return *hold_;
  pass_time(now);
  return state_;
}

void Breaker::reset(Ticks now) {
  const std::lock_guard lock(mutex_);
  parts_ = {};
  // The next opening is as long as a first one.
  open_for_ = settings_.open_for / 2;
  if (state_ != State::closed) become(State::closed, now);
}

void Breaker::hold(std::optional<State> state) {
  const std::lock_guard lock(mutex_);
  hold_ = state;
}

Breaker::Transitions Breaker::transitions() const {
  const std::lock_guard lock(mutex_);
  return {entered_[index_of(State::closed)], entered_[index_of(State::open)],
          entered_[index_of(State::half_open)]};
}

std::int64_t Breaker::number_of(Ticks now) const {
  return now.time_since_epoch().count() / part_ns_;
}

void Breaker::count(Ticks now, bool ok, bool slow) {
  const auto number = number_of(now);
  auto& part = parts_[static_cast<std::size_t>(number % kParts)];
  if (part.number > number) return;
  if (part.number < number) part = Part{number};
  ++part.calls;
  if (!ok) ++part.failures;
  if (slow) ++part.slow;
}

bool Breaker::too_bad(Ticks now) const {
  const auto newest = number_of(now);
  Part all;
  for (const auto& part : parts_) {
    if (part.number + kParts <= newest) continue;
    all.calls += part.calls;
    all.failures += part.failures;
    all.slow += part.slow;
  }
  if (all.calls < std::max<std::uint32_t>(settings_.calls_min, 1)) return false;
  const auto share = [&](std::uint32_t of) { return static_cast<double>(of) / all.calls; };
  return share(all.failures) >= settings_.failure_ratio || share(all.slow) >= settings_.slow_ratio;
}

void Breaker::become(State state, Ticks now) {
  since_ = now;
  state_ = state;
  ++entered_[index_of(state)];
}

void Breaker::open(Ticks now) {
  const bool first_time = entered_[index_of(State::open)] == 0;
  const bool settled =
      state_ == State::closed && (first_time || now - since_ >= settings_.settled_after);
  open_for_ = settled ? settings_.open_for : std::min(2 * open_for_, settings_.open_max);
  become(State::open, now);
}

void Breaker::pass_time(Ticks now) {
  if (state_ != State::open || now < since_ + open_for_) return;
  good_trials_ = 0;
  trials_.clear();
  become(State::half_open, since_ + open_for_);
}

void Breaker::record_trial(Ticks now, bool good) {
  if (!trials_.empty()) trials_.erase(trials_.begin());
  if (!good) {
    open(now);
    return;
  }
  if (++good_trials_ < settings_.trials) return;
  parts_ = {};
  become(State::closed, now);
}

}  // namespace sluice
