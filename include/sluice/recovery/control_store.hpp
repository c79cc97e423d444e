#pragma once

#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

/// The right to lead, for a while, by the store's clock.
struct Lease {
  Term term = 0;      ///< Grows with each change of holder.
  bool held = false;  ///< By the one who asked.
};

/// The lease of a node that has the inventory and does not lead. See `Leadership`.
inline constexpr std::string_view kStandbyLease = "standby";

/// The request that holds all nodes in an `OperatingMode`, by its name; anything else: automatic.
inline constexpr auto kModeRequest = "mode";

/// Who leads. Blocking is allowed; an instance belongs to one executor.
class ControlStore {
 public:
  virtual ~ControlStore() = default;

  /// Takes the lease `name` for `holder` if it is free or past its time, or extends it if `holder`
  /// has it already, by compare-and-set on the store's own clock.
  virtual Task<Lease> acquire(Ticks deadline, std::string name, std::string holder, Millis ttl) = 0;

  /// What operators asked of all nodes under that name; empty when nothing was.
  virtual Task<std::string> requested(Ticks deadline, std::string name) = 0;

  /// `name` and `value` have at most 128 bytes.
  virtual Task<> request(Ticks deadline, std::string name, std::string value) = 0;

  /// Gives the lease up if `holder` has it.
  virtual Task<> release(Ticks deadline, std::string name, std::string holder) = 0;
};

}  // namespace sluice
