#pragma once

#include "sluice/gate/admission.hpp"
#include "sluice/gate/identity.hpp"

namespace sluice {

/// What every request passes before its body is read, in order of cost. One per thread.
struct FrontGate {
  AdmissionChain addresses;  ///< Of every request.
  Identity identity;         ///< Who sends a purchase or a look-up.
  AdmissionChain users;      ///< Of every request of an identified user.
};

}  // namespace sluice
