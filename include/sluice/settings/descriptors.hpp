#pragma once

#include <cstddef>
#include <string>

#include "sluice/settings/settings.hpp"

namespace sluice {

/// The most descriptors that the process needs beside buyers' connections: files, event loops,
/// listeners, connections to services and of operators, and those that are only told "too many".
std::size_t reserved_descriptors(const Settings& settings);

/// Makes buyers' connections fit beside the reserve under a limit of open files. Lowers
/// `http.connections_max` if it must, and returns a sentence that says so; else an empty one.
/// Throws `SettingsError` when the limit leaves room for none.
std::string fit_connections(Settings& settings, std::size_t descriptors_max);

}  // namespace sluice
