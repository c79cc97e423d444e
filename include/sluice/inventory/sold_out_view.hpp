#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>

#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice {

/// What one thread knows of a lane that said "sold out": enough to refuse without asking it again.
/// Pure: the caller does the I/O that `next()` asks for. The view refuses nobody until the winners
/// of that very version are known, so that a winner's retry always reaches its order.
class SoldOutView {
 public:
  enum class Step : std::uint8_t {
    none,           ///< Nothing to do now.
    fetch_winners,  ///< The lane said sold out: ask for its winners.
    check_version,  ///< Complete, and due for a check that no unit came back.
  };

  enum class Answer : std::uint8_t {
    ask_the_lane,      ///< This view cannot decide.
    sold_out_for_now,  ///< Units are held by undecided orders.
    sold_out,
  };

  /// `fresh_for`: how long after a check the view may refuse; then it lets requests pass again.
  explicit SoldOutView(Millis fresh_for) : fresh_for_(fresh_for) {}

  /// The lane answered at least one attempt with sold out.
  void said_sold_out(Epoch epoch, std::uint64_t version, bool may_return, Ticks now);

  /// The answer to `fetch_winners`. Winners of another version or epoch are discarded; unless that
  /// epoch is an older one, the lane has to say "sold out" again first.
  void winners(Epoch epoch, Winners winners, Ticks now);

  /// The answer to `check_version`, or news from anywhere else.
  void seen(const LaneView& lane, Ticks now);

  /// The caller starts the step and reports back; the same step is not asked again until
  /// a quarter of `fresh_for` has passed.
  Step next(Ticks now);

  Answer ask(const UserId& user, Ticks now) const;

  /// Under which the lane said "sold out" last.
  Epoch epoch() const { return epoch_; }

 private:
  enum class State : std::uint8_t { open, incomplete, complete };

  Millis fresh_for_;
  State state_ = State::open;
  Epoch epoch_ = 0;
  std::uint64_t version_ = 0;
  bool may_return_ = false;
  Ticks checked_at_{};
  Ticks asked_at_{};
  std::unordered_set<UserId> winners_;
};

}  // namespace sluice
