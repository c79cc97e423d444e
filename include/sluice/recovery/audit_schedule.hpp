#pragma once

#include <optional>
#include <unordered_map>

#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"

namespace sluice {

/// Which sale is audited next, and when. Of the sales that are due the one that waits longest comes
/// first. An audit of a large sale keeps its store busy, and purchases feel it: so all audits
/// together take at most one part in `kShare` of the time, but for no audit all wait longer than
/// `kQuietMax` intervals. Pure.
class AuditSchedule {
 public:
  static constexpr int kShare = 300;
  static constexpr int kQuietMax = 30;

  /// `every`: between two audits of one sale, at least.
  explicit AuditSchedule(Millis every) : every_(every) {}

  /// The sale is to be audited, for the first time `every` from now; no news when it is known.
  void add(SaleId sale, Ticks now) { due_.try_emplace(sale, now + every_); }
  void forget(SaleId sale) { due_.erase(sale); }

  /// Forgets the sales of which `gone(sale)` says so.
  template <class Gone>
  void forget_if(Gone gone) {
    std::erase_if(due_, [&](const auto& sale) { return gone(sale.first); });
  }

  /// The sale to audit now; empty when none is due.
  std::optional<SaleId> next(Ticks now) const;

  /// That audit has ended and kept its store busy for `cost`; `again`: the next look is for it.
  void audited(SaleId sale, Ticks now, Ticks::duration cost, bool again);

 private:
  Millis every_;
  std::unordered_map<SaleId, Ticks> due_;
  Ticks quiet_until_{};  ///< No audit before this.
};

}  // namespace sluice
