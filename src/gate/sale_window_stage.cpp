#include <algorithm>

#include "sluice/gate/admission.hpp"

namespace sluice {
namespace {

constexpr Millis kWaitMin{1000};
constexpr Millis kWaitMax{60'000};

}  // namespace

AdmissionStage create_sale_window_stage() {
  return [](Admission& admission) -> std::optional<Refusal> {
    const auto& sale = *admission.sale;
    if (phase(sale, admission.now) != WindowPhase::not_started) return std::nullopt;
    const auto left = std::clamp(sale.terms.starts_at - admission.now, kWaitMin, kWaitMax);
    return Refusal{Code::sale_not_started, left};
  };
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
