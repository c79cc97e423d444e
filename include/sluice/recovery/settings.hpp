#pragma once

#include <cstddef>

#include "sluice/base/time.hpp"

namespace sluice {

/// By how much the clocks of log, store and inventory may differ.
inline constexpr Millis kClockSkew{5000};

struct RecoverySettings {
  Millis tick{1000};              ///< Between two rounds over the sales.
  Millis busy_tick{100};          ///< The same, while a lane is rebuilt or a service is away.
  Millis call_timeout{2000};      ///< For one call to a port.
  Millis ping_timeout{500};       ///< For asking a service whether it answers.
  Millis lease{5000};             ///< How long a leader stays one without renewing it.
  Millis overdue_age{5000};       ///< A reservation undecided for longer is decided directly.
  Millis overdue_age_max{60000};  ///< However far behind the log is, decided after this.
  /// Reservations decided, and orders expired or relayed, in one step; 1 … 4,096. Of orders at most
  /// `kMovesMax`.
  std::size_t overdue_max = 1000;
  std::size_t sales_max = 10'000;         ///< Unfinished sales that a node looks after.
  std::size_t finished_sales_max = 1000;  ///< Finished sales that it lists, the newest.
  /// After this no message can come of an order that nobody has: publishing and delivering it
  /// ended.
  Millis missing_after{12'000};
  /// Lanes with nothing due that a round looks at all the same, in turn.
  std::size_t lanes_looked_max = 500;
  std::size_t lanes_at_once = 16;  ///< Lanes that a round works on at the same time; 1 or more.
  /// Lanes whose images are copied at the same time, beside those of one page.
  std::size_t rebuilds_max = 4;
  Millis rebuild_retry_max{30000};  ///< The longest pause after a rebuild that failed again.
  Millis fence_again{2000};         ///< A fence that the log did not apply by then is sent again.
  Millis database_after{2000};      ///< The inventory is away for so long: the store sells.
  Millis restore_after{5000};       ///< The inventory is back for so long: it sells again.
  Millis audit_every{10000};        ///< Between two audits of a sale.
  Millis audit_timeout{20000};      ///< For reading all rows of a sale, once.
};

}  // namespace sluice
