#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
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

/// One or more letters, digits, dots, underscores and hyphens of ASCII, and nothing else.
bool is_plain_name(std::string_view text);

/// Whether it may be the id of a request: a plain name of at most 64 bytes, which headers, JSON and
/// logs take as it is.
bool is_request_id(std::string_view text);

/// The number that is the whole text, as `std::from_chars` reads it; empty when there is none or it
/// does not fit.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

/// The enumerator of that name; `names` are those of its values from 0 on.
template <class Enum, std::size_t N>
std::optional<Enum> find_name(const std::array<std::string_view, N>& names,
                              std::string_view text) noexcept {
  const auto found = std::ranges::find(names, text);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

/// The names of an enumeration's values from 0 on: specialized beside each that has any.
template <class Enum>
inline constexpr std::array<std::string_view, 0> kEnumNames{};

template <class Enum>
requires(!kEnumNames<Enum>.empty()) constexpr std::string_view name(Enum value) noexcept {
  return kEnumNames<Enum>[static_cast<std::size_t>(value)];
}

/// The value of that name.
template <class Enum>
std::optional<Enum> parse_name(std::string_view text) noexcept {
  return find_name<Enum>(kEnumNames<Enum>, text);
}

}  // namespace sluice
