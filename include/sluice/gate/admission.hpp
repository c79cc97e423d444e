#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
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

/// One request on its way through the gate, with what is known of it so far.
struct Admission {
  TimePoint now;
  Ticks ticks;
  std::string_view ip{};         ///< In any canonical text form.
  const UserId* user = nullptr;  ///< Known once the token is verified.
  const Sale* sale = nullptr;    ///< Known for a purchase, as all that follows.
  LaneId lane{};                 ///< The user's lane of the sale.
  std::uint32_t quantity = 1;
  ConcurrencyLimit::Permit permit{};  ///< Held until the purchase is answered.
};

/// One reason to refuse a request before it costs more; empty: it passes. A stage decides and
/// never waits. One per thread; what it refers to outlives it and may be shared by all.
using AdmissionStage = std::function<std::optional<Refusal>(Admission&)>;

/// Stages in order of their cost.
using AdmissionChain = std::vector<AdmissionStage>;

/// The first refusal of a stage; empty: the request passes.
std::optional<Refusal> admit(const AdmissionChain& chain, Admission& admission);

/// A wait before a retry, spread over [wait, 2 × wait] so that the refused do not return together.
Millis jittered(Millis wait, Random& random);

/// The rate of an address; for every request.
AdmissionStage create_address_rate_stage(TokenBuckets& ips, Random& random);

/// The rate of an address' failed authentications, which whoever finds one counts by `take`; for a
/// token whose signature would have to be checked.
AdmissionStage create_failure_rate_stage(TokenBuckets& failures, Random& random);

/// The rate of a user; for every request of one.
AdmissionStage create_user_rate_stage(TokenBuckets& users, Random& random);

/// Of a purchase. Before the start nobody can have an order: refused by the node's own clock. After
/// the end, and while paused or closed, a buyer may ask for an existing order, so the lane answers.
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
