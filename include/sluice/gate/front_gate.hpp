#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "sluice/base/problem.hpp"
#include "sluice/base/time.hpp"
#include "sluice/gate/admission.hpp"
#include "sluice/gate/identity.hpp"

namespace sluice {

/// What every request passes, in order of cost: the stages of an address, who asks, the stages of a
/// user. It decides and never waits. One per thread.
class FrontGate {
 public:
  FrontGate(AdmissionChain addresses, Identity identity, AdmissionChain users)
      : addresses_(std::move(addresses)),
        identity_(std::move(identity)),
        users_(std::move(users)) {}

  /// Every request.
  std::optional<Refusal> admit(std::string_view ip, TimePoint now, Ticks ticks) const {
    Admission admission{now, ticks, ip};
    return addresses_.admit(admission);
  }

  /// Who sends a purchase or a lookup.
  Identified identify(std::string_view token, TimePoint now) {
    return identity_.verify(token, now);
  }

  /// Every request of an identified user.
  std::optional<Refusal> admit(const UserId& user, TimePoint now, Ticks ticks) const {
    Admission admission{now, ticks, {}, &user};
    return users_.admit(admission);
  }

 private:
  AdmissionChain addresses_;
  Identity identity_;
  AdmissionChain users_;
};

}  // namespace sluice
