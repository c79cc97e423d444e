#include "sluice/recovery/audit_schedule.hpp"

#include <algorithm>

namespace sluice {

std::optional<SaleId> AuditSchedule::next(Ticks now) const {
  if (now < quiet_until_) return std::nullopt;
  const auto longest = std::ranges::min_element(
      due_, {}, [](const auto& sale) { return std::pair(sale.second, sale.first); });
  if (longest == due_.end() || longest->second > now) return std::nullopt;
  return longest->first;
}

void AuditSchedule::audited(SaleId sale, Ticks now, Ticks::duration cost, bool again) {
  const auto known = due_.find(sale);
  if (known == due_.end()) return;
  known->second = again ? Ticks::min() : now + every_;
  const Ticks::duration quiet = again ? Ticks::duration{0} : cost * kShare;
  quiet_until_ = now + std::min<Ticks::duration>(quiet, every_ * kQuietMax);
}

}  // namespace sluice
