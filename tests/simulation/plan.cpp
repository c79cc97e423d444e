#include "simulation/plan.hpp"

#include <algorithm>

namespace sluice::simulation {
namespace {

/// What is to expire after the peace does so within this time: rest waits for it.
constexpr Millis kExpiresMax{10'000};

/// Nothing in half of the runs, else up to `most`: runs that have a few kinds of trouble find more
/// than runs that have them all.
std::uint32_t sometimes(Rng& rng, std::uint32_t most) {
  return rng.one_in(2) ? 0 : static_cast<std::uint32_t>(rng.below(most)) + 1;
}

CallFaults faults_of(Rng& rng, Service service) {
  CallFaults faults;
  faults.refuse = sometimes(rng, 20'000);
  faults.drop = sometimes(rng, 20'000);
  faults.lose = sometimes(rng, 30'000);
  faults.slow = sometimes(rng, 30'000);
  // A transaction is not sent again by the network.
  faults.duplicate = service == Service::store ? 0 : sometimes(rng, 50'000);
  return faults;
}

/// Half of the sales must be paid: some at once, some until long after the run.
void choose_payment(Rng& rng, Plan::SalePlan& sale) {
  if (rng.one_in(2)) return;
  const bool soon = !rng.one_in(3);
  sale.pay_within = rng.between(Millis{1'500}, soon ? Millis{8'000} : Millis{90'000});
  sale.all_paid = sale.pay_within > kExpiresMax || rng.one_in(3);
}

}  // namespace

Plan::Plan(Rng& rng) {
  nodes = 2 + static_cast<std::uint32_t>(rng.below(2));
  partitions = 1 + static_cast<std::int32_t>(rng.below(3));
  users = 6 + static_cast<std::uint32_t>(rng.below(17));
  active = rng.between(Millis{8'000}, Millis{25'000});
  for (auto count = 1 + rng.below(2); count > 0; --count) {
    SalePlan sale;
    sale.lanes = 1 + static_cast<std::uint32_t>(rng.below(3));
    sale.stock = static_cast<std::int64_t>(sale.lanes + rng.below(users));
    if (rng.one_in(3)) sale.starts = rng.between(Millis{0}, active / 2);
    if (rng.one_in(8)) sale.ends = sale.starts + rng.between(Millis{1}, active);
    choose_payment(rng, sale);
    sales.push_back(sale);
  }
  if (!rng.one_in(3)) {
    for (std::size_t i = 0; i < kServices; ++i) {
      faults[i] = faults_of(rng, static_cast<Service>(i));
    }
    tardy = sometimes(rng, 50'000);
    lost_news = sometimes(rng, 300'000);
    lost_answers = sometimes(rng, 100'000);
  }
  std::vector<Incident::Kind> possible;
  for (std::size_t kind = 0; kind < Incident::kKinds; ++kind) {
    if (rng.one_in(3)) possible.push_back(static_cast<Incident::Kind>(kind));
  }
  if (possible.empty()) return;
  for (auto count = rng.below(7); count > 0; --count) {
    Incident incident;
    incident.kind = possible[rng.below(possible.size())];
    incident.at = rng.between(Millis{500}, active);
    incident.lasts = rng.between(Millis{10}, rng.one_in(2) ? Millis{1'500} : Millis{12'000});
    incident.node = static_cast<std::uint32_t>(rng.below(nodes));
    incident.extra = rng.next();
    incidents.push_back(incident);
  }
  std::ranges::stable_sort(incidents, {}, &Incident::at);
}

}  // namespace sluice::simulation
