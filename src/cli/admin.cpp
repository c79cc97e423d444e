#include "cli/admin.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <utility>

#include "sluice/domain/ids.hpp"
#include "sluice/settings/secrets.hpp"

namespace sluice {
namespace {

AdminClient connect(const Cli& cli, const AdminOptions& options, Millis request_max) {
  const auto timeout = std::min(timeout_of(options), request_max);
  const auto settings = load_settings(cli).settings;
  return {server_of("--admin-url", options.admin_url, settings.admin.http),
          load_secret(Secret::admin, settings, cli.world.environment), timeout};
}

Json checked(const ClientReply& reply) {
  if (reply.status < 200 || reply.status > 299) {
    throw ClientError("the server refused: " + describe_refusal(reply));
  }
  auto json = Json::parse(reply.body, nullptr, false);
  if (!json.is_object()) throw ClientError("the server's reply is no JSON object");
  return json;
}

}  // namespace

CLI::App* add_admin_command(CLI::App& app, Cli& cli, AdminOptions& options, const std::string& name,
                            const std::string& purpose, const std::string& footer,
                            std::function<int()> action) {
  auto* command = add_command(app, cli, name, purpose, footer, std::move(action));
  command->add_option("--admin-url", options.admin_url, "http://HOST[:PORT] of the admin API");
  command->add_option("--timeout", options.timeout, "How long to wait for an answer")
      ->capture_default_str();
  command->add_flag("--json", options.json, "Print what the server answered");
  return command;
}

Millis timeout_of(const AdminOptions& options) {
  return duration_of(options.timeout, Millis(1), Millis(600'000),
                     "--timeout is a time such as 500ms or 10s, at most 10m");
}

AdminApi::AdminApi(const Cli& cli, const AdminOptions& options, Millis request_max)
    : out_(cli.world.out), json_(options.json), client_(connect(cli, options, request_max)) {}

Json AdminApi::get(const std::string& path) { return checked(client_.get(path)); }

Json AdminApi::post(const std::string& path, const std::string& body) {
  return checked(client_.post(path, body));
}

void AdminApi::print(const Json& reply, const std::string& text) {
  out_ << (json_ ? reply.dump(2) + "\n" : text);
}

std::string sale_path(const std::string& sale) {
  if (!parse_sale_id(sale)) throw UsageError(terminal_text(sale) + " is no sale's number");
  return std::string(kSalesPath) + "/" + sale;
}

std::string field(const Json& object, const char* name) {
  if (!object.is_object() || !object.contains(name)) return {};
  const auto& value = object[name];
  return terminal_text(value.is_string() ? value.get<std::string>() : value.dump(), 2'000);
}

std::string aligned(std::initializer_list<std::pair<const char*, std::string>> lines) {
  std::ostringstream out;
  for (const auto& [name, text] : lines) {
    if (!text.empty()) out << std::left << std::setw(17) << name << text << "\n";
  }
  return out.str();
}

}  // namespace sluice
