#include "simulation/ledger.hpp"

#include <algorithm>

#include "simulation/clock.hpp"

namespace sluice::simulation {
namespace {

// A node's view of a sold-out lane, and a client's patience, end within this time.
constexpr Millis kOldNews{12'000};

std::string text(LaneId lane) {
  return "lane " + std::to_string(lane.sale) + ":" + std::to_string(lane.index);
}

std::int64_t number(LaneId lane) { return lane.sale * 10 + lane.index; }

}  // namespace

Ledger::Ledger(const Scheduler& scheduler, Story& story, Store& store, Redis& redis, Log& log,
               const Network& network)
    : scheduler_(scheduler), story_(story), store_(store), redis_(redis), network_(network) {
  store.on_commit = [this](LaneId lane) { committed(lane); };
  store.on_move = [this](const Store::Row& row, OrderStatus before) { moved(row, before); };
  store.on_suspicion = [this](LaneId lane, Accuser accuser) { suspected(lane, accuser); };
  store.on_fence = [this](Fence fence) {
    story_.note(kWorld, "lane {}: the fence is raised to {}", number(fence.lane), fence.epoch);
  };
  store.on_park = [this](const OrderMessage& message) {
    if (!logged_in_time_.contains(message.id) || forced_.contains(message.lane.sale)) return;
    story_.violate("order " + std::to_string(brief(message.id)) +
                   " was in the log before the fence, and parked");
  };
  store.on_refusal = [this](const LateRefusal& refusal) { refused(refusal); };
  redis.on_grant = [this](const Call& call, const Attempt& attempt) {
    granted(call.lane, call.epoch, attempt);
    if (scheduler_.now() > call.deadline) {
      story_.violate(text(call.lane) + ": a grant that its caller waits for no more");
    }
  };
  redis.on_return = [this](LaneId lane, Epoch epoch, const OrderId& id) {
    returned(lane, epoch, id);
  };
  redis.on_open = [this](LaneId lane, Epoch epoch) { opened(lane, epoch); };
  redis.on_loss = [this](const OrderId& id) {
    ++figures.lost;
    story_.note(kWorld, "reservation {} is lost", brief(id));
  };
  log.on_append = [this](const Log::Record& record) { appended(record); };
}

void Ledger::committed(LaneId id) {
  const auto& lane = store_.lanes().at(id);
  auto& before = heads_[id];
  const auto& now = lane.head;
  if (now.fence < before.fence || now.newest < before.newest || now.by_store < before.by_store) {
    story_.violate(text(id) + ": an epoch went back");
  }
  if (now.authority() == Authority::store && before.authority() != Authority::store) {
    ++figures.by_store;
    store_sold_.insert(id);
  }
  before = now;
  const auto drift = drifts_.find(id);
  if (drift != drifts_.end() && now.fence > drift->second.epoch && !drift->second.over) {
    drift->second.over = scheduler_.now();
  }

  std::int64_t live = 0;
  std::map<UserId, int> orders;
  for (const auto& [order, row] : store_.rows()) {
    const auto& message = row.message;
    if (message.lane.sale != id.sale || !is_live(row.status)) continue;
    if (message.lane == id) live += message.quantity;
    if (++orders[message.user] > 1) {
      story_.violate("user " + message.user.text() + " has two live orders in one sale");
    }
  }
  if (lane.stock < 0 || lane.stock + live != lane.initial) {
    story_.violate(text(id) + ": began with " + std::to_string(lane.initial) + " units, has " +
                   std::to_string(lane.stock) + " left and sold " + std::to_string(live));
  }
}

void Ledger::moved(const Store::Row& row, OrderStatus before) {
  const auto& message = row.message;
  const auto order = "order " + std::to_string(brief(message.id));
  switch (row.status) {
    case OrderStatus::paid:
      ++figures.paid;
      story_.note(kWorld, "order {} is paid", brief(message.id));
      break;
    case OrderStatus::cancelled:
      ++figures.cancelled;
      story_.note(kWorld, "order {} is cancelled", brief(message.id));
      break;
    default:
      ++figures.expired;
      story_.note(kWorld, "order {} expires", brief(message.id));
      if (!row.pay_by || *row.pay_by > wall_time(scheduler_)) {
        story_.violate(order + " expired before its time was over");
      }
  }
  if (before != OrderStatus::confirmed) {
    story_.violate(order + " was " + std::string(name(before)) + " and is now " +
                   std::string(name(row.status)));
  }
  if (!must_be_paid(store_.sales().at(message.lane.sale).terms)) {
    story_.violate(order + " was final once it was confirmed, and moved on");
  }
}

void Ledger::suspected(LaneId id, Accuser accuser) {
  if (accuser == Accuser::anybody) return;
  const auto fence = store_.lanes().at(id).head.fence;
  story_.note(kWorld, "lane {}: epoch {} is found to be wrong", number(id), fence);
  if (drifted_.contains({id, fence})) return;
  story_.violate(text(id) + ": its projection is wrong though nobody touched it");
}

void Ledger::drifted(LaneId lane, Epoch epoch) {
  ++figures.drifts;
  drifted_.emplace(lane, epoch);
  if (epoch >= store_.lanes().at(lane).head.fence) drifts_[lane] = {epoch, std::nullopt};
}

void Ledger::returned(LaneId lane, Epoch epoch, const OrderId& id) {
  returned_at_[lane] = scheduler_.now();
  story_.note(kWorld, "redis has the units of {} back in lane {}", brief(id), number(lane));
  if (--held_[{lane, epoch, id}] < 0) {
    story_.violate("order " + std::to_string(brief(id)) + " returned its units twice");
  }
  const auto row = store_.rows().find(id);
  if (row == store_.rows().end()) return;
  if (is_live(row->second.status)) {
    story_.violate("order " + std::to_string(brief(id)) + " is live, and its units returned");
  }
  figures.relayed += row->second.status != OrderStatus::rejected;
}

void Ledger::refused(const LateRefusal& refusal) {
  const auto& message = refusal.order.message;
  const auto what = "late order " + std::to_string(brief(message.id));
  story_.note(kWorld, "late order {} ends without units: {}", brief(message.id),
              static_cast<std::int64_t>(refusal.reason));
  // A unit that came back since the leader asked is the next buyer's.
  const bool came_back = scheduler_.now() < returned_at_[message.lane] + kOldNews;
  const bool sold_out = redis_.at(message.lane).stock < message.quantity || came_back;
  if (refusal.reason == RejectReason::stock && !sold_out) {
    story_.violate(what + " was refused though units were left");
  }
  const auto live = store_.find_live(message.lane.sale, message.user).value();
  if (refusal.reason == RejectReason::duplicate && (!live || live->id == message.id)) {
    story_.violate(what + " was refused for another order, and there is none");
  }
  if (refusal.reason == RejectReason::fenced && logged_.contains(message.id)) {
    story_.violate(what + " was given up, and stands in the log");
  }
}

void Ledger::granted(LaneId lane, Epoch epoch, const Attempt& attempt) {
  ++figures.grants;
  const bool late = attempt.id.epoch() < epoch;
  figures.adopted += late;
  const bool again = held_.contains({lane, epoch, attempt.id});
  figures.ghosts += network_.repeats() && !again;
  granted_at_.try_emplace(attempt.id, scheduler_.now());
  ++held_[{lane, epoch, attempt.id}];
  story_.note(kWorld, "redis grants {} of lane {} under epoch {}: {}", attempt.quantity,
              number(lane), epoch, brief(attempt.id));
  // Its window was looked at when it was granted for the first time.
  if (late) return;
  const auto& terms = store_.sales().at(lane.sale).terms;
  const auto now = wall_time(scheduler_);
  if (now < terms.starts_at || now >= terms.ends_at) {
    story_.violate(text(lane) + ": a grant outside the sale's window");
  }
  // What is granted below the fence will never be an order: a Redis that was away comes back.
  if (attempt.id.epoch() < store_.lanes().at(lane).head.fence) return;
  const auto enforced = enforced_.find(lane.sale);
  // Another operator's older command may have taken effect after this one's.
  const bool undone = store_.sales().at(lane.sale).state == SaleState::open;
  if (enforced != enforced_.end() && enforced->second != SaleState::open && !undone) {
    story_.violate(text(lane) + ": a grant after an operator was told that the sale is " +
                   std::string(name(enforced->second)));
  }
}

void Ledger::opened(LaneId lane, Epoch epoch) {
  ++figures.openings;
  story_.note(kWorld, "redis opens lane {} under epoch {} with {} units", number(lane), epoch,
              redis_.at(lane).stock);
  auto& before = opened_[lane];
  if (epoch <= before) {
    story_.violate(text(lane) + ": epoch " + std::to_string(epoch) + " was opened though epoch " +
                   std::to_string(before) + " had been");
  }
  before = epoch;
  for (const auto& record : redis_.at(lane).records) {
    ++held_[{lane, epoch, record.id()}];
  }
}

void Ledger::appended(const Log::Record& record) {
  if (const auto* fence = std::get_if<Fence>(&record)) {
    auto& highest = fence_logged_[fence->lane];
    highest = std::max(highest, fence->epoch);
    story_.note(kWorld, "the log has fence {} of lane {}", fence->epoch, number(fence->lane));
    return;
  }
  const auto* message = std::get_if<OrderMessage>(&record);
  if (message == nullptr) return;
  const bool in_time = message->epoch >= fence_logged_[message->lane];
  logged_.insert(message->id);
  if (in_time) logged_in_time_.insert(message->id);
  if (!in_time) ++figures.late;
  story_.note(kWorld,
              in_time ? "the log has order {} of lane {}" : "too late, the log has {} of {}",
              brief(message->id), number(message->lane));
}

std::uint64_t Ledger::asked(SaleId sale) {
  // Until he is told, nothing is promised.
  enforced_.erase(sale);
  return ++last_asked_;
}

void Ledger::enforced(SaleId sale, SaleState state, std::uint64_t ticket) {
  if (ticket == last_asked_) enforced_[sale] = state;
}

std::string Ledger::judge(const OrderId& id, LaneId lane, OrderStatus status,
                          RejectReason reason) const {
  const auto what = "order " + std::to_string(brief(id));
  const auto row = store_.rows().find(id);
  if (row != store_.rows().end()) {
    const bool same = row->second.status == status && row->second.reason == reason;
    if (!same) return what + ": its owner was not told what its row says";
    // It was late, and the store, which sold by then, had no unit or another order of its user.
    if (row->second.message.epoch > id.epoch() && store_sold_.contains(lane)) return "";
  } else {
    const auto late = store_.late().find(id);
    const bool same = late != store_.late().end() && status == OrderStatus::rejected &&
                      late->second.reason == reason;
    if (!same) return what + ": its owner was told of an outcome that no row has";
    // Whether it had to be refused was looked at when it was.
    if (reason != RejectReason::fenced) return "";
  }
  if (status != OrderStatus::rejected) return "";
  if (reason != RejectReason::fenced && drifted_.contains({lane, id.epoch()})) return "";
  if (forced_.contains(lane.sale)) return "";
  if (reason != RejectReason::fenced) {
    return what + " was acknowledged and then rejected: " + std::string(name(reason));
  }
  // Whoever took the lane from Redis could not ask it what it held.
  if (store_sold_.contains(lane)) return "";
  if (!redis_trouble_) return what + " was fenced though Redis had it all the time";
  return "";
}

bool Ledger::may_live(const OrderId& id, LaneId lane) const {
  if (forgotten_.contains(id)) return false;
  const auto row = store_.rows().find(id);
  if (row != store_.rows().end()) return is_live(row->second.status);
  const auto late = store_.late().find(id);
  if (late != store_.late().end() && late->second.reason != RejectReason::none) return false;
  if (late != store_.late().end() && !late->second.order.missing()) return true;
  return id.epoch() >= store_.lanes().at(lane).head.fence;
}

std::string Ledger::unmovable(const OrderId& id, LaneId lane, Move move) const {
  if (!must_be_paid(store_.sales().at(lane.sale).terms)) return "it need not be paid";
  const auto row = store_.rows().find(id);
  if (row == store_.rows().end()) {
    const auto late = store_.late().find(id);
    const bool over = late != store_.late().end() && late->second.reason != RejectReason::none;
    return over ? "it is over" : "";
  }
  const auto status = row->second.status;
  if (status == OrderStatus::confirmed || status == after(move)) return "";
  return "it is " + std::string(name(status));
}

std::string Ledger::unrest() const {
  for (const auto& [id, row] : store_.rows()) {
    if (row.status != OrderStatus::confirmed || !row.pay_by) continue;
    return "order " + std::to_string(brief(id)) + " is neither paid nor over";
  }
  for (const auto& [id, late] : store_.late()) {
    if (late.reason != RejectReason::none) continue;
    return "late order " + std::to_string(brief(id)) + " is undecided";
  }
  for (const auto& [id, lane] : store_.lanes()) {
    if (store_.returning_units(id) != 0) return text(id) + ": units are on their way to Redis";
    const auto& sale = store_.sales().at(id.sale);
    // Nobody keeps the lanes of a closed sale any more.
    if (sale.state == SaleState::draft || sale.state == SaleState::closed) continue;
    const auto where = text(id) + ": ";
    const auto view = redis_.at(id).view();
    if (lane.head.authority() != Authority::inventory) return where + "the store still sells it";
    if (lane.head.newest > lane.head.fence) return where + "a fence is on its way";
    if (!view.ready || view.epoch != lane.head.fence) return where + "it is not ready";
    if (lane.head.suspected()) return where + "a rebuild is asked for";
    if (view.window != window_of(sale)) return where + "its window is not the sale's";
    if (view.pending != 0) return where + "reservations are undecided";
    if (view.stock != lane.stock) {
      return where + "Redis has " + std::to_string(view.stock) + " units, the store " +
             std::to_string(lane.stock);
    }
  }
  return "";
}

bool Ledger::sold_out(LaneId lane) const {
  const auto drift = drifts_.find(lane);
  if (drift != drifts_.end()) {
    const auto over = drift->second.over;
    if (!over || scheduler_.now() < *over + kOldNews) return true;
  }
  if (store_.lanes().at(lane).stock != 0) return false;
  return std::ranges::none_of(store_.rows(), [&](const auto& entry) {
    const auto& row = entry.second;
    return row.message.lane == lane && row.status == OrderStatus::confirmed && row.pay_by;
  });
}

}  // namespace sluice::simulation
