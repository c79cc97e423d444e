#include "sluice/recovery/audit_schedule.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

std::optional<SaleId> AuditSchedule::next(Ticks now) const {
  std::optional<std::pair<Ticks, SaleId>> first;
  for (const auto& [id, sale] : sales_) {
    if (sale.due > now || (sale.heavy && now < quiet_until_)) continue;
    const std::pair entry(sale.audited, id);
    if (!first || entry < *first) first = entry;
  }
  if (!first) return std::nullopt;
  return first->second;
}

void AuditSchedule::audited(SaleId id, Ticks now, Ticks::duration cost, Ended ended) {
  const auto quiet = std::max<Ticks::duration>(cost - kCheap, Ticks::duration{0}) * kShare;
  const auto until = now + std::min<Ticks::duration>(quiet, every_ * kQuietMax);
  quiet_until_ = std::max(quiet_until_, until);
  const auto known = sales_.find(id);
  if (known == sales_.end()) return;
  auto& sale = known->second;
  sale.heavy = cost > kCheap;
  if (ended == Ended::failed) {
    const Ticks::duration pause = every_ * (1 << std::min(sale.failures, 16));
    sale.due = now + std::min<Ticks::duration>(pause, kFailedMax);
    ++sale.failures;
    return;
  }
  sale.audited = now;
  sale.failures = 0;
  sale.due = now + (ended == Ended::look_again ? std::min(kSecondLook, every_) : every_);
}

void AuditSchedule::audited_elsewhere(Ticks now) {
  for (auto& [id, sale] : sales_) sale.audited = now;
}

Ticks::duration AuditSchedule::age(Ticks now) const {
  auto oldest = now;
  for (const auto& [id, sale] : sales_) oldest = std::min(oldest, sale.audited);
  return now - oldest;
}

}  // namespace sluice
