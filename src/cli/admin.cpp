#include "cli/admin.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <ostream>

#include "sluice/settings/secrets.hpp"

namespace sluice {

Endpoint server_of(const std::string& flag, const Cli& cli, const HttpSettings& otherwise) {
  if (cli.url.empty()) return endpoint_of(otherwise.address, otherwise.port);
  if (const auto parsed = parse_url(cli.url)) return *parsed;
  throw UsageError(flag + " is http://HOST[:PORT]");
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

Millis timeout_of(const Cli& cli) {
  return duration_of(cli.timeout, Millis(1), Millis(600'000),
                     "--timeout is a time such as 500ms or 10s, at most 10m");
}

AdminClient admin_client(const Cli& cli, Millis request_max) {
  const auto timeout = std::min(timeout_of(cli), request_max);
  const auto settings = load_settings(cli).settings;
  return {server_of("--admin-url", cli, settings.admin.http),
          load_secret(Secret::admin, settings, cli.world.environment), timeout};
}

Json json_of(const ClientReply& reply) {
  if (reply.status < 200 || reply.status > 299) {
    throw ClientError("the server refused: " + describe_refusal(reply));
  }
  auto json = Json::parse(reply.body, nullptr, false);
  if (!json.is_object()) throw ClientError("the server's reply is no JSON object");
  return json;
}

void print(const Cli& cli, const Json& reply, const std::string& text) {
  cli.world.out << (cli.json ? reply.dump(2) + "\n" : text);
}

std::string sale_path(const Cli& cli) {
  if (!parse_sale_id(cli.sale)) throw UsageError(terminal_text(cli.sale) + " is no sale's number");
  return std::string(kSalesPath) + "/" + cli.sale;
}

std::string field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return {};
  return terminal_text(found->is_string() ? found->get<std::string>() : found->dump(), 2'000);
}

std::string aligned(std::initializer_list<std::pair<const char*, std::string>> lines) {
  std::string out;
  for (const auto& [name, text] : lines) {
    if (!text.empty()) out += fmt::format("{:<17}{}\n", name, text);
  }
  return out;
}

}  // namespace sluice
