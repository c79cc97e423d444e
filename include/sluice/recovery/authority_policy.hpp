#pragma once

#include <optional>

#include "sluice/base/time.hpp"
#include "sluice/orders/operating_mode.hpp"

namespace sluice {

/// Whether the store should sell instead of the inventory, with hysteresis: the inventory must be
/// away for `database_after` to lose its place, and back for `restore_after` to have it again.
/// Pure.
class AuthorityPolicy {
 public:
  AuthorityPolicy(Millis database_after, Millis restore_after)
      : database_after_(database_after), restore_after_(restore_after) {}

  /// `up`: the inventory answered just now. Call it each round.
  void seen(Ticks now, bool up);

  /// An operator's word outweighs what was seen: `database` is the store, every other mode the
  /// inventory.
  bool store_sells(std::optional<OperatingMode> held) const;

 private:
  Millis database_after_;
  Millis restore_after_;
  std::optional<Ticks> since_;  ///< When the state opposite to `store_` began.
  bool store_ = false;
};

}  // namespace sluice
