#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/settings/settings.hpp"

namespace sluice {

inline constexpr std::string_view kVersion = "0.1.0";

/// Exit codes of the program.
enum ExitCode : int { kExitOk = 0, kExitFailed = 1, kExitUsage = 2 };

struct ServeOptions {
  bool demo = false;  ///< Opens a sale at first and hands out tokens to whoever asks.

  /// Reads the settings anew, from where they came; throws `SettingsError` as at the start.
  std::function<LoadedSettings()> reload{};
};

/// What the command line touches; tests put their own in place.
struct CliWorld {
  Environment environment;
  std::ostream& out;
  std::ostream& err;
  std::function<int(const Settings&, const ServeOptions&)> serve;
  std::function<int(const Settings&)> migrate;
  std::string default_file = SettingsSources().default_file;  ///< Of the settings.
};

/// One command. `arguments` without the program's name. Problems are one line each on `world.err`.
int run_command(const std::vector<std::string>& arguments, const CliWorld& world);

}  // namespace sluice
