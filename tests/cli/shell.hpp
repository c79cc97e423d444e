#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "sluice/cli/cli.hpp"

#include "cli/local_server.hpp"

namespace sluice::test {

inline const std::string kSecret = "0123456789abcdef0123456789abcdef";

/// A command line with nothing of this host around it.
struct Shell {
  std::ostringstream out;
  std::ostringstream err;
  Settings served;
  ServeOptions options;
  int serves = 0;
  int migrations = 0;
  CliWorld world{{{"SLUICE_ADMIN_KEY", "0123456789abcdef"}, {"SLUICE_IDENTITY_SECRET", kSecret}},
                 out,
                 err,
                 [this](const Settings& settings, const ServeOptions& given) {
                   served = settings;
                   options = given;
                   ++serves;
                   return 0;
                 },
                 [this](const Settings& settings) {
                   served = settings;
                   ++migrations;
                   return 7;
                 },
                 "/nonexistent/sluice.toml"};

  int run(const std::vector<std::string>& arguments) {
    out.str("");
    err.str("");
    return run_command(arguments, world);
  }

  /// As `run`, of a command that asks this server.
  int ask(const LocalServer& server, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--admin-url", server.url()});
    return run(arguments);
  }
};

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace sluice::test
