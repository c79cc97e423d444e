#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <thread>
#include <toml++/toml.h>

#include "sluice/base/log.hpp"
#include "sluice/base/text.hpp"
#include "sluice/settings/secrets.hpp"

#include "settings/table.hpp"

extern char** environ;

namespace sluice {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return to_toml(whole->get());
  if (const auto* truth = node.as_boolean()) return to_toml(truth->get());
  return std::nullopt;
}

std::optional<Value> value_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return whole->get();
  if (const auto* real = node.as_floating_point()) return real->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  if (const auto* array = node.as_array()) {
    TextList entries;
    for (const auto& entry : *array) {
      if (!entry.is_string()) return std::nullopt;
      entries.push_back(*text_of(entry));
    }
    return entries;
  }
  if (const auto* table = node.as_table()) {
    TextMap entries;
    for (const auto& [name, entry] : *table) {
      const auto text = text_of(entry);
      if (!text) return std::nullopt;
      entries.emplace(name.str(), *text);
    }
    return entries;
  }
  return std::nullopt;
}

/// Gathers values into one `LoadedSettings`, the weakest source first, and what is wrong with them.
class Loader {
 public:
  explicit Loader(LoadedSettings& loaded)
      : loaded_(loaded), rows_(settings_table(loaded.settings)) {
    for (const auto& row : rows_) {
      loaded_.origins[row.key] = "default";
      keys_.push_back(row.key);
      const auto dot = row.key.find('.');
      const auto section = row.key.substr(0, dot);
      const bool is_new = sections_.empty() || sections_.back() != section;
      if (dot != std::string::npos && is_new) sections_.push_back(section);
      variables_.push_back(variable_of(row.key));
    }
    variables_.insert(variables_.end(), kSecretVariables.begin(), kSecretVariables.end());
  }

  void load_file(const std::string& path) {
    path_ = path;
    const auto text =
        read_file(path, kFileBytesMax, "", "larger than 1 MiB, which no settings file is");
    try {
      load_table(toml::parse(text, path), "");
    } catch (const toml::parse_error& error) {
      throw SettingsError(
          fmt::format("{}: not TOML: {}", place_of(error.source()), error.description()));
    }
  }

  void load_environment(const Environment& environment) {
    for (const auto& [name, text] : environment) {
      if (!name.starts_with("SLUICE_") || name.starts_with("SLUICE_TEST_")) continue;
      if (name == "SLUICE_FAILPOINT") continue;
      const auto position = std::ranges::find(variables_, name) - variables_.begin();
      const auto index = static_cast<std::size_t>(position);
      if (index == variables_.size()) refuse_name("environment", "variable", variables_, name);
      if (index < rows_.size()) set_text(rows_[index], text, name);
    }
  }

  void load_flag(const FlagValue& flag) {
    const auto* row = find(flag.key);
    if (row == nullptr) return refuse_name(flag.flag, "setting", keys_, flag.key);
    set_text(*row, flag.value, flag.flag);
    if (row->password && without_password(*row) != row->binding.get()) {
      problems.push_back(
          fmt::format("{}: {}: no password here, others can read command lines; use a file or {}",
                      flag.flag, row->key, variable_of(row->key)));
    }
  }

  std::vector<std::string> problems;

 private:
  void load_table(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) load_node(node, prefix + std::string(name.str()));
  }

  void load_node(const toml::node& node, const std::string& key) {
    const auto place = place_of(node.source());
    const auto* table = node.as_table();
    const bool is_section = std::ranges::find(sections_, key) != sections_.end();
    if (const auto* row = find(key)) {
      set(*row, value_of(node), "a value of that type", place);
    } else if (is_section && table != nullptr) {
      load_table(*table, key + ".");
    } else if (is_section) {
      problems.push_back(fmt::format("{}: {} is a section: write [{}]", place, key, key));
    } else if (table != nullptr && key.find('.') == std::string::npos) {
      refuse_name(place, "section", sections_, key);
    } else {
      refuse_name(place, "setting", keys_, key);
    }
  }

  void set_text(const Setting& row, const std::string& text, const std::string& origin) {
    set(row, parse_value(text, row.binding.get()), to_toml(text), origin);
  }

  /// `given` is shown of what could not be read as a value.
  void set(const Setting& row, const std::optional<Value>& value, const std::string& given,
           const std::string& origin) {
    if (value && row.binding.set(*value)) {
      loaded_.origins[row.key] = origin;
      return;
    }
    // What was given may hold a password even where it is not valid.
    const auto shown = row.password ? "" : " = " + (value ? to_toml(*value) : given);
    problems.push_back(
        fmt::format("{}: {}{}: must be {}", origin, row.key, shown, row.binding.range));
  }

  void refuse_name(const std::string& place, const std::string& what,
                   const std::vector<std::string>& candidates, const std::string& name) {
    problems.push_back(fmt::format("{}: unknown {} {}; did you mean {}?", place, what,
                                   printable(name), nearest(name, candidates)));
  }

  const Setting* find(const std::string& key) const {
    const auto row = std::ranges::find(rows_, key, &Setting::key);
    return row == rows_.end() ? nullptr : &*row;
  }

  /// FILE:LINE
  std::string place_of(const toml::source_region& source) const {
    return fmt::format("{}:{}", path_, source.begin.line);
  }

  LoadedSettings& loaded_;
  std::vector<Setting> rows_;
  std::vector<std::string> keys_;
  std::vector<std::string> sections_;
  std::vector<std::string> variables_;  ///< Those of the rows, then those of secrets.
  std::string path_;
};

}  // namespace

SettingsError::SettingsError(std::vector<std::string> all)
    : std::runtime_error(boost::algorithm::join(all, "\n")), problems(std::move(all)) {}

std::string read_file(const std::string& path, std::size_t bytes_max, const std::string& use,
                      const std::string& too_large) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw SettingsError(path + ": there is no such file" + use);
  }
  std::ifstream in(path, std::ios::binary);
  std::string text(bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad() || !in.is_open()) throw SettingsError(path + ": cannot be read");
  if (text.size() > bytes_max) throw SettingsError(path + ": " + too_large);
  return text;
}

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view line = *entry;
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return environment;
}

LoadedSettings load_settings(const SettingsSources& sources) {
  LoadedSettings loaded;
  Loader loader(loaded);
  std::error_code ignored;
  if (sources.file || std::filesystem::exists(sources.default_file, ignored)) {
    loader.load_file(sources.file.value_or(sources.default_file));
  }
  loader.load_environment(sources.environment);
  for (const auto& flag : sources.flags) loader.load_flag(flag);
  // Values that were refused are not there, so what does not fit them would mislead.
  if (loader.problems.empty()) loader.problems = cross_check(loaded, sources.environment);
  if (!loader.problems.empty()) throw SettingsError(std::move(loader.problems));
  loaded.settings.sqlite.path = loaded.settings.data_dir + "/sluice.db";
  return loaded;
}

unsigned http_thread_count(const Settings& settings) {
  constexpr unsigned kThreadsMax = 64;
  if (settings.http_threads != 0) return settings.http_threads;
  return std::clamp(std::thread::hardware_concurrency(), 1U, kThreadsMax);
}

}  // namespace sluice
