#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/algorithm/string/join.hpp>
#include <fmt/format.h>

#include "sluice/domain/order.hpp"

#include "cli/admin.hpp"
#include "http/sale_json.hpp"

namespace sluice {
namespace {

constexpr auto kSaleFooter = R"(Example:
  sluice sale create --title "Sneaker" --stock 100 --price-minor 9900 --ends +1h --open
These are clients of a running server's admin API. They find it by admin.address and admin.port or
by --admin-url, and its key in SLUICE_ADMIN_KEY, in admin.key_file or where embedded mode made it;
of several keys, the first one that is good for the command.
Read on: `sluice sale create --help`; docs/openapi.yaml for the API.)";

constexpr auto kCreateFooter = R"(Examples:
  sluice sale create --title "Sneaker" --stock 100 --ends +1h --open
  sluice sale create --title "Tickets" --stock 50000 --limit 4 --price-minor 4500 --currency EUR \
      --lanes 4 --starts 2026-11-27T09:00:00Z --ends 2026-11-27T21:00:00Z
  sluice sale create --title "Lamp" --stock 500 --ends +1h --pay-within 15m --open
With --pay-within an order that nobody paid in time gives its units back; see sluice order --help.
Times: RFC 3339, now, or from now: +90s, +10m, +2h, +7d. A new sale is a draft until it is opened.
Read on: docs/openapi.yaml for what each member means.)";

constexpr auto kOrderFooter = R"(Examples:
  sluice order pay 1 019b7e44-1f00-8001-8000-5a1c00c0ffee --user alice
  sluice order cancel 1 019b7e44-1f00-8001-8000-5a1c00c0ffee --user alice
For the shop: what its payment service tells the admin API. Only orders of a sale that was created
with --pay-within, and that are confirmed, can be paid or cancelled. Doing it again changes nothing.
Read on: docs/protocol.md, After the confirmation; docs/openapi.yaml for the API.)";

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
  std::string text;
  for (std::size_t i = 0; i + 1 < kColumns; ++i) {
    const auto width = [i](const Row& row) { return row[i].size(); };
    const auto widest = width(std::ranges::max(rows, {}, width));
    for (auto& row : rows) row[i].resize(widest + 2, ' ');
  }
  for (const auto& row : rows) text += boost::algorithm::join(row, "") + "\n";
  return text;
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
  try {
    return http::terms_json(draft).dump();
  } catch (const Json::exception&) {
    throw UsageError("the title and the description must be UTF-8");
  }
}

int create_command(const Cli& cli) {
  auto draft = cli.draft;
  draft.starts_at = moment("--starts", cli.starts);
  draft.ends_at = moment("--ends", cli.ends);
  draft.pay_within = time_to_pay(cli.pay_within);
  if (const auto wrong = check(draft)) throw UsageError(*wrong);
  const auto body = draft_json(draft);
  const auto client = admin_client(cli, AdminRole::operate);
  auto sale = json_of(client.ask("POST", kSalesPath, body));
  const auto id = field(sale, "sale_id");
  auto hint = "It is a draft; open it with: sluice sale open " + id + "\n";
  if (cli.open) {
    hint.clear();
    try {
      sale = json_of(client.ask("POST", sale_path(id) + "/open"));
    } catch (const ClientError& error) {
      throw ClientError("sale " + id + " was created, but not opened: " + error.what());
    }
  }
  return print(cli, sale, details(sale) + hint);
}

int list_command(const Cli& cli) {
  constexpr std::size_t kPageMax = 200;
  const auto client = admin_client(cli, AdminRole::read);
  Json list = {{"sales", Json::array()}};
  auto& sales = list["sales"];
  std::string cursor;
  do {
    const auto left = cli.all ? kPageMax : std::min(kPageMax, cli.limit - sales.size());
    auto path = fmt::format("{}?limit={}", kSalesPath, left);
    if (!cursor.empty()) path += "&cursor=" + cursor;
    const auto page = json_of(client.ask("GET", path));
    const auto more = page.value("sales", Json::array());
    sales.insert(sales.end(), more.begin(), more.end());
    cursor = more.empty() ? "" : field(page, "next_cursor");
  } while (!cursor.empty() && (cli.all || sales.size() < cli.limit));
  if (sales.empty()) {
    return print(cli, list, "There are no sales yet; see sluice sale create --help\n");
  }
  const auto text = table(sales);
  if (cursor.empty()) return print(cli, list, text);
  list["next_cursor"] = cursor;
  return print(cli, list, text + "There are more: sluice sale list --all\n");
}

int show_command(const Cli& cli) {
  const auto path = sale_path(cli.sale);
  const auto sale = json_of(admin_client(cli, AdminRole::read).ask("GET", path));
  return print(cli, sale, details(sale));
}

/// The command's name is the address of the transition.
int move_command(const Cli& cli) {
  const auto path = sale_path(cli.sale) + "/" + cli.command;
  const auto sale = json_of(admin_client(cli, AdminRole::operate).ask("POST", path));
  return print(cli, sale, "sale " + field(sale, "sale_id") + " is " + field(sale, "state") + "\n");
}

void add_create(CLI::App& sale, Cli& cli) {
  auto* command =
      add_admin_command(sale, cli, "create", "Create a sale.", kCreateFooter, create_command);
  auto& draft = cli.draft;
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
  command->add_option("--starts", cli.starts, "When it starts")->capture_default_str();
  command->add_option("--ends", cli.ends, "When it ends")->required();
  command->add_option("--pay-within", cli.pay_within,
                      "How long an order may stay unpaid; without it orders are final");
  command->add_flag("--open", cli.open, "Open it at once");
}

int move_order_command(const Cli& cli) {
  if (!OrderId::parse(cli.order)) {
    throw UsageError(terminal_text(cli.order) + " is no order's id");
  }
  const Json body = {{"user", user_of(cli.user).text()}};
  const auto path = sale_path(cli.sale) + "/orders/" + cli.order + "/" + cli.command;
  const auto order = json_of(admin_client(cli, AdminRole::pay).ask("POST", path, body.dump()));
  return print(cli, order,
               "order " + field(order, "order_id") + " is " + field(order, "status") + "\n");
}

void add_move(CLI::App& app, Cli& cli, Move move, const std::string& purpose) {
  const std::string verb(name(move));
  auto* command = add_admin_command(
      app, cli, verb, purpose,
      "Example: sluice order " + verb +
          " 1 019b7e44-1f00-8001-8000-5a1c00c0ffee --user alice\nRead on: sluice order --help",
      move_order_command);
  command->add_option("sale", cli.sale, "The sale's number")->required();
  command->add_option("order", cli.order, "The order's id")->required();
  command->add_option("--user", cli.user, "Whose order it is")->required();
}

}  // namespace

void add_sale_commands(CLI::App& app, Cli& cli) {
  auto* sale = app.add_subcommand("sale", "Create, list, show, open, pause and close sales.");
  sale->footer(kSaleFooter);
  sale->require_subcommand(1);
  add_create(*sale, cli);
  const auto add = [&](const std::string& command, const std::string& purpose,
                       int (*action)(const Cli&), const std::string& which) {
    return add_admin_command(
        *sale, cli, command, purpose,
        fmt::format("Example: sluice sale {}{}\nRead on: sluice sale --help", command, which),
        action);
  };
  auto* list = add("list", "List the sales, newest first.", list_command, " --limit 10");
  list->add_option("--limit", cli.limit, "How many at most")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  list->add_flag("--all", cli.all, "All of them");
  take_sale(add("show", "Show one sale.", show_command, " 1"), cli);
  take_sale(add("open", "Open a sale, also after a pause.", move_command, " 1"), cli);
  take_sale(add("pause", "Pause a sale; who bought keeps the order.", move_command, " 1"), cli);
  take_sale(add("close", "Close a sale for good.", move_command, " 1"), cli);
}

void add_order_commands(CLI::App& app, Cli& cli) {
  auto* order = app.add_subcommand("order", "Pay and cancel orders, for the shop.");
  order->footer(kOrderFooter);
  order->require_subcommand(1);
  add_move(*order, cli, Move::pay, "Say that an order is paid.");
  add_move(*order, cli, Move::cancel, "Cancel an order that is not paid.");
}

}  // namespace sluice
