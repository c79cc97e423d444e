#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>

#include "sluice/base/time.hpp"
#include "sluice/recovery/control_store.hpp"

namespace sluice {

/// Whether a node leads, by what the store answered when it was asked for the lease, and when it
/// asks again. A lease counts from the moment at which it was asked for, so this node stops before
/// the store gives it to another. Pure.
class LeasePolicy {
 public:
  explicit LeasePolicy(Millis length) : length_(length) {}

  /// The store answered a request that was made at `asked`.
  void answered(Ticks asked, const Lease& lease) {
    next_ = asked + length_ / 3;
    held_.reset();
    if (lease.held) held_ = Held{lease.term, asked + length_};
  }

  /// It did not. The last answer holds for as long as it said.
  void failed(Ticks asked) { next_ = asked + length_ / 10; }

  /// The term under which this node leads; empty when it does not, or cannot be sure.
  std::optional<Term> term(Ticks now) const;

  /// When to ask again.
  Ticks next() const { return next_; }

 private:
  struct Held {
    Term term = 0;
    Ticks until{};
  };

  Millis length_;
  std::optional<Held> held_;
  Ticks next_{};
};

/// Keeps the leader's lease for one node, in a task of its own: no round, however long, lets it run
/// out. A node without the inventory leaves the lead to one that has it, if one says so: a leader's
/// own lost connection shall not make the store sell for all. Belongs to the control thread.
class Leadership {
 public:
  /// `node`: a name unique among all nodes. `renewed` is called whenever the store has given or
  /// renewed the lease.
  Leadership(Millis lease, Millis call_timeout, std::string node, ControlStore& store, Clock& clock,
             std::function<void()> renewed);

  /// Asks for the lease again and again until `stop`; then gives it up.
  boost::asio::awaitable<void> run();

  /// Asks for the lease now.
  boost::asio::awaitable<void> renew();

  /// Call it each round: whether this node reaches the inventory.
  void see_inventory(bool up);

  /// Callable from any thread.
  void stop() noexcept { stopped_ = true; }

  /// The store answered at least once.
  bool known() const { return known_; }

  /// The store answered the last request for the lease, whoever has it.
  bool answered() const { return answered_; }

  /// See `LeasePolicy::term`.
  std::optional<Term> term() const { return policy_.term(clock_.ticks()); }

 private:
  boost::asio::awaitable<bool> another_stands_by();
  boost::asio::awaitable<void> ask();
  Millis standby_length() const { return length_ * 2 / 3; }
  Ticks deadline() const { return clock_.ticks() + call_timeout_; }

  Millis length_;
  Millis call_timeout_;
  std::string node_;
  ControlStore& store_;
  Clock& clock_;
  std::function<void()> renewed_;
  LeasePolicy policy_;
  bool known_ = false;
  bool answered_ = false;
  std::optional<Ticks> without_inventory_;  ///< Since then.
  std::optional<Term> reported_;            ///< In the log.
  std::atomic<bool> stopped_{false};
};

}  // namespace sluice
