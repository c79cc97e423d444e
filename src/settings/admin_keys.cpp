#include <algorithm>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <fmt/format.h>
#include <sstream>

#include "sluice/base/log.hpp"
#include "sluice/base/text.hpp"
#include "sluice/settings/secrets.hpp"

namespace sluice {
namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::size_t kNameBytesMax = 32;  // Too short for a key that took the name's place.

struct Line {
  std::size_t number;
  std::vector<std::string> words;
};

/// The lines that count.
std::vector<Line> lines_of(const std::string& text) {
  std::vector<Line> lines;
  std::istringstream rest(text);
  std::string line;
  for (std::size_t number = 1; std::getline(rest, line); ++number) {
    const std::string content(trimmed(line, kBlanks));
    if (content.empty() || content.starts_with('#')) continue;
    auto& words = lines.emplace_back(Line{number, {}}).words;
    boost::split(words, content, boost::is_any_of(kBlanks), boost::token_compress_on);
  }
  return lines;
}

/// What is wrong with a key; empty when nothing is.
std::string fault_of(const std::string& key) {
  std::string fault;
  if (key.size() < kAdminKeyBytesMin) {
    fault = fmt::format("has {} bytes and needs {} or more", key.size(), kAdminKeyBytesMin);
  } else if (printable(key, key.size()) != key) {
    fault = "must be printable ASCII";  // It travels in a header field.
  }
  return fault.empty() ? fault : fault + "; openssl rand -hex 32 makes one";
}

/// What is wrong with a line of the table, after the lines before it; empty when nothing is. Words
/// of the line may be a key in the wrong place: they are not told.
std::string fault_of(const Line& line, const AdminKeys& earlier) {
  if (line.words.size() != 3) return "must be NAME ROLE KEY";
  const auto& name = line.words[0];
  const auto& key = line.words[2];
  if (name.size() > kNameBytesMax || !is_plain_name(name)) {
    return fmt::format("the name must be 1 to {} of [A-Za-z0-9._-]", kNameBytesMax);
  }
  if (!parse_name<AdminRole>(line.words[1])) return "the role must be read, operate or pay";
  if (const auto fault = fault_of(key); !fault.empty()) return "the key " + fault;
  if (std::ranges::count(earlier, name, &AdminKey::name) > 0) return "the name stands there twice";
  const auto same = std::ranges::find(earlier, key, &AdminKey::key);
  if (same != earlier.end()) return "the key is that of " + same->name;
  return {};
}

}  // namespace

AdminKeys parse_admin_keys(const std::string& text, const std::string& where) {
  const auto lines = lines_of(text);
  if (lines.empty() || (lines.size() == 1 && lines[0].words.size() == 1)) {
    const auto key = lines.empty() ? std::string() : lines[0].words[0];
    const auto fault = fault_of(key);
    if (!fault.empty()) throw SettingsError(fmt::format("{}: the admin key {}", where, fault));
    return {AdminKey{"admin", std::nullopt, key}};
  }
  AdminKeys keys;
  std::vector<std::string> problems;
  for (const auto& line : lines) {
    const auto fault = fault_of(line, keys);
    if (fault.empty()) {
      keys.push_back({line.words[0], parse_name<AdminRole>(line.words[1]), line.words[2]});
    } else {
      problems.push_back(fmt::format("{}:{}: {}", where, line.number, fault));
    }
  }
  if (!problems.empty()) throw SettingsError(std::move(problems));
  return keys;
}

}  // namespace sluice
