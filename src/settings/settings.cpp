#include "sluice/settings/settings.hpp"

namespace sluice {

Settings::Settings() {
  // A newcomer's first server is for this machine alone.
  http.http.address = "127.0.0.1";
  // No guess is better than the wrong cluster: these must be named.
  redis.url.clear();

  degrade.inventory.calls_min = 10;
  degrade.inventory.slow = Millis{400};
  degrade.inventory.open_for = Millis{200};
  degrade.inventory.open_max = Millis{2'000};
  // A dead log answers each batch after its whole timeout: a few of them must be enough.
  degrade.queue.calls_min = 4;
  degrade.queue.slow = Millis{1'500};
  degrade.queue.open_max = Millis{5'000};
}

}  // namespace sluice
