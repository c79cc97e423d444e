#include <utility>

#include "simulation/world.hpp"

namespace sluice::simulation {
namespace {

using Kind = Incident::Kind;

constexpr std::int64_t kJumpMax = 60'000;

}  // namespace

Node* World::some_node(std::uint64_t choice) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    auto* node = nodes_[(choice + i) % nodes_.size()].get();
    if (node != nullptr) return node;
  }
  return nullptr;
}

void World::befall(const Incident& incident) {
  switch (incident.kind) {
    case Kind::node_kill:
    case Kind::node_freeze:
    case Kind::node_jump:
      return befall_node(incident);
    case Kind::redis_flush:
    case Kind::redis_rollback:
    case Kind::redis_down:
    case Kind::redis_freeze:
    case Kind::redis_part:
      return befall_redis(incident);
    case Kind::redis_drift:
      return drift(incident);
    case Kind::log_down:
    case Kind::log_freeze:
    case Kind::log_part:
    case Kind::log_deal:
    case Kind::log_poison:
    case Kind::store_down:
    case Kind::store_freeze:
    case Kind::store_drag:
    case Kind::store_part:
      return befall_service(incident);
    case Kind::sale_pause:
    case Kind::sale_close:
    case Kind::rebuild:
    case Kind::rebuild_force:
    case Kind::hold:
      return operate(incident);
  }
}

void World::befall_node(const Incident& incident) {
  auto& slot = nodes_[incident.node];
  const Who who = incident.node + 1;
  if (!slot) return;
  if (incident.kind == Kind::node_jump) {
    const auto span = static_cast<std::int64_t>(incident.extra % (2 * kJumpMax));
    const Millis by{span - kJumpMax};
    story_.note(who, "its clock jumps by {} ms", by.count());
    slot->jump(by);
    return;
  }
  if (incident.kind == Kind::node_freeze) {
    story_.note(who, "is stopped for {} ms", incident.lasts.count());
    slot->freeze(true);
    const auto life = lives_[incident.node];
    scheduler_.in(incident.lasts, [this, incident, who, life] {
      auto& node = nodes_[incident.node];
      if (!node || lives_[incident.node] != life) return;
      story_.note(who, "goes on");
      node->freeze(false);
    });
    // Long enough, and the others take over its partitions.
    scheduler_.in(Millis{3000}, [this] { log_.rebalance(); });
    return;
  }
  story_.note(who, "is killed");
  slot.reset();
  scheduler_.in(incident.lasts, [this, incident] {
    if (!nodes_[incident.node]) start_node(incident.node);
  });
}

void World::befall_redis(const Incident& incident) {
  ledger_.redis_in_trouble();
  const auto until = scheduler_.now() + incident.lasts;
  switch (incident.kind) {
    case Kind::redis_flush:
      story_.note(kWorld, "redis is flushed");
      network_.cut(Service::redis);
      redis_.flush();
      if (incident.extra % 2 == 0) slow_log(incident.lasts);
      return;
    case Kind::redis_rollback:
      story_.note(kWorld, "redis will be replaced by what it is now, in {} ms",
                  incident.lasts.count() / 4);
      scheduler_.in(incident.lasts / 4, [this, past = redis_.lanes()] {
        story_.note(kWorld, "redis is replaced by what it was");
        network_.cut(Service::redis);
        redis_.restart(past);
      });
      return;
    case Kind::redis_down: {
      const bool empty = incident.extra % 3 == 0;
      story_.note(
          kWorld,
          empty ? "redis is gone for {} ms and comes back empty" : "redis is gone for {} ms",
          incident.lasts.count());
      network_.cut(Service::redis);
      network_.down(Service::redis, true);
      scheduler_.in(incident.lasts, [this, empty, network_only = incident.extra % 3 == 1] {
        story_.note(kWorld, "redis is back");
        network_.down(Service::redis, false);
        if (!network_only) redis_.restart(empty ? Redis::Lanes() : redis_.lanes());
      });
      return;
    }
    case Kind::redis_freeze:
      story_.note(kWorld, "redis is stopped for {} ms", incident.lasts.count());
      network_.freeze(Service::redis, until);
      return;
    default:
      befall_service(incident);
  }
}

/// So that what was reserved before comes behind the fence.
void World::slow_log(Millis lasts) {
  constexpr std::uint32_t kHalf = 500'000;
  auto& faults = network_.faults(Service::log);
  const auto before = std::exchange(faults.slow, kHalf);
  if (before == kHalf) return;
  story_.note(kWorld, "half of the calls to the log are slow for {} ms", lasts.count());
  scheduler_.in(lasts, [&faults, before] {
    // Peace may have come meanwhile.
    if (faults.slow == kHalf) faults.slow = before;
  });
}

void World::drift(const Incident& incident) {
  std::vector<LaneId> lanes;
  for (const auto& [id, lane] : redis_.lanes()) lanes.push_back(id);
  if (lanes.empty()) return;
  const auto lane = lanes[incident.extra % lanes.size()];
  const auto number = lane.sale * 10 + lane.index;
  const auto choice = incident.extra / 64;
  if (choice % 3 == 0) {
    const auto order = redis_.forget_a_winner(lane, choice / 4);
    if (!order) return;
    story_.note(kWorld, "somebody deletes the record of order {} in lane {}", brief(*order),
                number);
    ledger_.forgotten(*order);
  } else {
    const auto by = static_cast<std::int64_t>(choice / 4 % 5) - 2;
    if (!redis_.drift_units(lane, by)) return;
    story_.note(kWorld, "somebody changes the units of lane {} by {}", number, by);
  }
  ledger_.drifted(lane, redis_.at(lane).epoch);
}

void World::befall_service(const Incident& incident) {
  const Who who = incident.node + 1;
  const auto part = [&](Service service, const char* gone) {
    story_.note(who, gone, incident.lasts.count());
    network_.part(who, service);
    scheduler_.in(incident.lasts, [this, who, service] { network_.join(who, service); });
  };
  const auto down = [&](Service service, const char* gone) {
    story_.note(kWorld, gone, incident.lasts.count());
    network_.cut(service);
    network_.down(service, true);
    scheduler_.in(incident.lasts, [this, service] {
      story_.note(kWorld, "service {} is back", static_cast<std::int64_t>(service));
      network_.down(service, false);
    });
  };
  const auto until = scheduler_.now() + incident.lasts;
  switch (incident.kind) {
    case Kind::redis_part:
      return part(Service::redis, "does not reach redis for {} ms");
    case Kind::log_part:
      return part(Service::log, "does not reach the log for {} ms");
    case Kind::store_part:
      return part(Service::store, "does not reach the store for {} ms");
    case Kind::log_down:
      return down(Service::log, "the log is gone for {} ms");
    case Kind::store_down:
      return down(Service::store, "the store is gone for {} ms");
    case Kind::log_freeze:
      story_.note(kWorld, "the log is stopped for {} ms", incident.lasts.count());
      return network_.freeze(Service::log, until);
    case Kind::store_freeze:
      story_.note(kWorld, "the store is stopped for {} ms", incident.lasts.count());
      return network_.freeze(Service::store, until);
    case Kind::store_drag:
      story_.note(kWorld, "the store is slow for {} ms", incident.lasts.count());
      network_.drag(Service::store, Millis{100 + static_cast<int>(incident.extra % 1500)});
      scheduler_.in(incident.lasts, [this] { network_.drag(Service::store, Millis{0}); });
      return;
    case Kind::log_poison: {
      const auto partitions = static_cast<std::uint64_t>(log_.partitions());
      story_.note(kWorld, "somebody writes what is no order into the log");
      log_.append(static_cast<std::int32_t>(incident.extra % partitions), std::string("{}"));
      return;
    }
    default:
      log_.rebalance();
  }
}

void World::operate(const Incident& incident) {
  auto* node = some_node(incident.extra);
  if (node == nullptr) return;
  const auto sale = static_cast<SaleId>(incident.extra / 8 % plan_.sales.size()) + 1;
  switch (incident.kind) {
    case Kind::sale_pause:
      set_state(sale, SaleState::paused, *node);
      scheduler_.in(incident.lasts, [this, sale, choice = incident.extra] {
        auto* other = some_node(choice / 64);
        if (other != nullptr) set_state(sale, SaleState::open, *other);
      });
      return;
    case Kind::sale_close:
      if (incident.extra % 4 == 0) set_state(sale, SaleState::closed, *node);
      return;
    case Kind::rebuild:
    case Kind::rebuild_force: {
      const bool force = incident.kind == Kind::rebuild_force;
      if (force) ledger_.forced(sale);
      story_.note(kWorld, "an operator asks to rebuild sale {}, by force: {}", sale, force);
      node->rebuild(sale, force);
      return;
    }
    default: {
      const auto mode = static_cast<OperatingMode>(incident.extra / 64 % 3);
      // In the database mode Redis' reservations are given up if it cannot be reached.
      if (mode == OperatingMode::database) ledger_.redis_in_trouble();
      story_.note(kWorld, "an operator holds mode {}", static_cast<std::int64_t>(mode));
      node->hold(mode, [](bool) {});
      scheduler_.in(incident.lasts, [this, choice = incident.extra] {
        auto* other = some_node(choice / 128);
        if (other != nullptr) other->hold(std::nullopt, [](bool) {});
      });
    }
  }
}

void World::set_state(SaleId sale, SaleState state, Node& node) {
  story_.note(kWorld, "an operator sets sale {} to state {}", sale,
              static_cast<std::int64_t>(state));
  const auto ticket = ledger_.asked(sale);
  node.set_state(sale, state, [this, sale, state, ticket](bool done) {
    if (!done) return;
    story_.note(kWorld, "the operator is told: sale {} has state {}", sale,
                static_cast<std::int64_t>(state));
    ledger_.enforced(sale, state, ticket);
  });
}

}  // namespace sluice::simulation
