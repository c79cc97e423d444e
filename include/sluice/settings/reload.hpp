#pragma once

#include <string>
#include <vector>

#include "sluice/settings/secrets.hpp"
#include "sluice/settings/settings.hpp"

namespace sluice {

/// What a running server makes of settings that were read anew.
struct Reload {
  Settings settings;                 ///< Those it runs with, but for what may change while it runs.
  Secrets secrets;                   ///< The same of the secrets.
  std::vector<std::string> changes;  ///< What holds from now on; secrets by their names alone.
  std::vector<std::string> restarts;  ///< What differs and needs a restart, by name.
};

/// Decides a reload and changes nothing. `running`, `known`: what the server runs with. Throws
/// `SettingsError` with every problem when what was read cannot work.
Reload plan_reload(const Settings& running, const Secrets& known, const LoadedSettings& fresh,
                   const Environment& environment);

}  // namespace sluice
