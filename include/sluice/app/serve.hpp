#pragma once

#include "sluice/cli/cli.hpp"

namespace sluice {

/// Runs the server until SIGTERM or SIGINT, then drains it. SIGHUP, which is blocked when this is
/// called and when it returns, reloads what may change meanwhile. The result is the exit code of
/// the process. Problems are logged. Call it once, on the main thread, before other threads start.
int serve(const Settings& settings, const ServeOptions& options);

/// Brings the schema of the database (and the topics of Kafka) up to this program's and returns the
/// exit code. Embedded mode does so at each start by itself. Any number of nodes may do this at
/// once.
int migrate(const Settings& settings);

}  // namespace sluice
