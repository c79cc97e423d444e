#include "sluice/cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <csignal>
#include <fmt/format.h>
#include <ostream>
#include <span>

#include "sluice/base/text.hpp"
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
It stops on SIGTERM or SIGINT, after it answered what is under way, and reads rates, keys and the
log's level anew on SIGHUP.
Read on: docs/operations.md; config/sluice.toml for every setting.)";

constexpr auto kMigrateFooter = R"(Example: sluice migrate --config sluice.toml
Safe to repeat, and while servers run. Embedded mode does it at each start by itself.
Read on: sql/ for the schema.)";

constexpr auto kCheckFooter = R"(Examples:
  sluice check-config --config sluice.toml    what would hold, and where each value comes from
  sluice check-config --defaults              a file with every setting, explained
Exit code 2 when something is wrong. Secrets are never shown.
Read on: config/sluice.toml.)";

int check_config_command(const Cli& cli) {
  if (cli.defaults) {
    cli.world.out << document_settings();
    return kExitOk;
  }
  const auto loaded = load_settings(cli);
  const auto secrets = describe_secrets(loaded.settings, cli.world.environment);
  cli.world.out << show_settings(loaded);
  for (const auto& line : secrets) cli.world.out << "# " << line << "\n";
  return kExitOk;
}

/// From here on SIGHUP asks for a reload and never ends the process: it waits until `serve` takes
/// it.
void hold_reloads() {
  sigset_t hang_up;
  ::sigemptyset(&hang_up);
  ::sigaddset(&hang_up, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &hang_up, nullptr);
}

/// The demo hands tokens to whoever asks, so nobody from outside may.
int serve_command(const Cli& cli) {
  hold_reloads();
  const auto loaded = load_settings(cli);
  const auto& address = loaded.settings.http.http.address;
  if (cli.serve.demo && !boost::asio::ip::make_address(address).is_loopback()) {
    throw UsageError(
        fmt::format("http.address = \"{}\" ({}): --demo gives everybody a token, so it must be "
                    "loopback, such as 127.0.0.1",
                    address, loaded.origins.at("http.address")));
  }
  auto options = cli.serve;
  options.reload = [&cli] { return load_settings(cli); };
  return cli.world.serve(loaded.settings, options);
}

void build(CLI::App& app, Cli& cli) {
  app.footer(kFooter);
  app.set_version_flag("--version", "sluice " + std::string(kVersion));
  app.require_subcommand(1);
  auto* serve = add_command(app, cli, "serve", "Run the server until it is told to stop.",
                            kServeFooter, serve_command);
  serve->add_flag("--demo", cli.serve.demo,
                  "Open a sale at first, and give tokens to whoever asks; on loopback only");
  add_setting(*serve, cli, "--port", "http.port", "http.port: where buyers connect");
  add_setting(*serve, cli, "--log-level", "log.level", "log.level: debug, info, warn, ...");
  add_command(app, cli, "migrate", "Bring the database and the topics up to this version.",
              kMigrateFooter,
              [](const Cli& c) { return c.world.migrate(load_settings(c).settings); });
  add_sale_commands(app, cli);
  add_order_commands(app, cli);
  add_recovery_commands(app, cli);
  add_token_command(app, cli);
  add_command(app, cli, "check-config", "Check the settings and show what holds.", kCheckFooter,
              check_config_command)
      ->add_flag("--defaults", cli.defaults, "Print the documented file of all defaults");
  add_health_command(app, cli);
}

/// The library's own texts for a missing or wrong command do not help.
void refuse_unknown_command(const CLI::App& app, std::span<const std::string> arguments) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (names.empty() || (!arguments.empty() && arguments[0].starts_with('-'))) return;
  if (arguments.empty()) {
    throw UsageError(
        fmt::format("{} needs a command: {}; see --help", app.get_name(), fmt::join(names, ", ")));
  }
  if (std::ranges::find(names, arguments[0]) == names.end()) {
    throw UsageError(fmt::format("unknown command {}; did you mean {}?",
                                 terminal_text(arguments[0]), nearest(arguments[0], names)));
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
  return fmt::format("unknown argument {} (did you mean {}?)", terminal_text(name),
                     nearest(name, known_flags(app)));
}

int parse_and_run(const std::vector<std::string>& arguments, const CliWorld& world) {
  CLI::App app("Sluice sells a limited stock to an unlimited crowd.", "sluice");
  Cli cli{world};
  build(app, cli);
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
    throw UsageError(terminal_text(trimmed(error.what(), "\n")) + "; see --help");
  }
  return cli.action(cli);
}

}  // namespace

void add_setting(CLI::App& command, Cli& cli, const std::string& flag, const std::string& key,
                 const std::string& purpose) {
  const auto keep = [&cli, flag, key](const std::string& value) {
    if (!value.empty()) cli.flags.push_back({flag, key, value});
  };
  command.add_option_function<std::string>(flag, keep, purpose);
}

CLI::App* add_command(CLI::App& app, Cli& cli, const std::string& name, const std::string& purpose,
                      const std::string& footer, std::function<int(const Cli&)> action) {
  auto* command = app.add_subcommand(name, purpose);
  command->footer(footer);
  command->add_option(
      "--config", cli.config,
      "The file with the settings; without it " + cli.world.default_file + ", if that exists");
  // One value for each --set: a value may hold commas, and must not swallow what follows it.
  command->add_option("--set", cli.sets, "section.name=value; may be given again and again")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_setting(*command, cli, "--mode", "mode", "mode: embedded or services");
  add_setting(*command, cli, "--data-dir", "data_dir",
              "data_dir: where embedded mode keeps its data");
  command->callback([&cli, name, action = std::move(action)] {
    cli.command = name;
    cli.action = action;
  });
  return command;
}

void add_timeout(CLI::App& command, Cli& cli, const std::string& purpose,
                 const std::string& otherwise) {
  command.add_option("--timeout", cli.timeout, purpose)->default_str(otherwise);
  command.preparse_callback([&cli, otherwise](std::size_t) { cli.timeout = otherwise; });
}

CLI::App* add_admin_command(CLI::App& app, Cli& cli, const std::string& name,
                            const std::string& purpose, const std::string& footer,
                            std::function<int(const Cli&)> action, const std::string& timeout) {
  auto* command = add_command(app, cli, name, purpose, footer, std::move(action));
  command->add_option("--admin-url", cli.url, "http://HOST[:PORT] of the admin API");
  add_timeout(*command, cli, "How long to wait for an answer", timeout);
  command->add_flag("--json", cli.json, "Print what the server answered");
  return command;
}

CLI::App* take_sale(CLI::App* command, Cli& cli) {
  command->add_option("sale", cli.sale, "Its number")->required();
  return command;
}

LoadedSettings load_settings(const Cli& cli) {
  SettingsSources sources;
  if (!cli.config.empty()) sources.file = cli.config;
  sources.default_file = cli.world.default_file;
  sources.environment = cli.world.environment;
  for (const auto& set : cli.sets) {
    const auto equals = set.find('=');
    if (equals == std::string::npos) {
      throw UsageError("--set " + terminal_text(set) + ": write --set section.name=value");
    }
    sources.flags.push_back({"--set", set.substr(0, equals), set.substr(equals + 1)});
  }
  sources.flags.insert(sources.flags.end(), cli.flags.begin(), cli.flags.end());
  return load_settings(sources);
}

int run_command(const std::vector<std::string>& arguments, const CliWorld& world) {
  const auto complain = [&](std::string_view line) { world.err << "sluice: " << line << "\n"; };
  try {
    return parse_and_run(arguments, world);
  } catch (const SettingsError& error) {
    for (const auto& problem : error.problems) complain(problem);
    return kExitUsage;
  } catch (const std::exception& error) {
    complain(error.what());
    return kExitFailed;
  }
}

}  // namespace sluice
