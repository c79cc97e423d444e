#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"

#include "simulation/campaign.hpp"

namespace {

using namespace sluice;
using namespace sluice::simulation;

constexpr auto kUsage =
    "usage: simulation [--seeds N] [--first S] [--seed S] [--jobs J] [--json FILE]\n"
    "                  [--story] [--keep-going] [--mutant NAME]\n"
    "Runs N seeds from S on. The story of the first seed that fails is printed.\n"
    "Ends with 0 when every run held, 1 when one did not, 2 for a wrong command line.\n";

struct Options {
  CampaignOrder order;
  std::string json;
  std::string mutant;
  bool story = false;
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--story") {
      options.story = true;
    } else if (name == "--keep-going") {
      options.order.keep_going = true;
    } else if (i + 1 == argc) {
      return std::nullopt;
    } else if (const std::string value = argv[++i]; name == "--json") {
      options.json = value;
    } else if (name == "--mutant") {
      options.mutant = value;
    } else {
      char* end = nullptr;
      const auto number = std::strtoull(value.c_str(), &end, 10);
      if (value.empty() || *end != '\0') return std::nullopt;
      if (name == "--seeds") {
        options.order.seeds = number;
      } else if (name == "--first") {
        options.order.first = number;
      } else if (name == "--seed") {
        options.order.first = number;
        options.order.seeds = 1;
      } else if (name == "--jobs" && number >= 1 && number <= 256) {
        options.order.jobs = static_cast<unsigned>(number);
      } else {
        return std::nullopt;
      }
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  LogSettings quiet;
  quiet.level = options->story && std::getenv("SLUICE_SIMULATION_LOG") != nullptr ? "debug" : "off";
  configure_log(quiet);
#ifdef SLUICE_MUTATIONS
  if (!options->mutant.empty()) set_mutant(options->mutant);
#else
  if (!options->mutant.empty()) {
    std::fputs("simulation: this build has no mutants (configure with SLUICE_MUTATIONS)\n", stderr);
    return 2;
  }
#endif
  const auto report = run_campaign(options->order);
  if (!options->json.empty()) std::ofstream(options->json) << to_json(report) << '\n';
  print(std::cout, report);
  if (options->story) {
    print_story(std::cout, options->order.first);
  } else if (!report.failures.empty()) {
    print_story(std::cout, report.failures.front().seed);
  }
#ifdef SLUICE_MUTATIONS
  if (!options->mutant.empty() && options->order.jobs == 1 && !mutant_reached()) {
    std::fputs("simulation: nothing asked for that mutant\n", stderr);
    return 2;
  }
#endif
  return report.failures.empty() ? 0 : 1;
}
