#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sluice {

/// The candidate nearest to `text` by edit distance; a candidate whose last part (after the last
/// dot) fits better than its section counts as near, too. Empty only without candidates.
std::string_view nearest(std::string_view text, std::span<const std::string> candidates);

}  // namespace sluice
