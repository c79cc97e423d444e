#include "sluice/gate/lag.hpp"

#include <algorithm>
#include <cmath>

namespace sluice {
namespace {

// In a shorter time the reader commits too few transactions to measure its speed.
constexpr Millis kMeasureMin{500};

// How a node's share follows a lag that several nodes cause without knowing each other.
constexpr Millis kShareEvery{1000};
constexpr double kShareFall = 0.7;
constexpr double kShareRise = 1.03;
constexpr double kShareMin = 0.001;
constexpr double kWorkedOff = 0.2;  // The lag must shrink at this share of the drain rate.

double seconds(Ticks::duration span) { return std::chrono::duration<double>(span).count(); }

}  // namespace

Lag::Lag(LagSettings settings)
    : settings_(settings), drain_(settings.drain_start_per_s), share_(settings.admit_share) {}

void Lag::feed(Ticks now, std::optional<std::int64_t> log_end,
               std::optional<std::int64_t> applied) {
  if (log_end) log_end_ = std::max<std::int64_t>(*log_end, 0);
  if (applied) {
    see_applied(now, std::max<std::int64_t>(*applied, 0));
  } else {
    // Without news it is not known when in that time the reader worked: measure from the next.
    base_.reset();
  }
  if (log_end || applied) estimate(now);
}

std::optional<double> Lag::admit_per_s() const {
  if (!backlogged_) return std::nullopt;
  if (messages_ >= settings_.messages_max) return 0;
  if (stalled_) return settings_.trickle_per_s;
  return std::max(settings_.trickle_per_s, share_ * drain_);
}

void Lag::see_applied(Ticks now, std::int64_t applied) {
  if (!progress_at_ || applied != applied_) progress_at_ = now;
  // Back to an earlier position: another log.
  if (applied < applied_) base_.reset();
  applied_ = applied;
  learn_drain(now, applied);
}

void Lag::learn_drain(Ticks now, std::int64_t applied) {
  const Base here{now, applied, log_end_};
  if (!base_ || applied == base_->applied) {
    base_ = here;
    return;
  }
  const auto span = now - base_->at;
  if (span < kMeasureMin) return;
  const double rate = static_cast<double>(applied - base_->applied) / seconds(span);
  const bool always_had_work = applied < base_->log_end;
  if (!always_had_work) {
    drain_ = std::max(drain_, rate);
  } else if (!drain_measured_) {
    drain_ = rate;
    drain_measured_ = true;
  } else {
    const double weight = -std::expm1(-seconds(span) / seconds(settings_.memory));
    drain_ += weight * (rate - drain_);
  }
  base_ = here;
}

void Lag::estimate(Ticks now) {
  // The store has not said yet how far the log is applied.
  if (!progress_at_) return;
  messages_ = std::max<std::int64_t>(log_end_ - applied_, 0);
  if (messages_ == 0) progress_at_ = now;
  const auto without_progress = now - *progress_at_;
  const double wait = static_cast<double>(messages_) / drain_ + seconds(without_progress);
  const double wait_max = seconds(settings_.wait_max);
  wait_ = Millis(std::llround(1000 * std::min(wait, wait_max)));
  stalled_ = without_progress >= settings_.stalled_after;
  if (wait_ > settings_.slow_wait || messages_ >= settings_.messages_max) {
    backlogged_ = true;
  } else if (wait_ < settings_.slow_wait / 2 && messages_ <= settings_.messages_max / 2) {
    backlogged_ = false;
  }
  adapt_share(now);
}

void Lag::adapt_share(Ticks now) {
  if (!backlogged_ || !sharing_) {
    share_ = settings_.admit_share;
    sharing_ = backlogged_;
  } else if (now - share_at_ < kShareEvery) {
    return;
  } else if (!stalled_) {
    const double expected = kWorkedOff * drain_ * seconds(now - share_at_);
    const bool too_slow = static_cast<double>(messages_then_ - messages_) < expected;
    share_ = std::clamp(share_ * (too_slow ? kShareFall : kShareRise),
                        std::min(kShareMin, settings_.admit_share), settings_.admit_share);
  }
  share_at_ = now;
  messages_then_ = messages_;
}

}  // namespace sluice
