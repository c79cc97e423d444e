#include "sluice/domain/order.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/admin.hpp"

namespace sluice {
namespace {

constexpr auto kOrderFooter = R"(Examples:
  sluice order pay 1 019b7e44-1f00-8001-8000-5a1c00c0ffee --user alice
  sluice order cancel 1 019b7e44-1f00-8001-8000-5a1c00c0ffee --user alice
For the shop: what its payment service tells the admin API. Only orders of a sale that was created
with --pay-within, and that are confirmed, can be paid or cancelled. Doing it again changes nothing.
Read on: docs/protocol.md, After the confirmation; docs/openapi.yaml for the API.)";

struct OrderOptions : AdminOptions {
  std::string sale;
  std::string order;
  std::string user;
};

int move_command(const Cli& cli, const OrderOptions& options, Move move) {
  if (!OrderId::parse(options.order)) {
    throw UsageError(terminal_text(options.order) + " is no order's id");
  }
  const auto user = user_of(options.user);
  const auto path =
      sale_path(options.sale) + "/orders/" + options.order + "/" + std::string(name(move));
  AdminApi client(cli, options);
  const Json body = {{"user", user.text()}};
  const auto order = client.post(path, body.dump());
  client.print(order, "order " + field(order, "order_id") + " is " + field(order, "status") + "\n");
  return kExitOk;
}

void add_move(CLI::App& order, Cli& cli, Move move, const std::string& purpose) {
  const auto options = std::make_shared<OrderOptions>();
  const std::string verb(name(move));
  auto* command = add_admin_command(
      order, cli, *options, verb, purpose,
      "Example: sluice order " + verb +
          " 1 019b7e44-1f00-8001-8000-5a1c00c0ffee --user alice\nRead on: sluice order --help",
      [&cli, options, move] { return move_command(cli, *options, move); });
  command->add_option("sale", options->sale, "The sale's number")->required();
  command->add_option("order", options->order, "The order's id")->required();
  command->add_option("--user", options->user, "Whose order it is")->required();
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
