#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

/// `text` without the characters of `blanks` at its ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t");

/// How many bytes must be inserted, removed or replaced to make `a` of `b` (Levenshtein).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `text` by edit distance; a candidate whose last part (after the last
/// dot) fits better than its section counts as near, too. Empty only without candidates.
std::string_view nearest(std::string_view text, std::span<const std::string> candidates);

}  // namespace sluice
