#include "sluice/recovery/authority_policy.hpp"

namespace sluice {

void AuthorityPolicy::seen(Ticks now, bool up) {
  if (up != store_) {
    since_.reset();
    return;
  }
  if (!since_) since_ = now;
  if (now - *since_ < (store_ ? restore_after_ : database_after_)) return;
  store_ = !store_;
  since_.reset();
}

bool AuthorityPolicy::store_sells(std::optional<OperatingMode> held) const {
  return held ? *held == OperatingMode::database : store_;
}

}  // namespace sluice
