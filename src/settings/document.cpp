#include <algorithm>
#include <array>
#include <cctype>

#include "settings/table.hpp"

namespace sluice {
namespace {

constexpr std::size_t kColumnsMax = 100;
constexpr std::string_view kHidden = "***";

/// `text` as comment lines.
std::string comment(std::string_view text) {
  std::string out;
  std::string line = "#";
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (line.size() + 1 + word.size() > kColumnsMax) {
      out += line + "\n";
      line = "#";
    }
    line += " " + std::string(word);
  }
  return out + line + "\n";
}

/// user:password@ before a host, and password=… anywhere.
std::string hide_in_url(std::string url) {
  const auto scheme = url.find("://");
  const auto user = scheme == std::string::npos ? 0 : scheme + 3;
  const auto host = url.rfind('@');
  const auto colon = url.find(':', user);
  if (host != std::string::npos && colon < host) {
    url.replace(colon + 1, host - colon - 1, kHidden);
  }
  constexpr std::string_view kParameter = "password=";
  for (auto at = url.find(kParameter); at != std::string::npos; at = url.find(kParameter, at)) {
    at += kParameter.size();
    const auto end = std::min(url.find_first_of("& ", at), url.size());
    url.replace(at, end - at, kHidden);
  }
  return url;
}

bool names_secret(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array<std::string_view, 5> kWords = {"password", "secret", "token", "jaas",
                                                      "key.pem"};
  return std::ranges::any_of(kWords, [&](auto word) { return name.find(word) != name.npos; });
}

std::string heading(const std::string& key, std::string& section) {
  if (section_of(key) == section) return {};
  section = section_of(key);
  return "\n" + comment(section_meaning(section)) + "[" + section + "]\n";
}

}  // namespace

Value without_password(const Setting& setting) {
  auto value = setting.binding.get();
  if (!setting.password) return value;
  if (auto* url = std::get_if<std::string>(&value)) *url = hide_in_url(*url);
  if (auto* entries = std::get_if<TextMap>(&value)) {
    for (auto& [name, text] : *entries) {
      if (names_secret(name)) text = kHidden;
    }
  }
  return value;
}

std::string document_settings() {
  Settings defaults;
  std::string out =
      comment("Every setting of Sluice with its default. Made by: sluice check-config --defaults");
  out += comment(
      "Stronger than this file: variables (SLUICE_HTTP_PORT for http.port, lists separated by "
      "commas), then flags (--set http.port=8080). Secrets come from files or variables alone.");
  std::string section;
  for (const auto& setting : settings_table(defaults)) {
    out += heading(setting.key, section) + "\n";
    auto range = setting.binding.range;
    range[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(range[0])));
    out += comment(setting.meaning + " " + range + ".");
    out += setting.key.substr(section.empty() ? 0 : section.size() + 1);
    out += " = " + to_toml(setting.binding.get()) + "\n";
  }
  return out;
}

std::string show_settings(const LoadedSettings& loaded) {
  Settings copy = loaded.settings;
  const auto rows = settings_table(copy);
  std::vector<std::string> lines;
  std::size_t widest = 0;
  for (const auto& setting : rows) {
    lines.push_back(setting.key + " = " + to_toml(without_password(setting)));
    widest = std::max(widest, std::min<std::size_t>(lines.back().size(), 56));
  }
  std::string out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& line = lines[i];
    line.resize(std::max(line.size(), widest), ' ');
    out += line + "  # " + loaded.origins.at(rows[i].key) + "\n";
  }
  return out;
}

}  // namespace sluice
