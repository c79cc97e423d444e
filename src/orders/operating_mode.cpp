#include "sluice/orders/operating_mode.hpp"

#include <array>

#include "sluice/base/text.hpp"

namespace sluice {
namespace {

constexpr std::array<std::string_view, 3> kNames{"normal", "bypass", "database"};

}  // namespace

std::string_view name(OperatingMode mode) noexcept {
  return kNames[static_cast<std::size_t>(mode)];
}

std::optional<OperatingMode> parse_operating_mode(std::string_view text) noexcept {
  return find_name<OperatingMode>(kNames, text);
}

}  // namespace sluice
