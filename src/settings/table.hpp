#pragma once

#include <string>
#include <vector>

#include "sluice/settings/settings.hpp"

#include "settings/value.hpp"

namespace sluice {

/// One setting: the row of the table that names, variables, flags, checks and `show_settings` are
/// made from. What it means stands in config/sluice.toml, which a test holds to the table.
struct Setting {
  std::string key;        ///< section.name, or a name alone at the top; the unit comes last.
  Binding binding;        ///< Refers to the `Settings` that the table was made for.
  bool password = false;  ///< The value may hold one: it is not shown, and not taken from a flag.
  bool reloads = false;   ///< A running server takes another value at a reload.
};

/// The table over one `Settings`, in the order of the file.
std::vector<Setting> settings_table(Settings& settings);

/// SLUICE_SECTION_NAME.
std::string variable_of(const std::string& key);

/// The value as it may be shown: a password in a URL or a map is replaced by "***".
Value without_password(const Setting& setting);

/// The text of a file of at most `bytes_max`. Throws `SettingsError`, which says of a file that is
/// not there also what its `use` would be.
std::string read_file(const std::string& path, std::size_t bytes_max, const std::string& use,
                      const std::string& too_large);

/// What does not fit together, one sentence each.
std::vector<std::string> cross_check(const LoadedSettings& loaded, const Environment& environment);

}  // namespace sluice
