#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "sluice/base/time.hpp"

namespace sluice {

using TextList = std::vector<std::string>;
using TextMap = std::map<std::string, std::string>;

/// What a setting may hold.
using Value = std::variant<bool, std::int64_t, double, std::string, TextList, TextMap>;

/// As TOML writes it, on one line.
std::string to_toml(const Value& value);

/// Reads what a variable or flag holds as a value of the same type as `like`: lists are separated
/// by commas, maps are NAME=VALUE separated by commas. Empty when the text is no such value.
std::optional<Value> parse_value(std::string_view text, const Value& like);

/// One member of `Settings` as the table sees it.
struct Binding {
  std::function<Value()> get;

  /// Takes the value if it is of the right type and in range; else false, and nothing changes.
  std::function<bool(const Value&)> set;

  /// What it must be, to follow "must be": a whole number from 1 to 65535, true or false, …
  std::string range;
};

/// Checks a text; true when it is acceptable.
using TextCheck = std::function<bool(std::string_view)>;

Binding flag(bool& member);
Binding number(double& member, double min, double max);
Binding text(std::string& member, std::size_t bytes_max, std::string what = "text",
             TextCheck check = nullptr);
Binding one_of(std::string& member, std::vector<std::string> names);
Binding list(TextList& member, std::size_t entries_max, const std::string& what, TextCheck check);
Binding map(TextMap& member, std::size_t entries_max);

std::string whole_range(std::int64_t min, std::int64_t max);
std::string names_range(const std::vector<std::string>& names);

/// Binds a member that TOML writes as a `Held`, and that may be what `fits` says.
template <class Held, class Member, class Fits>
Binding bind_member(Member& member, std::string range, Fits fits) {
  const auto get = [&member] {
    if constexpr (std::is_same_v<Member, Millis> || std::is_same_v<Member, std::chrono::seconds>)
      return Value(Held(member.count()));
    else
      return Value(static_cast<Held>(member));
  };
  const auto set = [&member, fits = std::move(fits)](const Value& value) {
    const auto* given = std::get_if<Held>(&value);
    const bool taken = given != nullptr && fits(*given);
    if (taken) member = static_cast<Member>(*given);
    return taken;
  };
  return {get, set, std::move(range)};
}

/// Any integer type that can hold `max`, `Millis` or seconds.
template <class Int>
Binding whole(Int& member, std::int64_t min, std::int64_t max) {
  const auto fits = [min, max](std::int64_t given) { return given >= min && given <= max; };
  return bind_member<std::int64_t>(member, whole_range(min, max), fits);
}

/// An enumeration by its names, in the order of its values from 0.
template <class Enum>
Binding choice(Enum& member, const std::vector<std::string>& names) {
  const auto get = [&member, names] { return Value(names[static_cast<std::size_t>(member)]); };
  const auto set = [&member, names](const Value& value) {
    const auto* given = std::get_if<std::string>(&value);
    const auto at = given == nullptr ? names.end() : std::ranges::find(names, *given);
    if (at != names.end()) member = static_cast<Enum>(at - names.begin());
    return at != names.end();
  };
  return {get, set, names_range(names)};
}

// Checks of texts.
bool is_address(std::string_view text);  ///< An IPv4 or IPv6 address.
bool is_network(std::string_view text);  ///< An address with or without /PREFIX.

}  // namespace sluice
