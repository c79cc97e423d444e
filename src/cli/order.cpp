#include "sluice/domain/order.hpp"

#include <CLI/CLI.hpp>

#include "cli/admin.hpp"

namespace sluice {
namespace {

constexpr auto kOrderFooter = R"(Examples:
  sluice order pay 1 019b7e44-1f00-8001-8000-5a1c00c0ffee --user alice
  sluice order cancel 1 019b7e44-1f00-8001-8000-5a1c00c0ffee --user alice
For the shop: what its payment service tells the admin API. Only orders of a sale that was created
with --pay-within, and that are confirmed, can be paid or cancelled. Doing it again changes nothing.
Read on: docs/protocol.md, After the confirmation; docs/openapi.yaml for the API.)";

int move_command(const Cli& cli) {
  if (!OrderId::parse(cli.order)) {
    throw UsageError(terminal_text(cli.order) + " is no order's id");
  }
  const Json body = {{"user", user_of(cli.user).text()}};
  const auto path = sale_path(cli) + "/orders/" + cli.order + "/" + cli.command;
  const auto order = json_of(admin_client(cli).ask("POST", path, body.dump()));
  print(cli, order, "order " + field(order, "order_id") + " is " + field(order, "status") + "\n");
  return kExitOk;
}

void add_move(CLI::App& app, Cli& cli, Move move, const std::string& purpose) {
  const std::string verb(name(move));
  auto* command = add_admin_command(
      app, cli, verb, purpose,
      "Example: sluice order " + verb +
          " 1 019b7e44-1f00-8001-8000-5a1c00c0ffee --user alice\nRead on: sluice order --help",
      move_command);
  command->add_option("sale", cli.sale, "The sale's number")->required();
  command->add_option("order", cli.order, "The order's id")->required();
  command->add_option("--user", cli.user, "Whose order it is")->required();
}

}  // namespace

void add_order_commands(CLI::App& app, Cli& cli) {
  auto* order = app.add_subcommand("order", "Pay and cancel orders, for the shop.");
  order->footer(kOrderFooter);
  order->require_subcommand(1);
  add_move(*order, cli, Move::pay, "Say that an order is paid.");
  add_move(*order, cli, Move::cancel, "Cancel an order that is not paid.");
}

}  // namespace sluice
