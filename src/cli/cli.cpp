#include "sluice/cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <ostream>
#include <span>

#include "sluice/base/text.hpp"
#include "sluice/cli/admin_client.hpp"
#include "sluice/settings/secrets.hpp"

#include "cli/parts.hpp"

namespace sluice {
namespace {

constexpr auto kFooter =
    R"(Try it: `sluice serve --demo` starts a server with a sale to buy from; it needs nothing else.
Read on: `sluice COMMAND --help`; every setting: `sluice check-config --defaults`;
docs/operations.md.)";

constexpr auto kServeFooter = R"(Examples:
  sluice serve --demo
  sluice serve --config sluice.toml
  sluice serve --mode services --set redis.url=redis://10.0.0.5 --set kafka.brokers=10.0.0.6:9092 \
      --set postgres.url=postgresql://sluice@10.0.0.7/sluice
It stops on SIGTERM or SIGINT, after it answered what is under way.
Read on: docs/operations.md; config/sluice.toml for every setting.)";

constexpr auto kMigrateFooter = R"(Example: sluice migrate --config sluice.toml
Safe to repeat, and while servers run. Embedded mode does it at each start by itself.
Read on: sql/ for the schema.)";

constexpr auto kCheckFooter = R"(Examples:
  sluice check-config --config sluice.toml    what would hold, and where each value comes from
  sluice check-config --defaults              a file with every setting, explained
Exit code 2 when something is wrong. Secrets are never shown.
Read on: config/sluice.toml.)";

int serve_command(const Cli& cli, const ServeOptions& options) {
  return cli.world.serve(load_settings(cli).settings, options);
}

int migrate_command(const Cli& cli) { return cli.world.migrate(load_settings(cli).settings); }

int check_config_command(const Cli& cli, bool defaults) {
  if (defaults) {
    cli.world.out << document_settings();
    return kExitOk;
  }
  const auto loaded = load_settings(cli);
  const auto secrets = describe_secrets(loaded.settings, cli.world.environment);
  cli.world.out << show_settings(loaded);
  for (const auto& line : secrets) cli.world.out << "# " << line << "\n";
  return kExitOk;
}

void build(CLI::App& app, Cli& cli, ServeOptions& serve_options, bool& defaults) {
  app.footer(kFooter);
  app.set_version_flag("--version", "sluice " + std::string(kVersion));
  app.require_subcommand(1);
  auto* serve =
      add_command(app, cli, "serve", "Run the server until it is told to stop.", kServeFooter,
                  [&cli, &serve_options] { return serve_command(cli, serve_options); });
  serve->add_flag("--demo", serve_options.demo,
                  "Open a sale at first, and give tokens to whoever asks (never in production)");
  serve->add_option("--port", cli.flags.port, "http.port: where buyers connect");
  serve->add_option("--log-level", cli.flags.log_level, "log.level: debug, info, warn, ...");
  add_command(app, cli, "migrate", "Bring the database and the topics up to this version.",
              kMigrateFooter, [&cli] { return migrate_command(cli); });
  add_sale_commands(app, cli);
  add_order_commands(app, cli);
  add_recovery_commands(app, cli);
  add_token_command(app, cli);
  auto* check =
      add_command(app, cli, "check-config", "Check the settings and show what holds.", kCheckFooter,
                  [&cli, &defaults] { return check_config_command(cli, defaults); });
  check->add_flag("--defaults", defaults, "Print the documented file of all defaults");
  add_health_command(app, cli);
}

/// The library's own texts for a missing or wrong command do not help.
void refuse_unknown_command(const CLI::App& app, std::span<const std::string> arguments) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (names.empty() || (!arguments.empty() && arguments[0].starts_with('-'))) return;
  if (arguments.empty()) {
    throw UsageError(app.get_name() + " needs a command: " + boost::algorithm::join(names, ", ") +
                     "; see --help");
  }
  if (std::ranges::find(names, arguments[0]) == names.end()) {
    throw UsageError("unknown command " + terminal_text(arguments[0]) + "; did you mean " +
                     std::string(nearest(arguments[0], names)) + "?");
  }
  refuse_unknown_command(*app.get_subcommand(arguments[0]), arguments.subspan(1));
}

/// The flags of the command that was given.
std::vector<std::string> known_flags(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  if (!commands.empty()) return known_flags(*commands.front());
  std::vector<std::string> flags;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

/// Names the first argument that no command took, and the flag that it may stand for.
std::string unexpected_text(const CLI::App& app) {
  const auto left = app.remaining(true);
  const auto flag = std::ranges::find_if(left, [](const auto& s) { return s.starts_with('-'); });
  if (left.empty()) return "an argument is too much";
  if (flag == left.end()) return "unknown argument " + terminal_text(left.front());
  const auto name = flag->substr(0, flag->find('='));
  return "unknown argument " + terminal_text(name) + " (did you mean " +
         std::string(nearest(name, known_flags(app))) + "?)";
}

int parse_and_run(const std::vector<std::string>& arguments, const CliWorld& world) {
  CLI::App app("Sluice sells a limited stock to an unlimited crowd.", "sluice");
  Cli cli{world, {}, nullptr};
  ServeOptions serve_options;
  bool defaults = false;
  build(app, cli, serve_options, defaults);
  refuse_unknown_command(app, arguments);
  // The library takes them last first.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted, world.out, world.err);
  } catch (const CLI::ExtrasError&) {
    throw UsageError(unexpected_text(app) + "; see --help");
  } catch (const CLI::ParseError& error) {
    std::string text = error.what();
    while (text.ends_with('\n')) text.pop_back();
    throw UsageError(terminal_text(text) + "; see --help");
  }
  return cli.action();
}

std::vector<FlagValue> flag_values(const SettingsFlags& flags) {
  std::vector<FlagValue> values;
  for (const auto& set : flags.sets) {
    const auto equals = set.find('=');
    if (equals == std::string::npos) {
      throw UsageError("--set " + terminal_text(set) + ": write --set section.name=value");
    }
    values.push_back({"--set", set.substr(0, equals), set.substr(equals + 1)});
  }
  const auto own = [&](const char* flag, const char* key, const std::string& value) {
    if (!value.empty()) values.push_back({flag, key, value});
  };
  own("--mode", "mode", flags.mode);
  own("--data-dir", "data_dir", flags.data_dir);
  own("--port", "http.port", flags.port);
  own("--log-level", "log.level", flags.log_level);
  return values;
}

}  // namespace

CLI::App* add_command(CLI::App& app, Cli& cli, const std::string& name, const std::string& purpose,
                      const std::string& footer, std::function<int()> action) {
  auto* command = app.add_subcommand(name, purpose);
  command->footer(footer);
  command->add_option(
      "--config", cli.flags.config,
      "The file with the settings; without it " + cli.world.default_file + ", if that exists");
  // One value for each --set: a value may hold commas, and must not swallow what follows it.
  command->add_option("--set", cli.flags.sets, "section.name=value; may be given again and again")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--mode", cli.flags.mode, "mode: embedded or services");
  command->add_option("--data-dir", cli.flags.data_dir,
                      "data_dir: where embedded mode keeps its data");
  command->callback([&cli, action = std::move(action)] { cli.action = action; });
  return command;
}

LoadedSettings load_settings(const Cli& cli) {
  SettingsSources sources;
  if (!cli.flags.config.empty()) sources.file = cli.flags.config;
  sources.default_file = cli.world.default_file;
  sources.environment = cli.world.environment;
  sources.flags = flag_values(cli.flags);
  return load_settings(sources);
}

Endpoint server_of(const std::string& flag, const std::string& url, const HttpSettings& otherwise) {
  if (url.empty()) return endpoint_of(otherwise.address, otherwise.port);
  if (const auto parsed = parse_url(url)) return *parsed;
  throw UsageError(flag + " is http://HOST[:PORT]");
}

UserId user_of(const std::string& text) {
  if (auto user = UserId::parse(text)) return *std::move(user);
  throw UsageError(terminal_text(text) + " is no user: 1 to 64 of A-Z a-z 0-9 . _ -");
}

int run_command(const std::vector<std::string>& arguments, const CliWorld& world) {
  const auto complain = [&](std::string_view line) { world.err << "sluice: " << line << "\n"; };
  try {
    return parse_and_run(arguments, world);
  } catch (const SettingsError& error) {
    for (const auto& problem : error.problems()) complain(problem);
    return kExitUsage;
  } catch (const UsageError& error) {
    complain(error.what());
    return kExitUsage;
  } catch (const std::exception& error) {
    complain(error.what());
    return kExitFailed;
  }
}

}  // namespace sluice
