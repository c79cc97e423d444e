#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/time.hpp"
#include "sluice/cli/cli.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/domain/sale.hpp"

namespace CLI {
class App;
}

namespace sluice {

/// What the command line says. One command runs, so commands share what they have in common.
struct Cli {
  const CliWorld& world;
  std::string command{};                    ///< The last word of it: "serve", "open".
  std::function<int(const Cli&)> action{};  ///< What the command does; an exit code.

  // The settings, for `load_settings`.
  std::string config{};
  std::vector<std::string> sets{};
  std::vector<FlagValue> flags{};  ///< Options that stand for one setting.

  // Commands that ask a server.
  std::string url{};
  std::string timeout{};
  bool json = false;
  std::string sale{};
  std::string order{};
  std::string user{};
  std::string mode{};
  bool force = false;
  std::size_t limit = 50;  ///< Sales to list.
  bool all = false;

  // sale create
  SaleDraft draft{};
  std::string starts = "now";
  std::string ends{};
  std::string pay_within{};
  bool open = false;

  // token
  std::vector<std::string> users{};
  std::size_t count = 0;
  std::string prefix = "u";
  std::string lifetime = "1h";
  std::string output{};

  ServeOptions serve{};
  bool defaults = false;  ///< check-config
};

/// A mistake in how a command was called: one line, exit code 2.
using UsageError = SettingsError;

/// A command with a purpose, what follows its options in the help, and the flags of the settings.
CLI::App* add_command(CLI::App& app, Cli& cli, const std::string& name, const std::string& purpose,
                      const std::string& footer, std::function<int(const Cli&)> action);

/// An option that stands for a setting.
void add_setting(CLI::App& command, Cli& cli, const std::string& flag, const std::string& key,
                 const std::string& purpose);

/// `--timeout`, which is `otherwise` when it is not given.
void add_timeout(CLI::App& command, Cli& cli, const std::string& purpose,
                 const std::string& otherwise);

/// A command with the flags of the admin API.
CLI::App* add_admin_command(CLI::App& app, Cli& cli, const std::string& name,
                            const std::string& purpose, const std::string& footer,
                            std::function<int(const Cli&)> action,
                            const std::string& timeout = "10s");

/// Lets such a command take a sale's number.
CLI::App* take_sale(CLI::App* command, Cli& cli);

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

/// "now", + and a duration from now, or RFC 3339.
std::optional<TimePoint> parse_moment(std::string_view text, TimePoint now);

/// Throws UsageError when the text is no user.
UserId user_of(const std::string& text);

/// What a server or file said, harmless for a terminal: one line of at most `bytes_max` bytes,
/// without control characters.
std::string terminal_text(std::string_view text, std::size_t bytes_max = 500);

}  // namespace sluice
