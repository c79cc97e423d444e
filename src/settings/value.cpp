#include "settings/value.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <charconv>
#include <sstream>
#include <toml++/toml.h>

#include "sluice/base/text.hpp"

namespace sluice {
namespace {

constexpr std::size_t kEntryBytesMax = 1024;

std::string quoted(const std::string& text) {
  std::ostringstream out;
  const toml::value<std::string> value(text);
  out << toml::default_formatter(value, toml::format_flags::allow_unicode_strings);
  return out.str();
}

std::string number_text(double value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  std::string text(buffer, end);
  // TOML tells floats from integers by the point.
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

TextList split(std::string_view text) {
  TextList parts;
  while (!trimmed(text).empty()) {
    const auto comma = text.find(',');
    parts.emplace_back(trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return parts;
}

std::optional<Value> parse_map(std::string_view text) {
  TextMap entries;
  for (const auto& part : split(text)) {
    const auto equals = part.find('=');
    if (equals == std::string::npos || equals == 0) return std::nullopt;
    const bool fresh = entries.emplace(part.substr(0, equals), part.substr(equals + 1)).second;
    if (!fresh) return std::nullopt;
  }
  return entries;
}

struct ToToml {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return number_text(value); }
  std::string operator()(const std::string& value) const { return quoted(value); }
  std::string operator()(const TextList& value) const {
    std::string out = "[";
    for (const auto& entry : value) out += (out.size() > 1 ? ", " : "") + quoted(entry);
    return out + "]";
  }
  std::string operator()(const TextMap& value) const {
    std::string out = "{";
    for (const auto& [name, entry] : value) {
      out += (out.size() > 1 ? ", " : " ") + quoted(name) + " = " + quoted(entry);
    }
    return out + (value.empty() ? "}" : " }");
  }
};

std::string plain(double value) {
  auto text = number_text(value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

/// Binds a member to values that `accepts` finds in range.
template <class Held, class Accepts>
Binding bind_checked(Held& member, std::string range, Accepts accepts) {
  const auto put = [&member, accepts = std::move(accepts)](const Held& given) {
    if (!accepts(given)) return false;
    member = given;
    return true;
  };
  return detail::bind<Held>(
      std::move(range), [&member] { return member; }, put);
}

}  // namespace

std::string to_toml(const Value& value) { return std::visit(ToToml{}, value); }

std::optional<Value> parse_value(std::string_view text, const Value& like) {
  if (std::holds_alternative<bool>(like)) {
    if (text == "true") return true;
    if (text == "false") return false;
    return std::nullopt;
  }
  if (std::holds_alternative<std::int64_t>(like)) return parse_number<std::int64_t>(text);
  if (std::holds_alternative<double>(like)) return parse_number<double>(text);
  if (std::holds_alternative<TextList>(like)) return split(text);
  if (std::holds_alternative<TextMap>(like)) return parse_map(text);
  return std::string(text);
}

std::string detail::whole_range(std::int64_t min, std::int64_t max) {
  return "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
}

std::string detail::names_range(const std::vector<std::string>& names) {
  std::string range;
  for (const auto& name : names) range += (range.empty() ? "one of " : ", ") + quoted(name);
  return range;
}

Binding flag(bool& member) {
  return bind_checked(member, "true or false", [](bool) { return true; });
}

Binding number(double& member, double min, double max) {
  const auto set = [&member, min, max](const Value& value) {
    const auto* whole_number = std::get_if<std::int64_t>(&value);
    const auto* real = std::get_if<double>(&value);
    if (whole_number == nullptr && real == nullptr) return false;
    const double given = real != nullptr ? *real : static_cast<double>(*whole_number);
    // Not a number is in no range.
    if (!(given >= min && given <= max)) return false;
    member = given;
    return true;
  };
  return {[&member] { return Value(member); }, set,
          "a number from " + plain(min) + " to " + plain(max)};
}

Binding text(std::string& member, std::size_t bytes_max, std::string what, TextCheck check) {
  auto accepts = [bytes_max, check = std::move(check)](const std::string& given) {
    return given.size() <= bytes_max && given.find('\0') == std::string::npos &&
           (!check || check(given));
  };
  return bind_checked(member, what + ", at most " + std::to_string(bytes_max) + " bytes", accepts);
}

Binding one_of(std::string& member, std::vector<std::string> names) {
  auto range = detail::names_range(names);
  const auto accepts = [names = std::move(names)](const std::string& given) {
    return std::ranges::find(names, given) != names.end();
  };
  return bind_checked(member, std::move(range), accepts);
}

Binding list(TextList& member, std::size_t entries_max, const std::string& what, TextCheck check) {
  const auto accepts = [entries_max, check = std::move(check)](const TextList& given) {
    return given.size() <= entries_max && std::ranges::all_of(given, check);
  };
  return bind_checked(member, "a list of at most " + std::to_string(entries_max) + " " + what,
                      accepts);
}

Binding map(std::vector<std::pair<std::string, std::string>>& member, std::size_t entries_max) {
  const auto put = [&member, entries_max](const TextMap& given) {
    const auto fits = [](const auto& entry) {
      return !entry.first.empty() && entry.first.size() + entry.second.size() <= kEntryBytesMax;
    };
    if (given.size() > entries_max || !std::ranges::all_of(given, fits)) return false;
    member.assign(given.begin(), given.end());
    return true;
  };
  return detail::bind<TextMap>(
      "a table of at most " + std::to_string(entries_max) + " texts",
      [&member] { return TextMap(member.begin(), member.end()); }, put);
}

bool is_address(std::string_view text) {
  boost::system::error_code error;
  boost::asio::ip::make_address(text, error);
  return !error;
}

bool is_network(std::string_view text) {
  if (text.find('/') == std::string_view::npos) return is_address(text);
  boost::system::error_code error;
  boost::asio::ip::make_network_v4(text, error);
  if (!error) return true;
  boost::asio::ip::make_network_v6(text, error);
  return !error;
}

}  // namespace sluice
