#pragma once

#include "sluice/gate/admission.hpp"
#include "sluice/gate/identity.hpp"

namespace sluice {

/// What every request passes before its body is read, in order of cost. One per thread.
struct FrontGate {
  AdmissionChain addresses;  ///< Of every request.
  AdmissionChain strangers;  ///< Of every token that was not verified before.
  Identity identity;         ///< Who sends a purchase or a look-up.
  AdmissionChain users;      ///< Of every request of an identified user.
  TokenBuckets& failures;    ///< By address: tokens that were checked and refused.

  /// Whose token it is, if that user is admitted. `admission`: with the times and the address.
  /// A token that was verified before is not asked what else its address sends.
  Identified identify(std::string_view token, Admission admission);
};

}  // namespace sluice
