#include "sluice/gate/front_gate.hpp"

namespace sluice {

Identified FrontGate::identify(std::string_view token, Admission admission) {
  if (token.empty()) return Refusal{Code::missing_token};
  // The cache is asked by itself only for an address that may have no signature checked.
  const auto refusal = admit(strangers, admission);
  const auto known = refusal ? identity.recall(token, admission.now) : std::nullopt;
  if (refusal && !known) return *refusal;
  auto user = known ? Identified(*known) : identity.verify(token, admission.now);
  if (!user) {
    failures.take(admission.ip, admission.ticks);
    return user;
  }
  admission.user = &*user;
  if (const auto refused = admit(users, admission)) return *refused;
  return user;
}

}  // namespace sluice
