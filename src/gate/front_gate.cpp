#include "sluice/gate/front_gate.hpp"

namespace sluice {

Millis jittered(Millis wait, Random& random) {
  const auto spread = static_cast<std::uint64_t>(wait.count()) + 1;
  return wait + Millis(static_cast<std::int64_t>(random.below(spread)));
}

std::optional<Refusal> FrontGate::admit(std::string_view ip, Ticks now) {
  const auto wait = ips_.take(ip, now);
  if (wait.count() == 0) return std::nullopt;
  return Refusal{Code::rate_limited, jittered(wait, random_)};
}

std::optional<Refusal> FrontGate::admit_user(const UserId& user, Ticks now) {
  const auto wait = users_.take(user.text(), now);
  if (wait.count() == 0) return std::nullopt;
  return Refusal{Code::rate_limited, jittered(wait, random_)};
}

}  // namespace sluice
