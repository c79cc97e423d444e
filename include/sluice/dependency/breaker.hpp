#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "sluice/base/time.hpp"

namespace sluice {

struct BreakerSettings {
  std::uint32_t calls_min = 20;  ///< Calls in the window before it is judged; 1 … 1,000,000.
  double failure_ratio = 0.5;    ///< Opens from this share of failures on; above 0, at most 1.
  Millis slow{1000};             ///< A call that takes longer is slow; 1 ms … 1 h.
  double slow_ratio = 0.8;       ///< Opens from this share of slow calls on; above 0, at most 1.
  Millis window{10'000};         ///< How far back calls count, in ten steps; 10 ms … 1 h.
  Millis open_for{1000};         ///< The first time that it stays open; 1 ms … `open_max`.
  Millis open_max{30'000};  ///< Each time that trials fail it doubles, up to this; at most 1 h.
  Millis settled_after{30'000};  ///< Closed for so long, it forgets that it had doubled; 0 … 24 h.
  std::uint32_t trials = 3;      ///< Consecutive good calls that close it again; 1 … 1,000.
  Millis trial_timeout{10'000};  ///< A trial never reported gives its place back; 1 ms … 1 h.
};

/// Stops calls to a service that fails or is slow, and tries with a few calls whether it is back.
///
/// closed → open when a call fails or is slow and the window holds enough of the kind; open →
/// half-open by time; half-open lets `trials` calls through: all good → closed, one bad (slow
/// counts) → open again, for twice as long. Thread-safe.
class Breaker {
 public:
  enum class State : std::uint8_t { closed, open, half_open };

  /// How often each state was entered, holds aside.
  struct Transitions {
    std::uint64_t closed = 0;
    std::uint64_t opened = 0;
    std::uint64_t half_opened = 0;
  };

  explicit Breaker(BreakerSettings settings);

  /// Whether a call may be made now. Who is permitted calls and then reports with `record`.
  bool permit(Ticks now);

  /// The end of a permitted call that took `took`, rounded down. What began before the present
  /// state began says nothing about it and is ignored.
  void record(Ticks now, bool ok, Millis took);

  /// Closes it and forgets all that happened. What is under way says nothing any more.
  void reset(Ticks now);

  /// The state at `now`. Half-open, somebody has to make calls, or it stays so.
  State state(Ticks now);

  /// Set by an operator: open permits nothing, closed permits everything, half-open or empty leaves
  /// it to the calls. They are counted and judged meanwhile as always.
  void hold(std::optional<State> state);

  Transitions transitions() const;
  const BreakerSettings& settings() const noexcept { return settings_; }

 private:
  static constexpr std::int64_t kParts = 10;

  /// Calls of one tenth of the window.
  struct Part {
    std::int64_t number = 0;  ///< Which tenth since the clock began.
    std::uint32_t calls = 0;
    std::uint32_t failures = 0;
    std::uint32_t slow = 0;
  };

  std::int64_t number_of(Ticks now) const;
  void count(Ticks now, bool ok, bool slow);
  bool too_bad(Ticks now) const;
  void become(State state, Ticks now);
  void open(Ticks now);
  void pass_time(Ticks now);
  void record_trial(Ticks now, bool good);

  const BreakerSettings settings_;
  const std::int64_t part_ns_;

  mutable std::mutex mutex_;  ///< Guards what follows.
  std::array<Part, kParts> parts_;
  State state_ = State::closed;
  Ticks since_{};  ///< When the present state began.
  std::optional<State> hold_;
  std::array<std::uint64_t, 3> entered_{};  ///< By `State`.
  Millis open_for_;                         ///< How long the present or next opening lasts.
  std::uint32_t good_trials_ = 0;
  std::vector<Ticks> trials_;  ///< When each trial under way began.
};

}  // namespace sluice
