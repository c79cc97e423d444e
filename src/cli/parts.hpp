#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/time.hpp"
#include "sluice/cli/admin_client.hpp"
#include "sluice/cli/cli.hpp"
#include "sluice/domain/ids.hpp"

#include "cli/terminal_text.hpp"

namespace CLI {
class App;
}

namespace sluice {

/// The flags by which every command learns its settings.
struct SettingsFlags {
  std::string config;
  std::vector<std::string> sets;
  std::string mode;
  std::string data_dir;
  std::string port;
  std::string log_level;
};

/// What building the command line has at hand. A command sets `action` once it is chosen.
struct Cli {
  const CliWorld& world;
  SettingsFlags flags;
  std::function<int()> action;
};

/// A mistake in how a command was called: one line, exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A command with a purpose, what follows its options in the help, and the flags of the settings.
CLI::App* add_command(CLI::App& app, Cli& cli, const std::string& name, const std::string& purpose,
                      const std::string& footer, std::function<int()> action);

/// Throws SettingsError or UsageError.
LoadedSettings load_settings(const Cli& cli);

void add_sale_commands(CLI::App& app, Cli& cli);
void add_order_commands(CLI::App& app, Cli& cli);
void add_recovery_commands(CLI::App& app, Cli& cli);
void add_token_command(CLI::App& app, Cli& cli);
void add_health_command(CLI::App& app, Cli& cli);

/// 250ms, 30s, 10m, 2h, 7d: a whole number and its unit, at most ten years.
std::optional<Millis> parse_duration(std::string_view text);

/// What a flag says as a duration of `min` … `max`; throws UsageError with `usage` when it does
/// not.
Millis duration_of(const std::string& text, Millis min, Millis max, const std::string& usage);

/// The server that a flag names by its URL; without one, the one that listens as `otherwise` says.
/// Throws UsageError.
Endpoint server_of(const std::string& flag, const std::string& url, const HttpSettings& otherwise);

/// Throws UsageError when the text is no user.
UserId user_of(const std::string& text);

/// "now", + and a duration from now, or RFC 3339.
std::optional<TimePoint> parse_moment(std::string_view text, TimePoint now);

}  // namespace sluice
