#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "simulation/ledger.hpp"

namespace sluice::simulation {

/// Which seeds to run.
struct CampaignOrder {
  std::uint64_t first = 1;
  std::uint64_t seeds = 1'000;
  unsigned jobs = 1;        ///< Processes.
  bool keep_going = false;  ///< Past the first failure of a process.
};

struct Failure {
  std::uint64_t seed = 0;
  std::string violation;
};

/// What the runs did, all together.
struct CampaignReport {
  std::uint64_t runs = 0;
  double seconds = 0;
  std::uint64_t hash = 0;  ///< Of all stories; the same for the same seeds.
  std::uint64_t steps = 0;
  std::uint64_t virtual_ms = 0;
  std::uint64_t requests = 0;
  Ledger::Figures figures;
  std::vector<Failure> failures;  ///< In order of the seed.
};

CampaignReport run_campaign(const CampaignOrder& order);

/// Adds one run's outcome to the report.
void run_one(std::uint64_t seed, CampaignReport& report);

std::string to_json(const CampaignReport& report);
void print(std::ostream& out, const CampaignReport& report);

/// Runs the seed again and tells what happened.
void print_story(std::ostream& out, std::uint64_t seed);

}  // namespace sluice::simulation
