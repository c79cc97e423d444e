#include <algorithm>
#include <regex>

#include "settings/table.hpp"
#include "sluice_config.hpp"

namespace sluice {
namespace {

const std::string kHidden = "***";

/// user:password@ before a host, and password=… anywhere.
std::string hide_in_url(std::string url) {
  const auto scheme = url.find("://");
  const auto host = url.rfind('@');
  const auto colon = url.find(':', scheme == std::string::npos ? 0 : scheme + 3);
  if (host != std::string::npos && colon < host) {
    url.replace(colon + 1, host - colon - 1, kHidden);
  }
  static const std::regex kParameter("(password=)[^& ]*");
  return std::regex_replace(url, kParameter, "$1" + kHidden);
}

bool names_secret(const std::string& name) {
  static const std::regex kWords("password|secret|token|jaas|key\\.pem", std::regex::icase);
  return std::regex_search(name, kWords);
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

std::string document_settings() { return std::string(sluice_config::file("sluice.toml")); }

std::string show_settings(LoadedSettings loaded) {
  const auto rows = settings_table(loaded.settings);
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
