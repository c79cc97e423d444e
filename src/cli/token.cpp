#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <ostream>
#include <system_error>
#include <unistd.h>

#include "sluice/gate/identity.hpp"
#include "sluice/settings/secrets.hpp"

#include "cli/parts.hpp"

namespace sluice {
namespace {

constexpr auto kFooter = R"(Examples:
  sluice token alice bob
  sluice token --count 100000 --prefix u --lifetime 2h --output tokens.txt
For tests and demos: it signs with identity's secret (HS256), as the shop's own login would. One
token a line, in the order of the users; PREFIX1, PREFIX2, ... with --count.
Read on: [identity] in config/sluice.toml.)";

constexpr std::size_t kCountMax = 10'000'000;
constexpr auto kLifetimeMax = std::chrono::hours(24 * 366);

void write_tokens(const Cli& cli, const IdentitySettings& identity, Millis lifetime,
                  std::ostream& out) {
  const auto now = system_clock()->now();
  const auto write = [&](const std::string& user) {
    out << sign_token(identity, user_of(user), now, lifetime) << '\n';
  };
  for (const auto& user : cli.users) write(user);
  for (std::size_t i = 1; i <= cli.count && out; ++i) {
    write(cli.prefix + std::to_string(i));
  }
}

/// Tokens let their bearer buy: nobody else may read them.
std::ofstream open_private(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) {
    throw std::runtime_error(
        path + ": cannot be written: " + std::error_code(errno, std::generic_category()).message());
  }
  ::close(file);
  return std::ofstream(path, std::ios::binary | std::ios::app);
}

int token_command(const Cli& cli) {
  if (cli.users.empty() && cli.count == 0) {
    throw UsageError("name a user, or give --count; see sluice token --help");
  }
  if (cli.count > kCountMax) throw UsageError("--count is at most 10000000");
  // The longest name stands for all.
  if (cli.count > 0) user_of(cli.prefix + std::to_string(cli.count));
  const auto lifetime =
      duration_of(cli.lifetime, std::chrono::seconds(1), kLifetimeMax,
                  "--lifetime is a time such as 30s, 10m, 2h or 7d, at most 366d");
  const auto settings = load_settings(cli).settings;
  auto identity = settings.identity;
  identity.keys = load_identity_keys(settings, cli.world.environment);
  if (std::ranges::count(identity.keys, "HS256", &VerifyingKey::algorithm) == 0) {
    throw UsageError(
        "only the shop's login has the private keys: tokens are signed with a shared secret "
        "(HS256) alone");
  }
  std::ofstream file;
  if (!cli.output.empty()) file = open_private(cli.output);
  write_tokens(cli, identity, lifetime, cli.output.empty() ? cli.world.out : file);
  if (file.is_open()) file.close();
  if (!file) throw std::runtime_error(cli.output + ": cannot be written");
  return kExitOk;
}

}  // namespace

void add_token_command(CLI::App& app, Cli& cli) {
  auto* command =
      add_command(app, cli, "token", "Sign tokens of test users.", kFooter, token_command);
  command->add_option("users", cli.users, "Who the tokens are for");
  command->add_option("--count", cli.count, "So many more users, at most 10000000");
  command->add_option("--prefix", cli.prefix, "Their names begin with this")->capture_default_str();
  command->add_option("--lifetime", cli.lifetime, "How long the tokens hold")
      ->capture_default_str();
  command->add_option("--output", cli.output, "Write to this file instead");
}

}  // namespace sluice
