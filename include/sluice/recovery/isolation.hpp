#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>

#include "sluice/base/mutation.hpp"
#include "sluice/base/time.hpp"

namespace sluice {

/// How nodes that do not reach the store hear that another one does.
struct Heartbeat {
  std::function<void()> send = [] {};
  /// How many were ever sent, by all nodes; empty when not known now.
  std::function<std::optional<std::int64_t>()> count = [] { return std::nullopt; };
};

/// Whether this node alone does not reach the store. The leader sends a heartbeat through the log
/// whenever the store has renewed its lease, each third of the lease's length. Without the store a
/// node knows of no new fence: while it hears heartbeats for longer than those can last that were
/// on their way when the store went away for all, it must grant nothing. Pure.
class IsolationPolicy {
 public:
  explicit IsolationPolicy(Millis lease)
      : long_(std::max<Millis>(lease * 2 / 3, kNewsAge)), silence_(lease + kNewsAge) {}

  /// Call it each round. `heartbeats`: see `Heartbeat::count`.
  void seen(Ticks now, bool store_reached, std::optional<std::int64_t> heartbeats) {
    if (store_reached) {
      first_.reset();
      isolated_ = false;
      if (heartbeats) heard_ = heartbeats;
      return;
    }
    if (!heartbeats) return;
    if (heard_ && *heard_ != *heartbeats) {
      if (!first_) first_ = now;
      last_ = now;
    }
    heard_ = heartbeats;
    // Nobody has the store any more.
    if (first_ && now - last_ >= silence_) first_.reset();
    isolated_ = first_ && last_ - *first_ >= long_ && !mutant("isolation.unnoticed");
  }

  bool isolated() const { return isolated_; }

 private:
  /// How old may be what the log tells: it is asked once a second, and its brokers may be slow.
  static constexpr Millis kNewsAge{3000};

  Millis long_;     ///< Heartbeats that come for this long are not stragglers.
  Millis silence_;  ///< After this long without one nobody sends any.
  std::optional<std::int64_t> heard_;
  std::optional<Ticks> first_;  ///< When the first one was heard since the store is away.
  Ticks last_{};
  bool isolated_ = false;
};

}  // namespace sluice
