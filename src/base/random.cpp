#include "sluice/base/random.hpp"

#include <random>
#include <sodium.h>

namespace sluice {

Random system_random() {
  std::uint64_t seed = 0;
  randombytes_buf(&seed, sizeof(seed));
  return std::mt19937_64(seed);
}

}  // namespace sluice
