#pragma once

#include <optional>
#include <string_view>

#include "sluice/base/problem.hpp"
#include "sluice/base/random.hpp"
#include "sluice/base/time.hpp"
#include "sluice/gate/identity.hpp"
#include "sluice/gate/token_buckets.hpp"

namespace sluice {

/// A wait before a retry, spread over [wait, 2 × wait] so that the refused do not return together.
Millis jittered(Millis wait, Random& random);

/// The cheap refusals of the HTTP side, in order of cost: the address, who asks, the user. It
/// decides and never waits. One per thread; the buckets are shared by all.
class FrontGate {
 public:
  FrontGate(TokenBuckets& ips, TokenBuckets& users, Identity identity, Random& random)
      : ips_(ips), users_(users), identity_(std::move(identity)), random_(random) {}

  /// Every request; `ip` in any canonical text form.
  std::optional<Refusal> admit(std::string_view ip, Ticks now);

  /// Who sends a purchase or a lookup.
  Identified identify(std::string_view token, TimePoint now) {
    return identity_.verify(token, now);
  }

  /// Every request of an identified user.
  std::optional<Refusal> admit_user(const UserId& user, Ticks now);

 private:
  TokenBuckets& ips_;
  TokenBuckets& users_;
  Identity identity_;
  Random& random_;
};

}  // namespace sluice
