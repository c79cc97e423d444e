#include <algorithm>
#include <array>

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
  // When the node's clock says open and the lane's does not it is the edge of the window.
  static constexpr std::array<Code, 5> kCodes = {Code::sale_not_started, Code::not_ready,
                                                 Code::sale_ended, Code::sale_paused,
                                                 Code::sale_closed};
  return kCodes[static_cast<std::size_t>(phase)];
}

}  // namespace sluice
