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

void AuditSchedule::audited(SaleId sale, Ticks began, Ticks ended) {
  const auto known = due_.find(sale);
  if (known != due_.end()) known->second = began + every_;
  quiet_until_ = ended + (ended - began) * kShare;
}

}  // namespace sluice
