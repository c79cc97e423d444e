#include "sluice/gate/sale_gate.hpp"

#include <algorithm>
#include <string_view>

#include "sluice/gate/front_gate.hpp"

namespace sluice {
namespace {

constexpr Millis kBusyWait{500};
constexpr Millis kNotStartedWaitMin{1000};
constexpr Millis kNotStartedWaitMax{60'000};

}  // namespace

std::optional<Refusal> SaleGate::admit(const Sale& sale, TimePoint now) const {
  if (phase(sale, now) != WindowPhase::not_started) return std::nullopt;
  const auto left = std::clamp(sale.terms.starts_at - now, kNotStartedWaitMin, kNotStartedWaitMax);
  return Refusal{Code::sale_not_started, left};
}

std::variant<ConcurrencyLimit::Permit, Refusal> SaleGate::reserve_room(const Sale& sale,
                                                                       Ticks now) {
  const std::string_view key(reinterpret_cast<const char*>(&sale.id), sizeof(sale.id));
  if (const auto wait = sales_.take(key, now); wait.count() > 0) {
    return Refusal{Code::busy, jittered(std::max(wait, kBusyWait), random_)};
  }
  if (const auto wait = limiter_.take(now); wait.count() > 0) {
    return Refusal{Code::busy, jittered(std::max(wait, kBusyWait), random_)};
  }
  auto credit = concurrency_.take();
  if (!credit) return Refusal{Code::busy, jittered(kBusyWait, random_)};
  return credit;
}

Code window_code(WindowPhase phase) noexcept {
  switch (phase) {
    case WindowPhase::not_started:
      return Code::sale_not_started;
    case WindowPhase::ended:
      return Code::sale_ended;
    case WindowPhase::paused:
      return Code::sale_paused;
    case WindowPhase::closed:
      return Code::sale_closed;
    case WindowPhase::open:
      break;
  }
  // The node's clock says open and the lane's does not: the edge of the window.
  return Code::not_ready;
}

}  // namespace sluice
