#include "sluice/dependency/breaker.hpp"

#include <algorithm>

namespace sluice {
namespace {

constexpr int kNotHeld = -1;

std::size_t index_of(Breaker::State state) { return static_cast<std::size_t>(state); }

}  // namespace

Breaker::Breaker(BreakerSettings settings)
    : settings_(settings),
      part_ns_(std::max<std::int64_t>(
          std::chrono::nanoseconds(settings.window).count() / static_cast<std::int64_t>(kParts),
          1)),
      open_for_(settings.open_for) {}

bool Breaker::permit(Ticks now) {
  const auto hold = held();
  if (hold == State::closed) return true;
  if (hold == State::open) return false;
  if (state_.load() == State::closed) return true;

  std::lock_guard lock(mutex_);
  pass_time(now);
  if (state_ == State::closed) return true;
  // A thread whose clock reading is older than the change of state could not be told from late
  // ones.
  if (state_ == State::open || now < since_.load()) return false;
  std::erase_if(trials_, [&](Ticks began) { return now - began >= settings_.trial_timeout; });
  if (trials_.size() + good_trials_ >= settings_.trials) return false;
  trials_.push_back(now);
  return true;
}

void Breaker::record(Ticks now, bool ok, Millis took) {
  const auto began = now - took;
  if (began < since_.load()) return;
  const bool slow = took > settings_.slow;
  const bool good = ok && !slow;
  if (state_.load() == State::closed) {
    count(now, ok, slow);
    if (good || !too_bad(now)) return;
  }
  std::lock_guard lock(mutex_);
  // Another thread may have changed the state meanwhile.
  if (began < since_.load()) return;
  if (state_ == State::closed) {
    if (!good && too_bad(now)) open(now);
  } else if (state_ == State::half_open) {
    record_trial(now, good);
  }
}

Breaker::State Breaker::state(Ticks now) {
  if (const auto hold = held(); hold && *hold != State::half_open) return *hold;
  if (state_.load() == State::closed) return State::closed;
  std::lock_guard lock(mutex_);
  pass_time(now);
  return state_;
}

void Breaker::reset(Ticks now) {
  std::lock_guard lock(mutex_);
  forget_calls();
  // The next opening is as long as a first one.
  open_for_ = settings_.open_for / 2;
  if (state_.load() != State::closed) become(State::closed, now);
}

void Breaker::hold(std::optional<State> state) {
  hold_.store(state ? static_cast<int>(*state) : kNotHeld);
}

std::optional<Breaker::State> Breaker::held() const {
  const int hold = hold_.load(std::memory_order_relaxed);
  if (hold == kNotHeld) return std::nullopt;
  return static_cast<State>(hold);
}

Breaker::Transitions Breaker::transitions() const {
  return {entered_[index_of(State::closed)].load(), entered_[index_of(State::open)].load(),
          entered_[index_of(State::half_open)].load()};
}

std::int64_t Breaker::number_of(Ticks now) const {
  return now.time_since_epoch().count() / part_ns_;
}

void Breaker::count(Ticks now, bool ok, bool slow) {
  const auto number = number_of(now);
  auto& part = parts_[static_cast<std::size_t>(number) % kParts];
  if (part.number.load(std::memory_order_acquire) != number) {
    std::lock_guard lock(mutex_);
    const auto stored = part.number.load(std::memory_order_relaxed);
    if (stored > number) return;
    if (stored < number) {
      part.calls.store(0, std::memory_order_relaxed);
      part.failures.store(0, std::memory_order_relaxed);
      part.slow.store(0, std::memory_order_relaxed);
      part.number.store(number, std::memory_order_release);
    }
  }
  part.calls.fetch_add(1, std::memory_order_relaxed);
  if (!ok) part.failures.fetch_add(1, std::memory_order_relaxed);
  if (slow) part.slow.fetch_add(1, std::memory_order_relaxed);
}

bool Breaker::too_bad(Ticks now) const {
  const auto newest = number_of(now);
  std::uint64_t calls = 0;
  std::uint64_t failures = 0;
  std::uint64_t slow = 0;
  for (const auto& part : parts_) {
    const auto number = part.number.load(std::memory_order_acquire);
    if (number < 0 || number + static_cast<std::int64_t>(kParts) <= newest) continue;
    calls += part.calls.load(std::memory_order_relaxed);
    failures += part.failures.load(std::memory_order_relaxed);
    slow += part.slow.load(std::memory_order_relaxed);
  }
  if (calls < std::max<std::uint32_t>(settings_.calls_min, 1)) return false;
  const auto share = [&](std::uint64_t of) {
    return static_cast<double>(of) / static_cast<double>(calls);
  };
  return share(failures) >= settings_.failure_ratio || share(slow) >= settings_.slow_ratio;
}

void Breaker::forget_calls() {
  for (auto& part : parts_) part.number.store(-1);
}

void Breaker::become(State state, Ticks now) {
  since_.store(now);
  state_.store(state);
  entered_[index_of(state)].fetch_add(1);
}

void Breaker::open(Ticks now) {
  const bool first_time = entered_[index_of(State::open)].load() == 0;
  const bool settled =
      state_ == State::closed && (first_time || now - since_.load() >= settings_.settled_after);
  open_for_ = settled ? settings_.open_for : std::min(2 * open_for_, settings_.open_max);
  become(State::open, now);
}

void Breaker::pass_time(Ticks now) {
  if (state_ != State::open) return;
  const auto end = since_.load() + open_for_;
  if (now < end) return;
  good_trials_ = 0;
  trials_.clear();
  become(State::half_open, end);
}

void Breaker::record_trial(Ticks now, bool good) {
  if (!trials_.empty()) trials_.erase(trials_.begin());
  if (!good) {
    open(now);
    return;
  }
  if (++good_trials_ < settings_.trials) return;
  forget_calls();
  become(State::closed, now);
}

}  // namespace sluice
