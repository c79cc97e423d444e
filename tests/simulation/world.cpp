#include "simulation/world.hpp"

#include <algorithm>
#include <utility>

namespace sluice::simulation {
namespace {

constexpr Millis kRestBound{180'000};
constexpr Millis kSellBound{120'000};

Plan plan_of(std::uint64_t seed) {
  Rng rng(seed);
  return Plan(rng);
}

}  // namespace

World::World(std::uint64_t seed, Metrics& metrics)
    : plan_(plan_of(seed)),
      scheduler_(seed ^ 0x5bd1e995U),
      log_(scheduler_, story_, clock_, plan_.partitions),
      metrics_(metrics),
      lives_(plan_.nodes) {
  for (std::size_t i = 0; i < kServices; ++i) {
    network_.faults(static_cast<Service>(i)) = plan_.faults[i];
  }
  log_.tardy = plan_.tardy;
  results_.lose = plan_.lost_news;
  crowd_.lose = plan_.lost_answers;
  nodes_.resize(plan_.nodes);
  for (std::size_t i = 0; i < nodes_.size(); ++i) start_node(i);
  open_the_sales();
  invite();
  for (const auto& incident : plan_.incidents) {
    scheduler_.at(start() + incident.at, [this, incident] {
      if (!peace_) befall(incident);
    });
  }
}

World::~World() = default;

Services World::services() {
  return {scheduler_, story_, network_, store_, redis_, log_, results_, seal_, metrics_};
}

Millis World::virtual_time() const {
  return std::chrono::floor<Millis>(scheduler_.now() - start());
}

void World::start_node(std::size_t index) {
  const auto life = ++lives_[index];
  story_.note(static_cast<Who>(index) + 1, "starts its life {}", life);
  nodes_[index] = std::make_unique<Node>(services(), static_cast<Who>(index) + 1, life);
}

void World::open_the_sales() {
  const auto now = wall_time(scheduler_);
  for (const auto& planned : plan_.sales) {
    SaleDraft draft;
    draft.title = "a sale";
    draft.unit_price_minor = 100;
    draft.stock = planned.stock;
    draft.lanes = planned.lanes;
    draft.limit_per_order = planned.limit;
    draft.pay_within = planned.pay_within;
    draft.starts_at = now + planned.starts;
    draft.ends_at = now + (planned.ends.count() > 0 ? planned.ends : std::chrono::hours(24));
    const auto sale = store_.create(draft).value();
    store_.set_state(sale.id, SaleState::open).value();
    story_.note(kWorld, "sale {} has {} units in {} lanes, to be paid within {} ms", sale.id,
                draft.stock, draft.lanes, draft.pay_within.count());
  }
}

void World::invite() {
  auto& rng = scheduler_.rng();
  for (std::uint32_t i = 0; i < plan_.users; ++i) {
    const auto sale = static_cast<SaleId>(rng.below(plan_.sales.size())) + 1;
    const auto user = UserId::parse("user" + std::to_string(i)).value();
    const auto quantity = rng.one_in(3) ? 1 + static_cast<std::uint32_t>(rng.below(3)) : 1;
    const auto at = start() + rng.between(Millis{0}, plan_.active * 3 / 4);
    crowd_.add(sale, user, quantity, at, start() + plan_.active + Millis{5'000},
               static_cast<Habit>(rng.below(kHabits)));
  }
}

void World::run_until(Ticks when) {
  // An event that does nothing marks the moment.
  bool there = false;
  scheduler_.at(when, [&there] { there = true; });
  while (!there && !story_.failed() && scheduler_.step()) {
  }
}

void World::run() {
  run_until(start() + plan_.active);
  if (!story_.failed()) make_peace();
  if (!story_.failed()) come_to_rest();
  if (!story_.failed()) sell_the_rest();
  if (!story_.failed()) crowd_.settle_accounts();
}

void World::make_peace() {
  story_.note(kWorld, "peace: no more trouble from here on");
  peace_ = true;
  network_.heal();
  log_.tardy = 0;
  results_.lose = 0;
  crowd_.lose = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i]) {
      nodes_[i]->freeze(false);
      nodes_[i]->set_clock();
    } else {
      start_node(i);
    }
  }
  log_.rebalance();
  for (const auto& [id, sale] : store_.sales()) {
    if (sale.state == SaleState::paused) set_state(id, SaleState::open, *nodes_[0]);
  }
}

void World::come_to_rest() {
  const auto bound = scheduler_.now() + kRestBound;
  auto unrest = ledger_.unrest();
  auto missing = crowd_.missing();
  while (!story_.failed() && (!unrest.empty() || !missing.empty())) {
    if (scheduler_.now() >= bound) {
      story_.violate("no rest: " + (unrest.empty() ? missing : unrest));
      return;
    }
    // Said again and again: a command from before the peace may arrive late.
    (void)store_.request(kModeRequest, "auto");
    pay_what_is_unpaid();
    run_until(scheduler_.now() + Millis{500});
    unrest = ledger_.unrest();
    missing = crowd_.missing();
  }
}

void World::pay_what_is_unpaid() {
  std::vector<const Store::Row*> unpaid;
  for (const auto& [id, row] : store_.rows()) {
    const auto sale = static_cast<std::size_t>(row.message.lane.sale - 1);
    if (row.status != OrderStatus::confirmed || !row.pay_by) continue;
    if (all_paid_ || plan_.sales[sale].all_paid) unpaid.push_back(&row);
  }
  std::ranges::sort(unpaid, {}, [](const Store::Row* row) { return row->message.id; });
  for (const auto* row : unpaid) {
    const auto& message = row->message;
    nodes_[0]->move_for_shop(message.lane.sale, message.id, message.user, Move::pay,
                             [](const Operated<Order>&) {});
  }
}

bool World::sellable(const Sale& sale) const {
  const auto end = wall_time(scheduler_) + kSellBound + kRestBound;
  return sale.state == SaleState::open && sale.terms.ends_at > end;
}

void World::sell_the_rest() {
  const auto bound = scheduler_.now() + kSellBound;
  all_paid_ = true;
  for (unsigned number = 0; !story_.failed(); ++number) {
    std::optional<LaneId> unsold;
    for (const auto& [id, lane] : store_.lanes()) {
      if (lane.stock > 0 && sellable(store_.sales().at(id.sale))) unsold = id;
    }
    if (!unsold) break;
    if (scheduler_.now() >= bound) {
      story_.violate("units stay unsold though buyers ask for them");
      return;
    }
    const auto lanes = store_.sales().at(unsold->sale).terms.lanes;
    const auto before = store_.lanes().at(*unsold).stock;
    auto left = before;
    for (unsigned i = 0; left > 0; ++i) {
      const auto name = "late" + std::to_string(number) + "-" + std::to_string(i);
      const auto user = UserId::parse(name).value();
      if (lane_of(user, lanes) != unsold->index) continue;
      --left;
      crowd_.add(unsold->sale, user, 1, scheduler_.now(), scheduler_.now() + Millis{20'000},
                 Habit::pays);
    }
    come_to_rest();
    if (!story_.failed() && store_.lanes().at(*unsold).stock == before) {
      story_.violate("nobody can buy what is left");
    }
  }
}

}  // namespace sluice::simulation
