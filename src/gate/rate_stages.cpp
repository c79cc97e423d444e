#include <algorithm>
#include <string_view>

#include "sluice/gate/admission.hpp"

namespace sluice {
namespace {

constexpr Millis kBusyWait{500};

/// Limited for `wait`, unless that is zero.
std::optional<Refusal> limited_for(Millis wait, Random& random) {
  if (wait.count() == 0) return std::nullopt;
  return Refusal{Code::rate_limited, jittered(wait, random)};
}

/// Busy for at least `wait`, unless that is zero.
std::optional<Refusal> busy_for(Millis wait, Random& random) {
  if (wait.count() == 0) return std::nullopt;
  return Refusal{Code::busy, jittered(std::max(wait, kBusyWait), random)};
}

}  // namespace

std::optional<Refusal> admit(const AdmissionChain& chain, Admission& admission) {
  for (const auto& stage : chain) {
    if (auto refusal = stage(admission)) return refusal;
  }
  return std::nullopt;
}

Millis jittered(Millis wait, Random& random) {
  const auto spread = static_cast<std::uint64_t>(wait.count()) + 1;
  return wait + Millis(static_cast<std::int64_t>(random() % spread));
}

AdmissionStage create_address_rate_stage(TokenBuckets& ips, Random& random) {
  return [&ips, &random](Admission& admission) {
    return limited_for(ips.take(admission.ip, admission.ticks), random);
  };
}

AdmissionStage create_failure_rate_stage(TokenBuckets& failures, Random& random) {
  return [&failures, &random](Admission& admission) {
    return limited_for(failures.wait(admission.ip, admission.ticks), random);
  };
}

AdmissionStage create_user_rate_stage(TokenBuckets& users, Random& random) {
  return [&users, &random](Admission& admission) {
    return limited_for(users.take(admission.user->text(), admission.ticks), random);
  };
}

AdmissionStage create_sale_rate_stage(TokenBuckets& sales, Random& random) {
  return [&sales, &random](Admission& admission) {
    const auto& id = admission.sale->id;
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
