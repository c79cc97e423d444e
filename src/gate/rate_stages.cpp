#include <algorithm>
#include <string_view>

#include "sluice/gate/admission.hpp"
#include "sluice/gate/front_gate.hpp"

namespace sluice {
namespace {

constexpr Millis kBusyWait{500};

/// Busy for at least `wait`, unless that is zero.
std::optional<Refusal> busy_for(Millis wait, Random& random) {
  if (wait.count() == 0) return std::nullopt;
  return Refusal{Code::busy, jittered(std::max(wait, kBusyWait), random)};
}

}  // namespace

AdmissionStage create_sale_rate_stage(TokenBuckets& sales, Random& random) {
  return [&sales, &random](Admission& admission) {
    const auto& id = admission.sale.id;
    const std::string_view key(reinterpret_cast<const char*>(&id), sizeof(id));
    return busy_for(sales.take(key, admission.ticks), random);
  };
}

AdmissionStage create_node_rate_stage(RateLimiter& limiter, Random& random) {
  return [&limiter, &random](Admission& admission) {
    return busy_for(limiter.take(admission.ticks), random);
  };
}

AdmissionStage create_concurrency_stage(ConcurrencyLimit& limit, Random& random) {
  return [&limit, &random](Admission& admission) {
    admission.permit = limit.take();
    return busy_for(admission.permit ? Millis{0} : kBusyWait, random);
  };
}

}  // namespace sluice
