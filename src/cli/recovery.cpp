#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <fmt/format.h>
#include <memory>
#include <ostream>
#include <thread>
#include <unordered_map>
#include <vector>

#include "sluice/orders/operating_mode.hpp"

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

struct SaleChoice : AdminOptions {
  std::string sale;
};

struct RebuildOptions : SaleChoice {
  RebuildOptions() { timeout = "60s"; }
  bool force = false;
};

struct ModeOptions : AdminOptions {
  std::string mode;
};

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

int audit_command(const Cli& cli, const SaleChoice& options) {
  const auto path = sale_path(options.sale) + "/audit";
  AdminApi api(cli, options);
  const auto audit = api.get(path);
  std::string text;
  for (const auto& lane : lanes_of(audit)) text += assignments(lane) + "\n";
  const auto holds = field(audit, "holds");
  text += "sale=" + field(audit, "sale_id") + " holds=" + holds + "\n";
  api.print(audit, text);
  return holds == "true" ? kExitOk : kExitFailed;
}

/// Asks for a rebuild and follows it.
class Rebuild {
 public:
  Rebuild(const Cli& cli, const RebuildOptions& options)
      : options_(options),
        path_(sale_path(options.sale)),
        timeout_(timeout_of(options)),
        out_(cli.world.out),
        api_(cli, options, kRequestMax) {}

  int run() {
    const auto give_up = clock_->ticks() + timeout_;
    fencing_since_ = clock_->ticks();
    ask();
    while (!not_ready().empty()) {
      if (clock_->ticks() >= give_up) throw ClientError(too_late());
      std::this_thread::sleep_for(kLookEvery);
      look();
    }
    api_.print(audit_, "sale " + options_.sale + ": every lane is ready\n");
    return kExitOk;
  }

 private:
  void ask() { see(api_.post(path_ + "/rebuild", options_.force ? R"({"force":true})" : "")); }

  void look() {
    try {
      const auto now = clock_->ticks();
      if (!fencing()) fencing_since_ = now;
      // Only when all lanes wait: one that is ready would be given yet another epoch.
      if (options_.force && now - fencing_since_ >= kForceAfter) {
        fencing_since_ = now;
        ask();
      } else {
        see(api_.get(path_ + "/audit"));
      }
      problem_.clear();
    } catch (const ClientError& error) {
      // A service that is away is often why one rebuilds.
      problem_ = error.what();
    }
  }

  /// Remembers how far the lanes are, and prints a line for each that is further than before.
  void see(Json audit) {
    const auto& lanes = lanes_of(audit);
    stages_.clear();
    for (const auto& lane : lanes) {
      const auto number = field(lane, "lane");
      const auto fence = field(lane, "fence_epoch");
      const auto newest = field(lane, "newest_epoch");
      const auto& stage = stages_.emplace_back(number, field(lane, "stage")).second;
      auto line = fmt::format("lane {}: {}, epoch {}", number, stage, fence);
      if (newest != fence) line += ", then " + newest;
      auto& said = said_[number];
      if (said != line && !options_.json) out_ << line << std::endl;
      said = std::move(line);
    }
    audit_ = std::move(audit);
  }

  std::vector<std::string> not_ready() const {
    std::vector<std::string> numbers;
    for (const auto& [number, stage] : stages_) {
      if (stage != "ready") numbers.push_back(number);
    }
    return numbers;
  }

  /// Every lane waits for the log.
  bool fencing() const {
    return std::ranges::all_of(stages_, [](const auto& lane) { return lane.second == "fencing"; });
  }

  std::string too_late() const {
    auto text = "sale " + options_.sale + " is not ready after " + options_.timeout + ": lane " +
                boost::algorithm::join(not_ready(), ", ");
    if (!problem_.empty()) text += "; " + problem_;
    return text + "; the servers go on; see sluice audit " + options_.sale;
  }

  const RebuildOptions& options_;
  std::string path_;
  Millis timeout_;
  std::ostream& out_;
  AdminApi api_;
  std::shared_ptr<Clock> clock_ = system_clock();
  std::vector<std::pair<std::string, std::string>> stages_;  ///< Of each lane, by its number.
  std::unordered_map<std::string, std::string> said_;
  Ticks fencing_since_{};
  Json audit_;
  std::string problem_;  ///< Of the last look.
};

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

int mode_command(const Cli& cli, const ModeOptions& options) {
  constexpr auto kPath = "/admin/mode";
  const auto& mode = options.mode;
  if (!mode.empty() && mode != "auto" && !parse_name<OperatingMode>(mode)) {
    throw UsageError(terminal_text(mode) + " is no mode: auto, normal, bypass or database");
  }
  AdminApi api(cli, options);
  const Json wish = {{"mode", mode}};
  const auto report = mode.empty() ? api.get(kPath) : api.post(kPath, wish.dump());
  api.print(report, mode_text(report));
  return kExitOk;
}

}  // namespace

void add_recovery_commands(CLI::App& app, Cli& cli) {
  const auto audited = std::make_shared<SaleChoice>();
  add_admin_command(app, cli, *audited, "audit", "Check that no unit of a sale is lost.",
                    kAuditFooter, [&cli, audited] { return audit_command(cli, *audited); })
      ->add_option("sale", audited->sale, "Its number")
      ->required();

  const auto rebuilt = std::make_shared<RebuildOptions>();
  auto* rebuild = add_admin_command(
      app, cli, *rebuilt, "rebuild", "Make the inventory of a sale anew from the store.",
      kRebuildFooter, [&cli, rebuilt] { return Rebuild(cli, *rebuilt).run(); });
  rebuild->add_option("sale", rebuilt->sale, "Its number")->required();
  rebuild->add_flag("--force", rebuilt->force, "Do not wait for the log");

  const auto mode = std::make_shared<ModeOptions>();
  add_admin_command(app, cli, *mode, "mode", "Show how a node sells, or hold all in a mode.",
                    kModeFooter, [&cli, mode] { return mode_command(cli, *mode); })
      ->add_option("hold", mode->mode, "auto, normal, bypass or database");
}

}  // namespace sluice
