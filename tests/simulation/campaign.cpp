#include "simulation/campaign.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

#include "simulation/world.hpp"

namespace sluice::simulation {
namespace {

/// One for all runs: its handles are looked up by name, and nothing depends on what they count.
Metrics& metrics() {
  static Metrics metrics;
  return metrics;
}

/// The figures by the names of the report.
template <class Figures>
auto named(Figures& of) {
  using Named = std::pair<const char*, decltype(&of.grants)>;
  return std::array<Named, 16>{{{"grants", &of.grants},
                                {"openings", &of.openings},
                                {"by_store", &of.by_store},
                                {"lost", &of.lost},
                                {"late", &of.late},
                                {"adopted", &of.adopted},
                                {"rejected", &of.rejected},
                                {"at_once", &of.at_once},
                                {"backlogged", &of.backlogged},
                                {"unknown", &of.unknown},
                                {"paid", &of.paid},
                                {"cancelled", &of.cancelled},
                                {"expired", &of.expired},
                                {"relayed", &of.relayed},
                                {"drifts", &of.drifts},
                                {"ghosts", &of.ghosts}}};
}

void add(Ledger::Figures& total, const Ledger::Figures& part) {
  const auto from = named(part);
  const auto to = named(total);
  for (std::size_t i = 0; i < from.size(); ++i) *to[i].second += *from[i].second;
}

nlohmann::json as_json(const CampaignReport& report) {
  nlohmann::json failures = nlohmann::json::array();
  for (const auto& failure : report.failures) {
    failures.push_back({{"seed", failure.seed}, {"violation", failure.violation}});
  }
  nlohmann::json figures;
  for (const auto& [name, figure] : named(report.figures)) figures[name] = *figure;
  return {{"runs", report.runs},
          {"seconds", report.seconds},
          {"hash", report.hash},
          {"steps", report.steps},
          {"virtual_ms", report.virtual_ms},
          {"requests", report.requests},
          {"figures", figures},
          {"failures", failures}};
}

void add(CampaignReport& total, const nlohmann::json& part) {
  total.runs += part.at("runs").get<std::uint64_t>();
  total.hash += part.at("hash").get<std::uint64_t>();
  total.steps += part.at("steps").get<std::uint64_t>();
  total.virtual_ms += part.at("virtual_ms").get<std::uint64_t>();
  total.requests += part.at("requests").get<std::uint64_t>();
  for (const auto& [name, figure] : named(total.figures)) {
    *figure += part.at("figures").at(name).get<std::uint64_t>();
  }
  for (const auto& failure : part.at("failures")) {
    total.failures.push_back(
        {failure.at("seed").get<std::uint64_t>(), failure.at("violation").get<std::string>()});
  }
}

/// The seeds of one process: every `jobs`-th.
CampaignReport run_share(const CampaignOrder& order, unsigned job) {
  CampaignReport report;
  for (auto seed = order.first + job; seed < order.first + order.seeds; seed += order.jobs) {
    run_one(seed, report);
    if (!report.failures.empty() && !order.keep_going) break;
  }
  return report;
}

struct Job {
  pid_t process = -1;
  int answers = -1;
};

Job start_job(const CampaignOrder& order, unsigned number) {
  int ends[2] = {-1, -1};
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const auto process = ::fork();
  if (process < 0) throw std::runtime_error("no process");
  if (process == 0) {
    ::close(ends[0]);
    const auto text = as_json(run_share(order, number)).dump();
    std::size_t sent = 0;
    while (sent < text.size()) {
      const auto wrote = ::write(ends[1], text.data() + sent, text.size() - sent);
      if (wrote <= 0) ::_exit(3);
      sent += static_cast<std::size_t>(wrote);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  return {process, ends[0]};
}

std::string read_all(int descriptor) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const auto got = ::read(descriptor, buffer, sizeof(buffer));
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(descriptor);
  return text;
}

}  // namespace

void run_one(std::uint64_t seed, CampaignReport& report) {
  World world(seed, metrics());
  world.run();
  ++report.runs;
  // A sum, so that it does not depend on how the seeds are shared out.
  report.hash += world.story().hash();
  report.steps += world.steps();
  report.virtual_ms += static_cast<std::uint64_t>(world.virtual_time().count());
  report.requests += world.requests();
  add(report.figures, world.figures());
  if (world.story().failed()) report.failures.push_back({seed, world.story().violation()});
}

CampaignReport run_campaign(const CampaignOrder& order) {
  const auto began = std::chrono::steady_clock::now();
  CampaignReport report;
  if (order.jobs == 1) {
    report = run_share(order, 0);
  } else {
    std::vector<Job> jobs;
    for (unsigned i = 0; i < order.jobs; ++i) jobs.push_back(start_job(order, i));
    for (const auto& job : jobs) {
      const auto text = read_all(job.answers);
      int status = 0;
      ::waitpid(job.process, &status, 0);
      if (status != 0) throw std::runtime_error("a process of the simulation died");
      add(report, nlohmann::json::parse(text));
    }
  }
  std::ranges::sort(report.failures, {}, &Failure::seed);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  report.seconds = took.count();
  return report;
}

std::string to_json(const CampaignReport& report) { return as_json(report).dump(2); }

void print(std::ostream& out, const CampaignReport& report) {
  char line[512];
  std::snprintf(line, sizeof(line),
                "%llu runs in %.2f s (%.0f/s), %.0f steps and %.1f virtual seconds each; story "
                "hash %016llx\n",
                static_cast<unsigned long long>(report.runs), report.seconds,
                static_cast<double>(report.runs) / report.seconds,
                static_cast<double>(report.steps) / static_cast<double>(report.runs),
                static_cast<double>(report.virtual_ms) / 1000 / static_cast<double>(report.runs),
                static_cast<unsigned long long>(report.hash));
  out << line << report.requests << " requests;";
  for (const auto& [name, figure] : named(report.figures)) out << ' ' << name << ' ' << *figure;
  out << '\n';
  for (const auto& failure : report.failures) {
    out << "seed " << failure.seed << ": " << failure.violation << '\n';
  }
}

void print_story(std::ostream& out, std::uint64_t seed) {
  World world(seed, metrics());
  world.run();
  out << "The story of seed " << seed << ":\n";
  world.story().print(out);
}

}  // namespace sluice::simulation
