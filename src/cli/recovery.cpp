#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <fmt/format.h>
#include <ostream>
#include <thread>
#include <unordered_map>
#include <vector>

#include "sluice/orders/lane_router.hpp"

#include "cli/admin.hpp"

namespace sluice {
namespace {

constexpr auto kAuditFooter = R"(Examples:
  sluice audit 1
  sluice audit 1 --json
For scripts: a line of NAME=VALUE for each lane, and a last line with the verdict. Exit code 0 when
every unit is left or sold once and the inventory agrees with the store; else 1. No answer is 1,
too, with a line on standard error and none on standard output.
Read on: docs/protocol.md for what is checked; docs/openapi.yaml for each figure.)";

constexpr auto kRebuildFooter = R"(Examples:
  sluice rebuild 1
  sluice rebuild 1 --timeout 5m
  sluice rebuild 1 --force
Makes the inventory of a sale anew from the store, under new epochs, and prints how far each lane
is until all sell again. Nothing is lost and nothing stops but for a moment.
With --force lanes do not wait for the log: orders that only the log knows will be refused. For a
log that is gone for good.
Read on: docs/protocol.md, Rebuild.)";

constexpr auto kModeFooter = R"(Examples:
  sluice mode
  sluice mode bypass
  sluice mode auto
Without a mode: how the node that is asked sells. With one: holds all nodes in it, until auto.
normal: Redis and Kafka. bypass: Redis, and Postgres directly. database: Postgres alone.
Read on: docs/protocol.md.)";

constexpr Millis kLookEvery{200};
constexpr Millis kRequestMax{10'000};
/// A lane that is fencing may still decide what its old inventory remembers: leave it the time.
constexpr Millis kForceAfter{1'000};

const Json& lanes_of(const Json& audit) {
  const auto lanes = audit.find("lanes");
  if (lanes == audit.end() || !lanes->is_array()) {
    throw ClientError("the server's reply is no audit");
  }
  return *lanes;
}

/// NAME=VALUE of every member; those of an object within as OBJECT.NAME=VALUE.
std::string assignments(const Json& object, const std::string& prefix = {}) {
  std::vector<std::string> words;
  for (const auto& [name, value] : object.items()) {
    const auto full = prefix + terminal_text(name);
    if (value.is_object() && prefix.empty()) {
      words.push_back(assignments(value, full + "."));
    } else {
      words.push_back(full + "=" + field(object, name.c_str()));
    }
  }
  return boost::algorithm::join(words, " ");
}

int audit_command(const Cli& cli) {
  const auto path = sale_path(cli.sale) + "/audit";
  const auto audit = json_of(admin_client(cli, AdminRole::read).ask("GET", path));
  std::string text;
  for (const auto& lane : lanes_of(audit)) text += assignments(lane) + "\n";
  const auto holds = field(audit, "holds");
  text += "sale=" + field(audit, "sale_id") + " holds=" + holds + "\n";
  print(cli, audit, text);
  return holds == "true" ? kExitOk : kExitFailed;
}

/// Asks for a rebuild and follows it.
class Rebuild {
 public:
  explicit Rebuild(const Cli& cli)
      : cli_(cli), path_(sale_path(cli.sale)), client_(admin_client(cli, AdminRole::operate)) {}

  int run() {
    const auto give_up = clock_->ticks() + client_.timeout;
    client_.timeout = std::min(client_.timeout, kRequestMax);
    fencing_since_ = clock_->ticks();
    ask();
    while (!lanes_outside("ready").empty()) {
      if (clock_->ticks() >= give_up) throw ClientError(too_late());
      std::this_thread::sleep_for(kLookEvery);
      look();
    }
    return print(cli_, audit_, "sale " + cli_.sale + ": every lane is ready\n");
  }

 private:
  void ask() {
    see(json_of(client_.ask("POST", path_ + "/rebuild", cli_.force ? R"({"force":true})" : "")));
  }

  void look() {
    try {
      const auto now = clock_->ticks();
      const bool fencing = lanes_outside("fencing").empty();
      if (!fencing) fencing_since_ = now;
      // Only when all lanes wait for the log: one that is ready would be given yet another epoch.
      if (cli_.force && now - fencing_since_ >= kForceAfter) {
        fencing_since_ = now;
        ask();
      } else {
        see(json_of(client_.ask("GET", path_ + "/audit")));
      }
      problem_.clear();
    } catch (const ClientError& error) {
      // A service that is away is often why one rebuilds.
      problem_ = error.what();
    }
  }

  /// Remembers how far the lanes are, and prints a line for each that is further than before.
  void see(Json audit) {
    for (const auto& lane : lanes_of(audit)) {
      const auto number = field(lane, "lane");
      const auto fence = field(lane, "fence_epoch");
      const auto newest = field(lane, "newest_epoch");
      auto line = fmt::format("lane {}: {}, epoch {}", number, field(lane, "stage"), fence);
      if (newest != fence) line += ", then " + newest;
      auto& said = said_[number];
      if (said != line && !cli_.json) cli_.world.out << line << std::endl;
      said = std::move(line);
    }
    audit_ = std::move(audit);
  }

  /// The numbers of the lanes that are in another stage.
  std::vector<std::string> lanes_outside(const std::string& stage) const {
    std::vector<std::string> numbers;
    for (const auto& lane : lanes_of(audit_)) {
      if (field(lane, "stage") != stage) numbers.push_back(field(lane, "lane"));
    }
    return numbers;
  }

  std::string too_late() const {
    return fmt::format(
        "sale {0} is not ready after {1}: lane {2}{3}; the servers go on; see sluice audit {0}",
        cli_.sale, cli_.timeout, fmt::join(lanes_outside("ready"), ", "),
        problem_.empty() ? "" : "; " + problem_);
  }

  const Cli& cli_;
  std::string path_;
  AdminClient client_;
  std::shared_ptr<Clock> clock_ = system_clock();
  std::unordered_map<std::string, std::string> said_;  ///< Of each lane, by its number.
  Ticks fencing_since_{};
  Json audit_;
  std::string problem_;  ///< Of the last look.
};

int rebuild_command(const Cli& cli) { return Rebuild(cli).run(); }

std::string mode_text(const Json& report) {
  return aligned({{"mode", field(report, "mode")},
                  {"held", field(report, "held")},
                  {"leads", field(report, "leads")},
                  {"backlogged", field(report, "backlogged")},
                  {"backlog", field(report, "lag_messages") + " messages"},
                  {"wait", field(report, "wait_ms") + " ms"},
                  {"admitted per s", field(report, "admitted_per_s")},
                  {"store lanes", field(report, "store_lanes")}});
}

int mode_command(const Cli& cli) {
  constexpr auto kPath = "/admin/mode";
  const auto& mode = cli.mode;
  if (!mode.empty() && mode != "auto" && !parse_name<OperatingMode>(mode)) {
    throw UsageError(terminal_text(mode) + " is no mode: auto, normal, bypass or database");
  }
  const auto client = admin_client(cli, mode.empty() ? AdminRole::read : AdminRole::operate);
  const Json wish = {{"mode", mode}};
  const auto report =
      json_of(mode.empty() ? client.ask("GET", kPath) : client.ask("POST", kPath, wish.dump()));
  return print(cli, report, mode_text(report));
}

}  // namespace

void add_recovery_commands(CLI::App& app, Cli& cli) {
  take_sale(add_admin_command(app, cli, "audit", "Check that no unit of a sale is lost.",
                              kAuditFooter, audit_command),
            cli);
  take_sale(
      add_admin_command(app, cli, "rebuild", "Make the inventory of a sale anew from the store.",
                        kRebuildFooter, rebuild_command, "60s"),
      cli)
      ->add_flag("--force", cli.force, "Do not wait for the log");
  add_admin_command(app, cli, "mode", "Show how a node sells, or hold all in a mode.", kModeFooter,
                    mode_command)
      ->add_option("hold", cli.mode, "auto, normal, bypass or database");
}

}  // namespace sluice
