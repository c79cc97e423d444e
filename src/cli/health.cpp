#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "sluice/cli/admin_client.hpp"

#include "cli/parts.hpp"

namespace sluice {
namespace {

constexpr auto kFooter = R"(Examples:
  sluice health
  sluice health --url http://10.0.0.5:8080 --timeout 1s
Asks /readyz where buyers connect. Exit code 0 when the server may be sent buyers, else 1: fit for
the health check of a container.
Read on: /readyz of the admin listener says what is wrong.)";

constexpr Millis kTimeoutMax{60'000};

struct HealthOptions {
  std::string url;
  std::string timeout = "2s";
};

/// "; store: …; queue: …" for the checks that fail.
std::string problems_of(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object()) return {};
  std::string text;
  if (json.value("draining", nlohmann::json()) == true) text += "; it is about to stop";
  const auto checks = json.value("checks", nlohmann::json());
  for (const auto& check : checks) {
    if (!check.is_object() || check.value("ok", nlohmann::json()) != false) continue;
    const auto name = check.value("name", nlohmann::json());
    const auto problem = check.value("problem", nlohmann::json());
    if (name.is_string()) text += "; " + name.get<std::string>();
    if (problem.is_string()) text += ": " + problem.get<std::string>();
  }
  return text;
}

/// The admin listener knows the reasons; without it the names have to do.
std::string reasons(const Settings& settings, const ClientReply& reply, Millis timeout) {
  const auto& admin = settings.admin.http;
  try {
    AdminClient client(endpoint_of(admin.address, admin.port), "", timeout);
    return problems_of(client.get("/readyz").body);
  } catch (const ClientError&) {
    return problems_of(reply.body);
  }
}

int health_command(const Cli& cli, const HealthOptions& options) {
  const auto timeout = parse_duration(options.timeout);
  if (!timeout || *timeout < Millis(1) || *timeout > kTimeoutMax) {
    throw UsageError("--timeout is a time such as 500ms or 2s, at most 60s");
  }
  const auto settings = load_settings(cli).settings;
  const auto& http = settings.http.http;
  auto server = endpoint_of(http.address, http.port);
  if (!options.url.empty()) {
    const auto parsed = parse_url(options.url);
    if (!parsed) throw UsageError("--url is http://HOST[:PORT]");
    server = *parsed;
  }
  const auto reply = AdminClient(server, "", *timeout).get("/readyz");
  if (reply.status == 200) {
    cli.world.out << "ready\n";
    return kExitOk;
  }
  const auto why =
      options.url.empty() ? reasons(settings, reply, *timeout) : problems_of(reply.body);
  throw std::runtime_error(
      terminal_text("not ready (HTTP " + std::to_string(reply.status) + ")" + why));
}

}  // namespace

void add_health_command(CLI::App& app, Cli& cli) {
  const auto options = std::make_shared<HealthOptions>();
  auto* command = add_command(app, cli, "health", "Ask the server whether it is ready.", kFooter,
                              [&cli, options] { return health_command(cli, *options); });
  command->add_option("--url", options->url, "Where it is, instead of http.address and http.port");
  command->add_option("--timeout", options->timeout, "How long to wait")->capture_default_str();
}

}  // namespace sluice
