#include "sluice/gate/aimd_limit.hpp"

#include <algorithm>
#include <cmath>

namespace sluice {
namespace {

constexpr double kGoodputShare = 0.9;
constexpr double kGrowth = 1.5;
constexpr double kOutdated = 2;
// A round that came late says nothing about more time than this.
constexpr double kSecondsMax = 5;

}  // namespace

AimdLimit::AimdLimit(AimdSettings settings)
    : settings_(settings),
      rate_(std::clamp(settings.start_per_s, settings.floor_per_s, settings.ceiling_per_s)) {}

double AimdLimit::feed(const CallSample& sample, Millis interval, bool binding) {
  if (sample.calls == 0 || interval <= Millis{0}) return rate_;
  const double seconds = std::chrono::duration<double>(interval).count();
  if (sample.failures > 0 || sample.mean_latency() > settings_.target) {
    decrease(sample, seconds);
  } else if (binding) {
    increase(std::min(seconds, kSecondsMax));
  }
  rate_ = std::clamp(rate_, settings_.floor_per_s, settings_.ceiling_per_s);
  return rate_;
}

void AimdLimit::decrease(const CallSample& sample, double seconds) {
  const double taken = static_cast<double>(sample.orders) / seconds;
  rate_ = std::min(rate_, std::max(rate_ * settings_.decrease, taken * kGoodputShare));
  // When nothing passes the store is away, which says nothing about what it sustains.
  if (sample.orders > 0) threshold_ = rate_;
}

void AimdLimit::increase(double seconds) {
  if (rate_ >= threshold_ * kOutdated) threshold_ = 0;
  if (threshold_ > 0 && rate_ >= threshold_) {
    rate_ += settings_.increase_per_s * seconds;
    return;
  }
  rate_ *= std::pow(kGrowth, seconds);
  if (threshold_ > 0) rate_ = std::min(rate_, threshold_);
}

}  // namespace sluice
