#include "sluice/recovery/flow.hpp"

#include <algorithm>
#include <array>

namespace sluice {
namespace {

constexpr std::array<std::string_view, 3> kNames{"normal", "bypass", "database"};

}  // namespace

std::string_view name(FlowMode mode) noexcept { return kNames[static_cast<std::size_t>(mode)]; }

std::optional<FlowMode> parse_flow_mode(std::string_view text) noexcept {
  const auto found = std::ranges::find(kNames, text);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<FlowMode>(found - kNames.begin());
}

void SellerPolicy::seen(Ticks now, bool up) {
  if (up != store_) {
    since_.reset();
    return;
  }
  if (!since_) since_ = now;
  if (now - *since_ < (store_ ? restore_after_ : database_after_)) return;
  store_ = !store_;
  since_.reset();
}

bool SellerPolicy::store_sells(std::optional<FlowMode> held) const {
  return held ? *held == FlowMode::database : store_;
}

}  // namespace sluice
