#include "sluice/base/random.hpp"

#include <random>
#include <sodium.h>

namespace sluice {
namespace {

class Engine final : public Random {
 public:
  explicit Engine(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace

std::unique_ptr<Random> system_random() {
  std::uint64_t seed = 0;
  randombytes_buf(&seed, sizeof(seed));
  return std::make_unique<Engine>(seed);
}

std::unique_ptr<Random> seeded_random(std::uint64_t seed) { return std::make_unique<Engine>(seed); }

}  // namespace sluice
