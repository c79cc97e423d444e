#include <algorithm>
#include <array>
#include <cctype>

#include "settings/table.hpp"
#include "sluice_config.hpp"

namespace sluice {
namespace {

constexpr std::string_view kHidden = "***";

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
