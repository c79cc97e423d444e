#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/inventory/winner_set.hpp"

namespace sluice {

/// A lane's epoch and version as one number: a later one is greater.
constexpr std::uint64_t lane_moment(Epoch epoch, std::uint64_t version) noexcept {
  return (std::uint64_t{epoch} << 48U) | version;
}

/// What a node knows of a lane that has no unit left: enough to refuse without asking it. All
/// threads may read it while one renews it. It stands for one moment of the lane and refuses nobody
/// who had a live order then; an order granted later belongs to a later moment.
class SoldOut {
 public:
  enum class Answer : std::uint8_t {
    ask_the_lane,      ///< This view cannot decide.
    sold_out_for_now,  ///< Units are held by undecided orders.
    sold_out,
  };

  /// Refuses nobody before it is renewed.
  SoldOut(std::uint64_t moment, WinnerSet winners)
      : moment_(moment), winners_(std::move(winners)) {}

  /// `newest`: the newest moment of the lane that this node has heard of.
  Answer ask(const UserId& user, std::uint64_t newest, Ticks now) const noexcept;

  std::uint64_t moment() const noexcept { return moment_; }

  /// The lane still is as it was: may refuse until then.
  void renew(Ticks until, bool may_return) noexcept;
  /// Refuses nobody from now on.
  void close() noexcept { until_.store(Ticks{}); }

 private:
  const std::uint64_t moment_;
  const WinnerSet winners_;
  std::atomic<Ticks> until_{Ticks{}};
  std::atomic<bool> may_return_{false};
};

/// Reads the winners of one lane, page by page, once it said "sold out". Pure: the caller makes the
/// calls that `next` asks for. What was read is kept until the epoch ends, so that after a return
/// only the winners that came since are read: a list that names too many is safe.
class SoldOutView {
 public:
  /// Which page of the lane's winners to read.
  struct Page {
    Epoch epoch = 0;
    std::string cursor;
  };

  /// `fresh_for`: how long after a look at the lane it may refuse; then requests pass again.
  explicit SoldOutView(Millis fresh_for) : fresh_for_(fresh_for) {}

  /// The lane answered at least one attempt with "sold out". Winners of an older epoch are of no
  /// use then; word of an older epoch is ignored.
  void said_sold_out(Epoch epoch);

  /// The page to read now. Pages follow each other at once until the last one, and a quarter of
  /// `fresh_for` after one that failed. Then the end of the list is read again each quarter while
  /// buyers ask (`asked`), which also tells whether a unit came back.
  std::optional<Page> next(bool asked, Ticks now);

  /// The answer to a `next` of that epoch, in a call that began at `asked_at`.
  void read(Epoch epoch, Result<WinnersPage> page, Ticks asked_at);

  /// The epoch is over: all that was read is void.
  void forget();

  /// Null before the list was read to its end for the first time, else the last known: another
  /// object whenever moment or winners are others.
  std::shared_ptr<const SoldOut> known() const { return known_; }

  Epoch epoch() const { return epoch_; }
  bool reading() const { return state_ == State::reading; }
  bool complete() const { return state_ == State::complete; }
  std::size_t winners() const { return winners_.size(); }

 private:
  enum class State : std::uint8_t { open, reading, complete };

  void close();

  const Millis fresh_for_;
  State state_ = State::open;
  Epoch epoch_ = 0;
  std::string cursor_;
  WinnerSet winners_;
  Ticks next_at_{};  ///< No page is read before this.
  std::shared_ptr<SoldOut> known_;
};

}  // namespace sluice
