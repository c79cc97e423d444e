#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "sluice/base/problem.hpp"
#include "sluice/base/random.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/domain/sale.hpp"
#include "sluice/gate/concurrency_limit.hpp"
#include "sluice/gate/rate_limiter.hpp"
#include "sluice/gate/token_buckets.hpp"

namespace sluice {

/// One purchase on its way through the gate.
struct Admission {
  const Sale& sale;
  const UserId& user;
  LaneId lane;  ///< The user's lane of the sale.
  std::uint32_t quantity = 1;
  TimePoint now;
  Ticks ticks;
  ConcurrencyLimit::Permit permit{};  ///< Held until the purchase is answered.
};

/// One reason to refuse a purchase before its lane is asked; empty: it passes. A stage decides and
/// never waits. One per thread; what it refers to outlives it and may be shared by all.
using AdmissionStage = std::function<std::optional<Refusal>(Admission&)>;

/// Stages in order of their cost: the first refusal counts.
class AdmissionChain {
 public:
  AdmissionChain& add(AdmissionStage stage) {
    stages_.push_back(std::move(stage));
    return *this;
  }

  std::optional<Refusal> admit(Admission& admission) const {
    for (const auto& stage : stages_) {
      if (auto refusal = stage(admission)) return refusal;
    }
    return std::nullopt;
  }

 private:
  std::vector<AdmissionStage> stages_;
};

/// Before the start nobody can have an order: refused by the node's own clock. After the end, and
/// while paused or closed, a buyer may ask for an existing order, so the lane answers.
AdmissionStage create_sale_window_stage();

/// The sale's own rate.
AdmissionStage create_sale_rate_stage(TokenBuckets& sales, Random& random);

/// The rate of a node that is degraded or behind.
AdmissionStage create_node_rate_stage(RateLimiter& limiter, Random& random);

/// The bound on purchases under way: takes the admission's permit.
AdmissionStage create_concurrency_stage(ConcurrencyLimit& limit, Random& random);

/// What a buyer is told whom the window does not let through.
Code window_code(WindowPhase phase) noexcept;

}  // namespace sluice
