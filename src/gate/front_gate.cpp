#include "sluice/gate/front_gate.hpp"

namespace sluice {

Identified FrontGate::identify(std::string_view token, Admission admission) {
  if (token.empty()) return Refusal{Code::missing_token};
  auto user = identity.recall(token, admission.now);
  if (!user) {
    if (const auto refusal = admit(strangers, admission)) return *refusal;
    auto verified = identity.verify(token, admission.now);
    if (!verified) {
      failures.take(admission.ip, admission.ticks);
      return verified;
    }
    user = std::move(*verified);
  }
  admission.user = &*user;
  if (const auto refusal = admit(users, admission)) return *refusal;
  return std::move(*user);
}

}  // namespace sluice
