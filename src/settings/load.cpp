#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <toml++/toml.h>

#include "sluice/base/text.hpp"
#include "sluice/settings/secrets.hpp"

#include "settings/table.hpp"

extern char** environ;

namespace sluice {
namespace {

constexpr std::uintmax_t kFileBytesMax = 1 << 20;

/// Gathers values into one `LoadedSettings`, the weakest source first, and what is wrong with them.
class Loader {
 public:
  explicit Loader(LoadedSettings& loaded)
      : loaded_(loaded), rows_(settings_table(loaded.settings)) {
    for (const auto& row : rows_) {
      loaded_.origins[row.key] = "default";
      keys_.push_back(row.key);
      const auto section = section_of(row.key);
      const bool is_new = !section.empty() && (sections_.empty() || sections_.back() != section);
      if (is_new) sections_.push_back(section);
      variables_.push_back(variable_of(row.key));
    }
    for (const auto name : secret_variables()) variables_.emplace_back(name);
  }

  void read_file(const std::string& path);
  void read_environment(const Environment& environment);
  void read_flag(const FlagValue& flag);

  std::vector<std::string> problems;

 private:
  void read_table(const toml::table& table, const std::string& prefix);
  void read_node(const toml::node& node, const std::string& key);
  void set(const Setting& row, const std::optional<Value>& value, const std::string& shown,
           const std::string& where, const std::string& origin);
  void unknown(const std::string& where, const std::string& what,
               const std::vector<std::string>& candidates, std::string_view name);
  const Setting* find(std::string_view key) const;
  std::string where(const toml::node& node) const;

  LoadedSettings& loaded_;
  std::vector<Setting> rows_;
  std::vector<std::string> keys_;
  std::vector<std::string> sections_;
  std::vector<std::string> variables_;
  std::string path_;
};

std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return std::to_string(whole->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  return std::nullopt;
}

std::optional<Value> list_of(const toml::array& array) {
  TextList entries;
  for (const auto& node : array) {
    const auto* text = node.as_string();
    if (text == nullptr) return std::nullopt;
    entries.push_back(text->get());
  }
  return entries;
}

std::optional<Value> map_of(const toml::table& table) {
  TextMap entries;
  for (const auto& [name, node] : table) {
    auto text = text_of(node);
    if (!text) return std::nullopt;
    entries.emplace(std::string(name.str()), std::move(*text));
  }
  return entries;
}

std::optional<Value> value_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return whole->get();
  if (const auto* real = node.as_floating_point()) return real->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  if (const auto* array = node.as_array()) return list_of(*array);
  if (const auto* table = node.as_table()) return map_of(*table);
  return std::nullopt;
}

std::string read_text(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw SettingsError(path + ": there is no such file");
  }
  if (std::filesystem::file_size(path, error) > kFileBytesMax) {
    throw SettingsError(path + ": larger than 1 MiB, which no settings file is");
  }
  std::ifstream in(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in) throw SettingsError(path + ": cannot be read");
  return text;
}

void Loader::read_file(const std::string& path) {
  path_ = path;
  const std::string text = read_text(path);
  try {
    read_table(toml::parse(text, path), "");
  } catch (const toml::parse_error& error) {
    throw SettingsError(path + ":" + std::to_string(error.source().begin.line) +
                        ": not TOML: " + std::string(error.description()));
  }
}

void Loader::read_table(const toml::table& table, const std::string& prefix) {
  for (const auto& [name, node] : table) read_node(node, prefix + std::string(name.str()));
}

void Loader::read_node(const toml::node& node, const std::string& key) {
  if (const auto* row = find(key)) {
    const auto value = value_of(node);
    set(*row, value, value ? to_toml(*value) : "a value of that type", where(node), where(node));
    return;
  }
  if (std::ranges::find(sections_, key) != sections_.end()) {
    if (const auto* table = node.as_table()) {
      read_table(*table, key + ".");
    } else {
      problems.push_back(where(node) + ": " + key + " is a section: write [" + key + "]");
    }
    return;
  }
  if (node.is_table() && key.find('.') == std::string::npos) {
    unknown(where(node), "section", sections_, key);
    return;
  }
  unknown(where(node), "setting", keys_, key);
}

void Loader::read_environment(const Environment& environment) {
  constexpr std::string_view kPrefix = "SLUICE_";
  for (auto it = environment.lower_bound(std::string(kPrefix));
       it != environment.end() && it->first.starts_with(kPrefix); ++it) {
    const auto& [name, text] = *it;
    if (name.starts_with("SLUICE_TEST_") || name == "SLUICE_FAILPOINT") continue;
    const auto position = std::ranges::find(variables_, name) - variables_.begin();
    const auto index = static_cast<std::size_t>(position);
    if (index == variables_.size()) {
      unknown("environment", "variable", variables_, name);
    } else if (index < rows_.size()) {
      const auto& row = rows_[index];
      const auto value = parse_value(text, row.binding.get());
      set(row, value, value ? to_toml(*value) : to_toml(text), name, name);
    }
  }
}

void Loader::read_flag(const FlagValue& flag) {
  const auto* row = find(flag.key);
  if (row == nullptr) {
    unknown(flag.flag, "setting", keys_, flag.key);
    return;
  }
  const auto value = parse_value(flag.value, row->binding.get());
  set(*row, value, value ? to_toml(*value) : to_toml(flag.value), flag.flag, flag.flag);
  if (row->password && without_password(*row) != row->binding.get()) {
    problems.push_back(flag.flag + ": " + row->key +
                       ": no password here, others can read command lines; use a file or " +
                       variable_of(row->key));
  }
}

void Loader::set(const Setting& row, const std::optional<Value>& value, const std::string& shown,
                 const std::string& where, const std::string& origin) {
  if (value && row.binding.set(*value)) {
    loaded_.origins[row.key] = origin;
    return;
  }
  // What was given may hold a password even where it is not valid.
  problems.push_back(where + ": " + row.key + (row.password ? "" : " = " + shown) + ": must be " +
                     row.binding.range);
}

void Loader::unknown(const std::string& where, const std::string& what,
                     const std::vector<std::string>& candidates, std::string_view name) {
  problems.push_back(where + ": unknown " + what + " " + printable(name) + "; did you mean " +
                     std::string(nearest(name, candidates)) + "?");
}

const Setting* Loader::find(std::string_view key) const {
  const auto it = std::ranges::find(rows_, key, &Setting::key);
  return it == rows_.end() ? nullptr : &*it;
}

std::string Loader::where(const toml::node& node) const {
  return path_ + ":" + std::to_string(node.source().begin.line);
}

}  // namespace

SettingsError::SettingsError(std::vector<std::string> problems)
    : std::runtime_error(boost::algorithm::join(problems, "\n")), problems_(std::move(problems)) {}

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
  if (sources.file) {
    loader.read_file(*sources.file);
  } else if (std::filesystem::exists(sources.default_file, ignored)) {
    loader.read_file(sources.default_file);
  }
  loader.read_environment(sources.environment);
  for (const auto& flag : sources.flags) loader.read_flag(flag);
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
