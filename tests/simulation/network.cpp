#include "simulation/network.hpp"

namespace sluice::simulation {

Micros Network::one_way(Service service) {
  static constexpr std::array<Micros, kServices> kUsual{Micros{150}, Micros{1500}, Micros{2000}};
  auto& rng = scheduler_.rng();
  const auto& state = states_[index(service)];
  auto takes = rng.between(kUsual[index(service)] / 2, kUsual[index(service)] * 2);
  if (rng.ppm(state.faults.slow)) takes += rng.between(Millis{1}, state.faults.slow_max);
  return takes + state.drag;
}

void Network::heal() {
  for (auto& state : states_) {
    state.faults = {};
    state.frozen_until = {};
    state.drag = Millis{0};
    state.down = false;
  }
  parted_.clear();
}

}  // namespace sluice::simulation
