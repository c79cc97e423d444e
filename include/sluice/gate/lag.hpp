#pragma once

#include <cstdint>
#include <optional>

#include "sluice/base/time.hpp"

namespace sluice {

struct LagSettings {
  Millis slow_wait{5000};  ///< Backlogged above this wait, until below half of it; 1 ms … 1 h.
  Millis stalled_after{3000};  ///< No progress for so long: there is no drain; 1 ms … 1 h.
  double admit_share = 0.5;    ///< Let in at most when backlogged, of the drain rate; 0 … 1.
  double trickle_per_s = 10;   ///< Let in when backlogged, at least; 0 or more.
  std::int64_t messages_max = 1'000'000;  ///< From here on nothing is let in; 1 or more.
  double drain_start_per_s = 1000;        ///< Assumed until a queue was seen to drain; above 0.
  Millis memory{10'000};     ///< Over how long the drain rate is averaged; 1 ms … 1 h.
  Millis wait_max{600'000};  ///< The longest estimate; `slow_wait` … 24 h.
};

/// How long an order that is queued now waits for its decision, told from how far the log is
/// applied. Of a reader with nothing left to do only a lower bound of its speed can be seen, so
/// idle times do not make the estimate worse. One thread.
class Lag {
 public:
  explicit Lag(LagSettings settings);

  /// Once per round: the end of the log and how much of it is applied, summed over partitions;
  /// empty when not known now. While both are unknown nothing changes. While one is known and work
  /// is left, missing news of progress counts as no progress.
  void feed(Ticks now, std::optional<std::int64_t> log_end, std::optional<std::int64_t> applied);

  std::int64_t messages() const noexcept { return messages_; }  ///< Behind; 0 or more.

  /// 0 … `wait_max`. It grows by the time without progress.
  Millis wait() const noexcept { return wait_; }
  bool backlogged() const noexcept { return backlogged_; }

  /// Orders per second for this node to let in; empty: as many as come. Its share of the drain rate
  /// falls while the lag grows and rises while it does not, so that several nodes come to one
  /// that it can bear.
  std::optional<double> admit_per_s() const;

 private:
  /// Where the drain is measured from.
  struct Base {
    Ticks at;
    std::int64_t applied = 0;
    std::int64_t log_end = 0;
  };

  void see_applied(Ticks now, std::int64_t applied);
  void learn_drain(Ticks now, std::int64_t applied);
  void estimate(Ticks now);
  void adapt_share(Ticks now);

  LagSettings settings_;
  double drain_;
  bool drain_measured_ = false;
  std::int64_t log_end_ = 0;
  std::int64_t applied_ = 0;
  std::optional<Base> base_;
  std::optional<Ticks> progress_at_;  ///< The last progress or time without work; empty: no news.
  std::int64_t messages_ = 0;
  Millis wait_{0};
  bool stalled_ = false;
  bool backlogged_ = false;
  double share_;
  bool sharing_ = false;
  Ticks share_at_{};  ///< When the share was set last, and how far behind the log was then.
  std::int64_t messages_then_ = 0;
};

}  // namespace sluice
