#pragma once

#include <optional>

#include "sluice/base/time.hpp"
#include "sluice/orders/lane_router.hpp"

namespace sluice {

/// Whether the store should sell instead of the inventory, with hysteresis: the store
/// begins once the inventory was away for `database_after`, and ends once it was back for
/// `restore_after`. Pure.
class AuthorityPolicy {
 public:
  AuthorityPolicy(Millis database_after, Millis restore_after)
      : database_after_(database_after), restore_after_(restore_after) {}

  /// `up`: the inventory answered just now. Call it each round.
  void seen(Ticks now, bool up) {
    if (up != store_) {
      since_.reset();
      return;
    }
    if (!since_) since_ = now;
    if (now - *since_ < (store_ ? restore_after_ : database_after_)) return;
    store_ = !store_;
    since_.reset();
  }

  /// A mode that an operator holds counts more than what was seen: in `database` the store sells,
  /// in every other the inventory.
  bool store_sells(std::optional<OperatingMode> held) const {
    return held ? *held == OperatingMode::database : store_;
  }

 private:
  Millis database_after_;
  Millis restore_after_;
  std::optional<Ticks> since_;  ///< When the state opposite to `store_` began.
  bool store_ = false;
};

}  // namespace sluice
