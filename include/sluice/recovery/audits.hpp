#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <unordered_map>

#include "sluice/base/metrics.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/recovery/audit_schedule.hpp"
#include "sluice/recovery/auditor.hpp"

namespace sluice {

/// Audits the sales of the node that leads, one after the other, beside its rounds: what a large
/// audit costs no lane waits for.
class Audits {
 public:
  struct Ports {
    Auditor& auditor;  ///< On stores of its own.
    Clock& clock;
    Metrics& metrics;
  };

  /// `every`: between two audits of one sale, at least.
  Audits(Millis every, Ports ports);

  /// How many lanes each sale has.
  using Lanes = std::unordered_map<SaleId, std::uint32_t>;

  /// What the last round saw: the sales to audit, and whether this node does.
  void follow(Lanes sales, bool leads, bool inventory_up);

  /// Audits whatever is due, for ever. It may be given up at any moment.
  boost::asio::awaitable<void> run();

  /// Audits the sale that is due, if one is.
  boost::asio::awaitable<void> audit_next();

 private:
  void show_age();

  Ports ports_;
  AuditSchedule schedule_;
  Lanes lanes_;
  bool leads_ = false;
  bool inventory_up_ = false;
  Gauge& age_;
  Counter& failures_;
};

}  // namespace sluice
