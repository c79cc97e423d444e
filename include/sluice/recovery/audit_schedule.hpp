#pragma once

#include <optional>
#include <unordered_map>

#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"

namespace sluice {

/// Which sale is audited next, and when. Of the sales that are due comes first the one whose last
/// successful audit is the oldest, whatever the audits before it found. Reading a large sale keeps
/// its store busy, and purchases feel it: so those whose last audit took longer than `kCheap` take
/// at most one part in `kShare` of the time together, but for no audit they wait longer than
/// `kQuietMax` intervals. Pure.
class AuditSchedule {
 public:
  static constexpr int kShare = 300;
  static constexpr int kQuietMax = 30;
  static constexpr Millis kCheap{20};
  /// Before a second look at a sale that seemed wrong.
  static constexpr Millis kSecondLook{1000};
  /// The longest pause of a sale whose audits fail.
  static constexpr Millis kFailedMax{600'000};

  /// How an audit ended.
  enum class Ended : std::uint8_t { good, look_again, failed };

  /// `every`: between two audits of one sale, at least.
  explicit AuditSchedule(Millis every) : every_(every) {}

  /// The sale is to be audited, for the first time `every` from now; no news when it is known.
  void add(SaleId sale, Ticks now) { sales_.try_emplace(sale, Sale{now + every_, now}); }

  /// Forgets the sales of which `gone(sale)` says so.
  template <class Gone>
  void forget_if(Gone gone) {
    std::erase_if(sales_, [&](const auto& sale) { return gone(sale.first); });
  }

  /// The sale to audit now; empty when none is due.
  std::optional<SaleId> next(Ticks now) const;

  /// That audit has ended and took `cost` of its store's time.
  void audited(SaleId sale, Ticks now, Ticks::duration cost, Ended ended);

  /// Another node audits: its successes count, and what is due stays due.
  void audited_elsewhere(Ticks now);

  /// For how long the sale that waits longest was not audited with success, or not at all.
  Ticks::duration age(Ticks now) const;

 private:
  struct Sale {
    Ticks due;
    Ticks audited;       ///< With success for the last time; before that: when it was added.
    int failures = 0;    ///< In a row.
    bool heavy = false;  ///< Its last audit took longer than `kCheap`.
  };

  Millis every_;
  std::unordered_map<SaleId, Sale> sales_;
  Ticks quiet_until_{};  ///< No audit of a heavy sale before this.
};

}  // namespace sluice
