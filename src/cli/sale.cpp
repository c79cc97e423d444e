#include "sluice/domain/sale.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iomanip>
#include <memory>
#include <sstream>

#include "cli/admin.hpp"
#include "http/time_text.hpp"

namespace sluice {
namespace {

constexpr auto kSaleFooter = R"(Example:
  sluice sale create --title "Sneaker" --stock 100 --price-minor 9900 --ends +1h --open
These are clients of a running server's admin API. They find it by admin.address and admin.port or
by --admin-url, and its key in SLUICE_ADMIN_KEY, in admin.key_file or where embedded mode made it.
Read on: `sluice sale create --help`; docs/openapi.yaml for the API.)";

constexpr auto kCreateFooter = R"(Examples:
  sluice sale create --title "Sneaker" --stock 100 --ends +1h --open
  sluice sale create --title "Tickets" --stock 50000 --limit 4 --price-minor 4500 --currency EUR \
      --lanes 4 --starts 2026-11-27T09:00:00Z --ends 2026-11-27T21:00:00Z
  sluice sale create --title "Lamp" --stock 500 --ends +1h --pay-within 15m --open
With --pay-within an order that nobody paid in time gives its units back; see sluice order --help.
Times: RFC 3339, now, or from now: +90s, +10m, +2h, +7d. A new sale is a draft until it is opened.
Read on: docs/openapi.yaml for what each member means.)";

struct SaleOptions : AdminOptions {
  std::string sale;
  SaleDraft draft;
  std::string starts = "now";
  std::string ends;
  std::string pay_within;
  bool open = false;
};

std::string price(const Json& sale) {
  return field(sale, "unit_price_minor") + " " + field(sale, "currency");
}

/// Empty for a sale whose orders are final once they are confirmed.
std::string pay_within(const Json& sale) {
  const auto ms = field(sale, "pay_within_ms");
  return ms.empty() || ms == "0" ? "" : ms + " ms";
}

std::string details(const Json& sale) {
  return aligned({{"sale", field(sale, "sale_id")},
                  {"state", field(sale, "state")},
                  {"title", field(sale, "title")},
                  {"description", field(sale, "description")},
                  {"price", price(sale) + " (minor units)"},
                  {"stock", field(sale, "stock")},
                  {"limit per order", field(sale, "limit_per_order")},
                  {"lanes", field(sale, "lanes")},
                  {"pay within", pay_within(sale)},
                  {"starts", field(sale, "starts_at")},
                  {"ends", field(sale, "ends_at")}});
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

TimePoint moment(const std::string& flag, const std::string& text) {
  const auto time = parse_moment(text, system_clock()->now());
  if (time) return *time;
  throw UsageError(flag + " " + terminal_text(text) +
                   ": write 2026-11-27T09:00:00Z, now, or from now +10m");
}

Millis time_to_pay(const std::string& text) {
  if (text.empty()) return Millis{0};
  if (const auto time = parse_duration(text)) return *time;
  throw UsageError("--pay-within " + terminal_text(text) + ": write a time such as 90s, 15m or 2d");
}

std::string draft_json(const SaleDraft& draft) {
  const Json json = {{"title", draft.title},
                     {"description", draft.description},
                     {"unit_price_minor", draft.unit_price_minor},
                     {"currency", draft.currency},
                     {"stock", draft.stock},
                     {"limit_per_order", draft.limit_per_order},
                     {"lanes", draft.lanes},
                     {"pay_within_ms", draft.pay_within.count()},
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
  draft.pay_within = time_to_pay(options.pay_within);
  if (const auto wrong = check(draft)) throw UsageError(*wrong);
  const auto body = draft_json(draft);
  AdminApi client(cli, options);
  auto sale = client.post(kSalesPath, body);
  const auto id = field(sale, "sale_id");
  if (options.open) {
    try {
      sale = client.post(sale_path(id) + "/open", "");
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
  AdminApi client(cli, options);
  const auto reply = client.get(kSalesPath);
  const auto sales = reply.value("sales", Json::array());
  client.print(reply, sales.empty() ? "There are no sales yet; see sluice sale create --help\n"
                                    : table(sales));
  return kExitOk;
}

int show_command(const Cli& cli, const SaleOptions& options) {
  const auto path = sale_path(options.sale);
  AdminApi client(cli, options);
  const auto sale = client.get(path);
  client.print(sale, details(sale));
  return kExitOk;
}

int move_command(const Cli& cli, const SaleOptions& options, const std::string& verb) {
  const auto path = sale_path(options.sale) + "/" + verb;
  AdminApi client(cli, options);
  const auto sale = client.post(path, "");
  client.print(sale, "sale " + field(sale, "sale_id") + " is " + field(sale, "state") + "\n");
  return kExitOk;
}

using Options = std::shared_ptr<SaleOptions>;

void add_create(CLI::App& sale, Cli& cli, const Options& options) {
  auto* command = add_admin_command(sale, cli, *options, "create", "Create a sale.", kCreateFooter,
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
  command->add_option("--pay-within", options->pay_within,
                      "How long an order may stay unpaid; without it orders are final");
  command->add_flag("--open", options->open, "Open it at once");
}

void add_move(CLI::App& sale, Cli& cli, const Options& options, const std::string& verb,
              const std::string& purpose) {
  auto* command =
      add_admin_command(sale, cli, *options, verb, purpose,
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
  add_admin_command(*sale, cli, *options, "list", "List the sales, newest first.",
                    "Example: sluice sale list\nRead on: sluice sale --help",
                    [&cli, options] { return list_command(cli, *options); });
  add_admin_command(*sale, cli, *options, "show", "Show one sale.",
                    "Example: sluice sale show 1\nRead on: sluice sale --help",
                    [&cli, options] { return show_command(cli, *options); })
      ->add_option("sale", options->sale, "Its number")
      ->required();
  add_move(*sale, cli, options, "open", "Open a sale, also after a pause.");
  add_move(*sale, cli, options, "pause", "Pause a sale; who bought keeps the order.");
  add_move(*sale, cli, options, "close", "Close a sale for good.");
}

}  // namespace sluice
