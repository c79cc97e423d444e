#pragma once

#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "sluice/base/time.hpp"
#include "sluice/cli/admin_client.hpp"

#include "cli/parts.hpp"

namespace sluice {

using Json = nlohmann::ordered_json;

/// The flags of a command that asks a running server's admin API.
struct AdminOptions {
  std::string admin_url;
  std::string timeout = "10s";
  bool json = false;
};

/// A command with the flags of the admin API; `options` must live as long as `app`.
CLI::App* add_admin_command(CLI::App& app, Cli& cli, AdminOptions& options, const std::string& name,
                            const std::string& purpose, const std::string& footer,
                            std::function<int()> action);

/// The `--timeout` of such a command. Throws UsageError.
Millis timeout_of(const AdminOptions& options);

/// The admin API as commands use it: JSON objects, or a ClientError that says why not.
class AdminApi {
 public:
  /// One request takes as long as the options say, but at most `request_max`.
  AdminApi(const Cli& cli, const AdminOptions& options, Millis request_max = Millis::max());

  Json get(const std::string& path);
  Json post(const std::string& path, const std::string& body);

  /// What the server said, with `--json`, or the text made from it.
  void print(const Json& reply, const std::string& text);

 private:
  std::ostream& out_;
  bool json_;
  AdminClient client_;
};

inline constexpr const char* kSalesPath = "/admin/sales";

/// Where the sale of that number is. Throws UsageError when it is none.
std::string sale_path(const std::string& sale);

/// A member of an object as text for a terminal; empty without it.
std::string field(const Json& object, const char* name);

/// One line for each name and text, the texts below each other; none for an empty text.
std::string aligned(std::initializer_list<std::pair<const char*, std::string>> lines);

}  // namespace sluice
