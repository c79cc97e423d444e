#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/admin.hpp"

namespace sluice {
namespace {

constexpr auto kFooter = R"(Examples:
  sluice health
  sluice health --url http://10.0.0.5:8080 --timeout 1s
Asks /readyz where buyers connect. Exit code 0 when the server may be sent buyers, else 1: fit for
the health check of a container.
Read on: /readyz of the admin listener says what is wrong.)";

/// "; store: …; queue: …" for the checks that fail.
std::string problems_of(const std::string& body) {
  const auto json = Json::parse(body, nullptr, false);
  std::string text;
  if (field(json, "draining") == "true") text += "; it is about to stop";
  const auto checks = json.is_object() ? json.value("checks", Json()) : Json();
  for (const auto& check : checks) {
    if (field(check, "ok") != "false") continue;
    text += "; " + field(check, "name");
    const auto problem = field(check, "problem");
    if (!problem.empty()) text += ": " + problem;
  }
  return text;
}

/// The admin listener knows the reasons; without it the names have to do.
std::string reasons(const Settings& settings, const ClientReply& reply, Millis timeout) {
  const auto& admin = settings.admin.http;
  try {
    const AdminClient client{endpoint_of(admin.address, admin.port), "", timeout};
    return problems_of(client.ask("GET", "/readyz").body);
  } catch (const ClientError&) {
    return problems_of(reply.body);
  }
}

int health_command(const Cli& cli) {
  const auto timeout = duration_of(cli.timeout, Millis(1), Millis(60'000),
                                   "--timeout is a time such as 500ms or 2s, at most 60s");
  const auto settings = load_settings(cli).settings;
  const AdminClient buyers{server_of("--url", cli, settings.http.http), "", timeout};
  const auto reply = buyers.ask("GET", "/readyz");
  if (reply.status == 200) {
    cli.world.out << "ready\n";
    return kExitOk;
  }
  const auto why = cli.url.empty() ? reasons(settings, reply, timeout) : problems_of(reply.body);
  throw std::runtime_error(
      terminal_text("not ready (HTTP " + std::to_string(reply.status) + ")" + why));
}

}  // namespace

void add_health_command(CLI::App& app, Cli& cli) {
  auto* command = add_command(app, cli, "health", "Ask the server whether it is ready.", kFooter,
                              health_command);
  command->add_option("--url", cli.url, "Where it is, instead of http.address and http.port");
  add_timeout(*command, cli, "How long to wait", "2s");
}

}  // namespace sluice
