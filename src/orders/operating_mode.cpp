#include "sluice/orders/operating_mode.hpp"

#include <algorithm>
#include <array>

namespace sluice {
namespace {

constexpr std::array<std::string_view, 3> kNames{"normal", "bypass", "database"};

}  // namespace

std::string_view name(OperatingMode mode) noexcept {
  return kNames[static_cast<std::size_t>(mode)];
}

std::optional<OperatingMode> parse_operating_mode(std::string_view text) noexcept {
  const auto found = std::ranges::find(kNames, text);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<OperatingMode>(found - kNames.begin());
}

}  // namespace sluice
