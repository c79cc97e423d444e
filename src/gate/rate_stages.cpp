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

class SaleRateStage final : public AdmissionStage {
 public:
  SaleRateStage(TokenBuckets& sales, Random& random) : sales_(sales), random_(random) {}

  std::optional<Refusal> admit(Admission& admission) override {
    const auto& id = admission.sale.id;
    const std::string_view key(reinterpret_cast<const char*>(&id), sizeof(id));
    return busy_for(sales_.take(key, admission.ticks), random_);
  }

 private:
  TokenBuckets& sales_;
  Random& random_;
};

class NodeRateStage final : public AdmissionStage {
 public:
  NodeRateStage(RateLimiter& limiter, Random& random) : limiter_(limiter), random_(random) {}

  std::optional<Refusal> admit(Admission& admission) override {
    return busy_for(limiter_.take(admission.ticks), random_);
  }

 private:
  RateLimiter& limiter_;
  Random& random_;
};

class ConcurrencyStage final : public AdmissionStage {
 public:
  ConcurrencyStage(ConcurrencyLimit& limit, Random& random) : limit_(limit), random_(random) {}

  std::optional<Refusal> admit(Admission& admission) override {
    admission.permit = limit_.take();
    if (admission.permit) return std::nullopt;
    return busy_for(kBusyWait, random_);
  }

 private:
  ConcurrencyLimit& limit_;
  Random& random_;
};

}  // namespace

std::unique_ptr<AdmissionStage> create_sale_rate_stage(TokenBuckets& sales, Random& random) {
  return std::make_unique<SaleRateStage>(sales, random);
}

std::unique_ptr<AdmissionStage> create_node_rate_stage(RateLimiter& limiter, Random& random) {
  return std::make_unique<NodeRateStage>(limiter, random);
}

std::unique_ptr<AdmissionStage> create_concurrency_stage(ConcurrencyLimit& limit, Random& random) {
  return std::make_unique<ConcurrencyStage>(limit, random);
}

}  // namespace sluice
