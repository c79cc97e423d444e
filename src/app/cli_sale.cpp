#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iomanip>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "sluice/app/admin_client.hpp"
#include "sluice/app/secrets.hpp"
#include "sluice/domain/ids.hpp"
#include "sluice/domain/sale.hpp"

#include "app/cli_parts.hpp"
#include "http/time_text.hpp"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kSaleFooter = R"(Example:
  sluice sale create --title "Sneaker" --stock 100 --price-minor 9900 --ends +1h --open
These are clients of a running server's admin API. They find it by admin.address and admin.port or
by --admin-url, and its key in SLUICE_ADMIN_KEY, in admin.key_file or where embedded mode made it.
Read on: `sluice sale create --help`; docs/openapi.yaml for the API.)";

constexpr auto kCreateFooter = R"(Examples:
  sluice sale create --title "Sneaker" --stock 100 --ends +1h --open
  sluice sale create --title "Tickets" --stock 50000 --limit 4 --price-minor 4500 --currency EUR \
      --lanes 4 --starts 2026-11-27T09:00:00Z --ends 2026-11-27T21:00:00Z
Times: RFC 3339, now, or from now: +90s, +10m, +2h, +7d. A new sale is a draft until it is opened.
Read on: docs/openapi.yaml for what each member means.)";

constexpr Millis kTimeoutMax{600'000};
constexpr const char* kSales = "/admin/sales";

struct SaleOptions {
  std::string admin_url;
  std::string timeout = "10s";
  bool json = false;
  std::string sale;
  SaleDraft draft;
  std::string starts = "now";
  std::string ends;
  bool open = false;
};

class SaleClient {
 public:
  SaleClient(const Cli& cli, const SaleOptions& options)
      : out_(cli.world.out), json_(options.json), client_(connect(cli, options)) {}

  Json get(const std::string& path) { return checked(client_.get(path)); }
  Json post(const std::string& path, const std::string& body) {
    return checked(client_.post(path, body));
  }

  /// What the server said, or the text made from it.
  void print(const Json& reply, const std::string& text) {
    out_ << (json_ ? reply.dump(2) + "\n" : text);
  }

 private:
  static AdminClient connect(const Cli& cli, const SaleOptions& options) {
    const auto timeout = parse_duration(options.timeout);
    if (!timeout || *timeout < Millis(1) || *timeout > kTimeoutMax) {
      throw UsageError("--timeout is a time such as 500ms or 10s, at most 10m");
    }
    const auto settings = load_settings(cli).settings;
    auto server = endpoint_of(settings.admin.http.address, settings.admin.http.port);
    if (!options.admin_url.empty()) {
      const auto parsed = parse_url(options.admin_url);
      if (!parsed) throw UsageError("--admin-url is http://HOST[:PORT]");
      server = *parsed;
    }
    return {server, load_secret(Secret::admin, settings, cli.world.environment), *timeout};
  }

  Json checked(const ClientReply& reply) {
    if (reply.status < 200 || reply.status > 299) {
      throw ClientError("the server refused: " + describe_refusal(reply));
    }
    auto json = Json::parse(reply.body, nullptr, false);
    if (!json.is_object()) throw ClientError("the server's reply is no JSON object");
    return json;
  }

  std::ostream& out_;
  bool json_;
  AdminClient client_;
};

/// A member as text for a terminal; empty without it.
std::string field(const Json& sale, const char* name) {
  if (!sale.is_object() || !sale.contains(name)) return {};
  const auto& value = sale[name];
  return terminal_text(value.is_string() ? value.get<std::string>() : value.dump(), 2'000);
}

std::string price(const Json& sale) {
  return field(sale, "unit_price_minor") + " " + field(sale, "currency");
}

std::string details(const Json& sale) {
  const std::pair<const char*, std::string> lines[] = {
      {"sale", field(sale, "sale_id")},
      {"state", field(sale, "state")},
      {"title", field(sale, "title")},
      {"description", field(sale, "description")},
      {"price", price(sale) + " (minor units)"},
      {"stock", field(sale, "stock")},
      {"limit per order", field(sale, "limit_per_order")},
      {"lanes", field(sale, "lanes")},
      {"starts", field(sale, "starts_at")},
      {"ends", field(sale, "ends_at")},
  };
  std::ostringstream out;
  for (const auto& [name, text] : lines) {
    if (!text.empty()) out << std::left << std::setw(17) << name << text << "\n";
  }
  return out.str();
}

std::string table(const Json& sales) {
  constexpr std::size_t kColumns = 7;
  using Row = std::array<std::string, kColumns>;
  std::vector<Row> rows = {{"SALE", "STATE", "STOCK", "PRICE (MINOR)", "STARTS", "ENDS", "TITLE"}};
  for (const auto& sale : sales) {
    rows.push_back({field(sale, "sale_id"), field(sale, "state"), field(sale, "stock"), price(sale),
                    field(sale, "starts_at"), field(sale, "ends_at"), field(sale, "title")});
  }
  std::array<std::size_t, kColumns> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], row[i].size() + 2);
  }
  std::ostringstream out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < kColumns; ++i) {
      out << std::left << std::setw(static_cast<int>(widths[i])) << row[i];
    }
    out << row.back() << "\n";
  }
  return out.str();
}

std::string path_of(const std::string& sale) {
  if (!parse_sale_id(sale)) throw UsageError(terminal_text(sale) + " is no sale's number");
  return std::string(kSales) + "/" + sale;
}

TimePoint moment(const std::string& flag, const std::string& text) {
  const auto time = parse_moment(text, system_clock()->now());
  if (time) return *time;
  throw UsageError(flag + " " + terminal_text(text) +
                   ": write 2026-11-27T09:00:00Z, now, or from now +10m");
}

std::string draft_json(const SaleDraft& draft) {
  const Json json = {{"title", draft.title},
                     {"description", draft.description},
                     {"unit_price_minor", draft.unit_price_minor},
                     {"currency", draft.currency},
                     {"stock", draft.stock},
                     {"limit_per_order", draft.limit_per_order},
                     {"lanes", draft.lanes},
                     {"starts_at", http::rfc3339(draft.starts_at)},
                     {"ends_at", http::rfc3339(draft.ends_at)}};
  try {
    return json.dump();
  } catch (const Json::exception&) {
    throw UsageError("the title and the description must be UTF-8");
  }
}

int create_command(const Cli& cli, const SaleOptions& options) {
  auto draft = options.draft;
  draft.starts_at = moment("--starts", options.starts);
  draft.ends_at = moment("--ends", options.ends);
  if (const auto wrong = check(draft)) throw UsageError(*wrong);
  const auto body = draft_json(draft);
  SaleClient client(cli, options);
  auto sale = client.post(kSales, body);
  const auto id = field(sale, "sale_id");
  if (options.open) {
    try {
      sale = client.post(path_of(id) + "/open", "");
    } catch (const ClientError& error) {
      throw ClientError("sale " + id + " was created, but not opened: " + error.what());
    }
  }
  const auto hint =
      options.open ? "" : "It is a draft; open it with: sluice sale open " + id + "\n";
  client.print(sale, details(sale) + hint);
  return kExitOk;
}

int list_command(const Cli& cli, const SaleOptions& options) {
  SaleClient client(cli, options);
  const auto reply = client.get(kSales);
  const auto sales = reply.value("sales", Json::array());
  client.print(reply, sales.empty() ? "There are no sales yet; see sluice sale create --help\n"
                                    : table(sales));
  return kExitOk;
}

int show_command(const Cli& cli, const SaleOptions& options) {
  const auto path = path_of(options.sale);
  SaleClient client(cli, options);
  const auto sale = client.get(path);
  client.print(sale, details(sale));
  return kExitOk;
}

int move_command(const Cli& cli, const SaleOptions& options, const std::string& verb) {
  const auto path = path_of(options.sale) + "/" + verb;
  SaleClient client(cli, options);
  const auto sale = client.post(path, "");
  client.print(sale, "sale " + field(sale, "sale_id") + " is " + field(sale, "state") + "\n");
  return kExitOk;
}

using Options = std::shared_ptr<SaleOptions>;

CLI::App* add_one(CLI::App& sale, Cli& cli, const Options& options, const std::string& name,
                  const std::string& purpose, const std::string& footer,
                  std::function<int()> action) {
  auto* command = add_command(sale, cli, name, purpose, footer, std::move(action));
  command->add_option("--admin-url", options->admin_url, "http://HOST[:PORT] of the admin API");
  command->add_option("--timeout", options->timeout, "How long to wait for an answer")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print what the server answered");
  return command;
}

void add_create(CLI::App& sale, Cli& cli, const Options& options) {
  auto* command = add_one(sale, cli, options, "create", "Create a sale.", kCreateFooter,
                          [&cli, options] { return create_command(cli, *options); });
  auto& draft = options->draft;
  command->add_option("--title", draft.title, "1 to 200 bytes")->required();
  command->add_option("--description", draft.description, "Up to 2000 bytes");
  command->add_option("--stock", draft.stock, "Units to sell")->required();
  command->add_option("--price-minor", draft.unit_price_minor, "Of a unit, in cents and the like")
      ->capture_default_str();
  command->add_option("--currency", draft.currency, "ISO 4217")->capture_default_str();
  command->add_option("--limit", draft.limit_per_order, "Units in a buyer's one order")
      ->capture_default_str();
  command->add_option("--lanes", draft.lanes, "Parts of the stock that sell side by side")
      ->capture_default_str();
  command->add_option("--starts", options->starts, "When it starts")->capture_default_str();
  command->add_option("--ends", options->ends, "When it ends")->required();
  command->add_flag("--open", options->open, "Open it at once");
}

void add_move(CLI::App& sale, Cli& cli, const Options& options, const std::string& verb,
              const std::string& purpose) {
  auto* command = add_one(sale, cli, options, verb, purpose,
                          "Example: sluice sale " + verb + " 1\nRead on: sluice sale --help",
                          [&cli, options, verb] { return move_command(cli, *options, verb); });
  command->add_option("sale", options->sale, "Its number")->required();
}

}  // namespace

void add_sale_commands(CLI::App& app, Cli& cli) {
  auto* sale = app.add_subcommand("sale", "Create, list, show, open, pause and close sales.");
  sale->footer(kSaleFooter);
  sale->require_subcommand(1);
  const auto options = std::make_shared<SaleOptions>();
  add_create(*sale, cli, options);
  add_one(*sale, cli, options, "list", "List the sales, newest first.",
          "Example: sluice sale list\nRead on: sluice sale --help",
          [&cli, options] { return list_command(cli, *options); });
  add_one(*sale, cli, options, "show", "Show one sale.",
          "Example: sluice sale show 1\nRead on: sluice sale --help",
          [&cli, options] { return show_command(cli, *options); })
      ->add_option("sale", options->sale, "Its number")
      ->required();
  add_move(*sale, cli, options, "open", "Open a sale, also after a pause.");
  add_move(*sale, cli, options, "pause", "Pause a sale; who bought keeps the order.");
  add_move(*sale, cli, options, "close", "Close a sale for good.");
}

}  // namespace sluice
