#include "settings/value.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <charconv>
#include <fmt/format.h>
#include <sstream>
#include <toml++/toml.h>

#include "sluice/base/text.hpp"

namespace sluice {
namespace {

constexpr std::size_t kEntryBytesMax = 1024;

template <class Scalar>
std::string written(const Scalar& value) {
  std::ostringstream out;
  const toml::value<Scalar> node(value);
  out << toml::default_formatter(node, toml::format_flags::allow_unicode_strings);
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
  std::string operator()(const auto& value) const { return written(value); }
  std::string operator()(double value) const { return number_text(value); }
  std::string operator()(const TextList& value) const {
    std::string out = "[";
    for (const auto& entry : value) out += (out.size() > 1 ? ", " : "") + written(entry);
    return out + "]";
  }
  std::string operator()(const TextMap& value) const {
    std::string out = "{";
    for (const auto& [name, entry] : value) {
      out += (out.size() > 1 ? ", " : " ") + written(name) + " = " + written(entry);
    }
    return out + (value.empty() ? "}" : " }");
  }
};

}  // namespace

std::string to_toml(const Value& value) { return std::visit(ToToml{}, value); }

std::optional<Value> parse_value(std::string_view text, const Value& like) {
  if (std::holds_alternative<bool>(like)) {
    if (text != "true" && text != "false") return std::nullopt;
    return text == "true";
  }
  if (std::holds_alternative<std::int64_t>(like)) return parse_number<std::int64_t>(text);
  if (std::holds_alternative<double>(like)) return parse_number<double>(text);
  if (std::holds_alternative<TextList>(like)) return split(text);
  if (std::holds_alternative<TextMap>(like)) return parse_map(text);
  return std::string(text);
}

std::string whole_range(std::int64_t min, std::int64_t max) {
  return fmt::format("a whole number from {} to {}", min, max);
}

std::string names_range(const std::vector<std::string>& names) {
  std::string range;
  for (const auto& name : names) range += (range.empty() ? "one of " : ", ") + written(name);
  return range;
}

Binding flag(bool& member) {
  return bind_member<bool>(member, "true or false", [](bool) { return true; });
}

Binding number(double& member, double min, double max) {
  // Not a number is in no range.
  const auto accepts = [min, max](double given) { return given >= min && given <= max; };
  auto binding =
      bind_member<double>(member, fmt::format("a number from {:g} to {:g}", min, max), accepts);
  binding.set = [set = std::move(binding.set)](const Value& value) {
    const auto* whole_number = std::get_if<std::int64_t>(&value);
    return set(whole_number != nullptr ? static_cast<double>(*whole_number) : value);
  };
  return binding;
}

Binding text(std::string& member, std::size_t bytes_max, std::string what, TextCheck check) {
  auto accepts = [bytes_max, check = std::move(check)](const std::string& given) {
    return given.size() <= bytes_max && given.find('\0') == std::string::npos &&
           (!check || check(given));
  };
  return bind_member<std::string>(member, fmt::format("{}, at most {} bytes", what, bytes_max),
                                  accepts);
}

Binding one_of(std::string& member, std::vector<std::string> names) {
  auto range = names_range(names);
  const auto accepts = [names = std::move(names)](const std::string& given) {
    return std::ranges::find(names, given) != names.end();
  };
  return bind_member<std::string>(member, std::move(range), accepts);
}

Binding list(TextList& member, std::size_t entries_max, const std::string& what, TextCheck check) {
  const auto accepts = [entries_max, check = std::move(check)](const TextList& given) {
    return given.size() <= entries_max && std::ranges::all_of(given, check);
  };
  return bind_member<TextList>(member, fmt::format("a list of at most {} {}", entries_max, what),
                               accepts);
}

Binding map(TextMap& member, std::size_t entries_max) {
  const auto accepts = [entries_max](const TextMap& given) {
    const auto fits = [](const auto& entry) {
      return !entry.first.empty() && entry.first.size() + entry.second.size() <= kEntryBytesMax;
    };
    return given.size() <= entries_max && std::ranges::all_of(given, fits);
  };
  return bind_member<TextMap>(member, fmt::format("a table of at most {} texts", entries_max),
                              accepts);
}

bool is_address(std::string_view text) {
  boost::system::error_code error;
  boost::asio::ip::make_address(text, error);
  return !error;
}

bool is_network(std::string_view text) {
  boost::system::error_code no_v4;
  boost::system::error_code no_v6;
  boost::asio::ip::make_network_v4(text, no_v4);
  boost::asio::ip::make_network_v6(text, no_v6);
  return is_address(text) || !no_v4 || !no_v6;
}

}  // namespace sluice
