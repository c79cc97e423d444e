#include "sluice/recovery/lane_reconciler.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice {
namespace {

// More reservations than the concurrency limits of all nodes together can leave undecided.
constexpr std::size_t kPendingMax = 1'000'000;

constexpr std::size_t kApplyMax = 1000;

// A copy that no round goes on with is given up: its lane is another node's, or in no round.
constexpr Millis kCopyIdleMax{30'000};

}  // namespace

std::string_view name(LaneStage stage) noexcept {
  constexpr std::string_view kNames[] = {"ready", "asked", "fencing", "opening"};
  return kNames[static_cast<std::size_t>(stage)];
}

LaneStage LaneState::stage() const {
  if (head.newest > head.fence) return LaneStage::fencing;
  if (!sells()) return LaneStage::opening;
  const bool asked = head.authority() == Authority::inventory && head.suspected() &&
                     !mutant("rebuild.suspicion_ignored");
  return asked ? LaneStage::asked : LaneStage::ready;
}

LaneReconciler::LaneReconciler(RecoverySettings settings, Ports ports)
    : settings_(settings),
      ports_(ports),
      rebuilds_(ports.metrics.counter("sluice_lane_rebuilds_total",
                                      "Lanes that were given a new epoch and opened under it.")),
      failures_(ports.metrics.counter("sluice_lane_rebuild_failures_total",
                                      "Images that could not be copied or opened.")),
      copying_(ports.metrics.gauge("sluice_lane_copies",
                                   "Lanes whose images this node copies into the inventory now.")),
      staged_units_(ports.metrics.gauge("sluice_lane_copies_staged_units",
                                        "Units of live orders of these lanes that are copied.")),
      units_(ports.metrics.gauge("sluice_lane_copies_units",
                                 "Units of all live orders of these lanes.")),
      recovered_(ports.metrics.counter("sluice_recovered_reservations_total",
                                       "Overdue reservations that recovery decided.")) {}

Task<LaneState> LaneReconciler::look(LaneId lane, bool inventory_up) {
  const auto head = co_await ports_.store.head(deadline(), lane);
  if (!head) co_return head.error();
  co_return co_await look(lane, *head, inventory_up);
}

Task<LaneState> LaneReconciler::look(LaneId lane, LaneHead head, bool inventory_up) {
  LaneState state{head, {}};
  if (inventory_up) {
    const Call any_epoch{lane, 0, deadline()};
    const auto view = co_await ports_.inventory.view(any_epoch);
    // Where the store sells, the inventory need not answer.
    if (!view && head.authority() == Authority::inventory) co_return view.error();
    if (view) state.view = *view;
  }
  co_return state;
}

Task<LaneState> LaneReconciler::keep(LaneId lane, LaneWindow window, Duty duty) {
  auto state = co_await look(lane, duty.inventory_up);
  if (!state) co_return state;
  // A copy goes on in the rounds, whoever else asks for the lane meanwhile.
  if (duty.term && !at_work_.contains(lane) && !right(*state, duty)) {
    const auto rebuilt = co_await rebuild(lane, *state, duty);
    if (!rebuilt) co_return rebuilt.error();
    state = co_await look(lane, duty.inventory_up);
    if (!state) co_return state;
  }
  if (duty.term && state->head.authority() == Authority::store && state->view.ready &&
      !mutant("database.old_lane_open")) {
    // An inventory that came back with its old data would grant units that the fence refuses.
    const Call old{lane, state->head.fence - 1, deadline()};
    const auto closed = co_await ports_.inventory.close(old);
    if (!closed) co_return closed.error();
  }
  if (!state->sells()) co_return Errc::not_ready;

  auto& view = state->view;
  if (state->head.authority() == Authority::inventory && view.window != window &&
      !mutant("window.not_carried")) {
    const Call call{lane, view.epoch, deadline()};
    const auto set = co_await ports_.inventory.set_window(call, window);
    if (!set) co_return set.error();
    view.window = window;
  }
  co_return state;
}

bool LaneReconciler::due(const LaneState& state, LaneWindow window, const Duty& duty) const {
  if (duty.term && !right(state, duty)) return true;
  if (state.head.authority() == Authority::store) return duty.term && state.view.ready;
  return state.sells() && state.view.window != window;
}

bool LaneReconciler::right(const LaneState& state, const Duty& duty) const {
  // Nobody can open the lane in an inventory that does not answer.
  if (duty.authority == Authority::inventory && !duty.inventory_up) return true;
  const bool may_wait = state.sells() && state.head.authority() == Authority::inventory;
  if (may_wait && !duty.queue_up) return true;
  return state.stage() == LaneStage::ready &&
         (state.head.authority() == duty.authority || mutant("database.never_left"));
}

Task<> LaneReconciler::rebuild(LaneId lane, LaneState state, Duty duty) {
  const auto pause = pauses_.find(lane);
  if (pause != pauses_.end() && duty.authority == Authority::inventory &&
      ports_.clock.ticks() < pause->second.until) {
    co_return Errc::not_ready;
  }
  const auto mine = openings_.find(lane);
  const bool resumable = mine != openings_.end() && mine->second.epoch == state.head.newest &&
                         mine->second.authority == duty.authority;
  if (!resumable) {
    const auto allotted = co_await allot(lane, state, duty);
    if (!allotted) co_return allotted;
  }
  if (state.head.fence < openings_[lane].epoch) {
    if (duty.inventory_up && !openings_[lane].emptied && !mutant("rebuild.not_emptied")) {
      const auto emptied = co_await empty_the_old(lane);
      if (!emptied) co_return emptied;
      openings_[lane].emptied = true;
    }
    const auto fenced = co_await fence(lane, state.head, *duty.term);
    if (!fenced) co_return fenced;
  }
  co_return co_await open(lane, *duty.term);
}

Task<> LaneReconciler::allot(LaneId lane, const LaneState& state, Duty duty) {
  const auto authority = duty.authority;
  // One that another leader was allotted and did not begin to open is handed over.
  const auto leader = mutant("rebuild.always_anew") ? std::nullopt : duty.term;
  const auto epoch = co_await ports_.store.next_epoch(deadline(), lane, authority, leader);
  if (!epoch) co_return epoch.error();
  openings_[lane] = {*epoch, authority};
  if (state.head.fence > 0) {
    log().warn("sale {} lane {}: {} under epoch {}; epoch {} is to be sold by {}", lane.sale,
               lane.index, name(state.stage()), state.head.fence, *epoch,
               authority == Authority::store ? "the store" : "the inventory");
  }
  co_return boost::system::in_place_value;
}

Task<> LaneReconciler::empty_the_old(LaneId lane) {
  // Closed also where nothing is ready: an opening under an earlier epoch may still arrive.
  const Epoch last = mutant("rebuild.not_closed") ? 0 : openings_[lane].epoch - 1;
  const Call earlier{lane, last, deadline()};
  const auto closed = co_await ports_.inventory.close(earlier);
  if (!closed) co_return closed;
  // Buyers were promised what the old projection still holds: decide it before the fence rises.
  const auto decided =
      co_await decide(lane, Millis{0}, mutant("rebuild.pending_left") ? 0 : kPendingMax);
  if (!decided) co_return decided.error();
  co_return boost::system::in_place_value;
}

Task<> LaneReconciler::fence(LaneId lane, const LaneHead& head, Term leader) {
  auto& opening = openings_[lane];
  const Fence fence{lane, opening.epoch};
  const auto now = ports_.clock.ticks();
  if (head.fence == 0 || head.authority() == Authority::store || mutant("fence.past_the_log")) {
    // A lane that the store sold, or that was never opened, has no orders in the log.
    const auto seen = mutant("fence.over_anothers") ? std::nullopt : std::optional(head.fence);
    const auto raised = co_await ports_.store.raise_fence(deadline(), fence, seen, leader);
    if (!raised) co_return raised;
  } else if (!opening.fenced || now - *opening.fenced >= settings_.fence_again) {
    const auto sent = co_await ports_.queue.fence(deadline(), fence);
    if (!sent && sent.error() != Errc::unknown) co_return sent;
    openings_[lane].fenced = now;
  }
  const auto after = co_await ports_.store.head(deadline(), lane);
  if (!after) co_return after.error();
  if (after->fence < fence.epoch) co_return Errc::not_ready;
  co_return boost::system::in_place_value;
}

Task<> LaneReconciler::open(LaneId lane, Term leader) {
  const auto opening = openings_[lane];
  if (opening.authority == Authority::inventory) {
    at_work_.insert(lane);
    const auto copied = co_await copy(lane, leader);
    at_work_.erase(lane);
    if (!copied) co_return copied;
    // Removed first, so that no other call on this node goes on with it meanwhile.
    openings_.erase(lane);
    const auto image = std::move(copies_[lane]);
    copies_.erase(lane);
    show_copies();
    const auto rebuilt = co_await image->open(ports_.inventory);
    if (!rebuilt) {
      failed(lane);
      // What is staged is of no more use; if the opening is only late, it finds nothing.
      co_await image->undo(ports_.inventory);
      // The epoch may be opened again only if this opening surely was not done.
      if (rebuilt.error() == Errc::unavailable || mutant("rebuild.opens_twice")) {
        openings_.try_emplace(lane, opening).first->second.begun = true;
      }
      co_return rebuilt;
    }
    pauses_.erase(lane);
    log().info("sale {} lane {}: open under epoch {} with {} units and {} orders", lane.sale,
               lane.index, image->lane().epoch, image->lane().stock, image->orders());
  } else {
    openings_.erase(lane);
    co_await drop_copy(lane);
    log().warn("sale {} lane {}: the store sells under epoch {}", lane.sale, lane.index,
               opening.epoch);
  }
  rebuilds_.Increment();
  co_return boost::system::in_place_value;
}

/// Copies for a part of the round's time; `Errc::not_ready` while pages are left for the next one.
Task<> LaneReconciler::copy(LaneId lane, Term leader) {
  const auto begun = co_await begin_copy(lane, leader);
  if (!begun) co_return begun;
  auto& copy = *copies_.at(lane);
  const auto share = settings_.tick / static_cast<Millis::rep>(copies_.size());
  const auto copied = co_await copy.go_on(ports_.inventory, ports_.clock.ticks() + share);
  show_copies();
  if (copied && !copy.all_staged() && !mutant("rebuild.opens_half")) co_return Errc::not_ready;
  if (copied) co_return copied;
  log().warn("sale {} lane {}: no image: {}", lane.sale, lane.index, copied.error().message());
  failed(lane);
  co_await drop_copy(lane);
  co_return copied;
}

/// Takes an image and the right to open the lane with it, unless one of this epoch is on its way.
Task<> LaneReconciler::begin_copy(LaneId lane, Term leader) {
  const auto opening = openings_[lane];
  const auto epoch = opening.epoch;
  const auto present = copies_.find(lane);
  if (present != copies_.end() && present->second->lane().epoch == epoch) {
    co_return boost::system::in_place_value;
  }
  copies_.erase(lane);
  auto image = co_await ports_.store.image(deadline(), lane);
  if (!image) {
    failed(lane);
    co_return image.error();
  }
  // Another node has raised a newer fence: the next round looks at the lane again.
  if (image->lane.epoch != epoch && !mutant("rebuild.opens_anothers")) {
    openings_.erase(lane);
    co_return Errc::not_ready;
  }
  // A small one is done at once and need not wait for its turn.
  const bool large = image->lane.sold > static_cast<std::int64_t>(kImagePageMax);
  if (large && copies_.size() + beginning_ >= settings_.rebuilds_max) {
    pauses_[lane].until = ports_.clock.ticks() + settings_.tick;
    co_return Errc::not_ready;
  }
  // From here this node alone stages under the epoch.
  if (!opening.begun && !mutant("rebuild.not_begun")) {
    const Fence fence{lane, image->lane.epoch};
    beginning_ += large ? 1 : 0;
    const auto begun = co_await ports_.store.begin_opening(deadline(), fence, leader);
    beginning_ -= large ? 1 : 0;
    if (!begun) {
      openings_.erase(lane);
      co_return begun;
    }
  }
  openings_[lane].begun = true;
  copies_[lane] =
      std::make_unique<LaneCopy>(*std::move(image), settings_.call_timeout, ports_.clock);
  co_return boost::system::in_place_value;
}

/// Lets the store's snapshot go, and what is staged. If the inventory does not answer, the next
/// rebuild of the lane replaces it.
Task<> LaneReconciler::drop_copy(LaneId lane) {
  const auto found = copies_.find(lane);
  if (found == copies_.end()) co_return boost::system::in_place_value;
  const auto copy = std::move(found->second);
  copies_.erase(found);
  show_copies();
  co_return co_await copy->undo(ports_.inventory);
}

Task<> LaneReconciler::drop_copies(const Duty& duty) {
  const auto since = ports_.clock.ticks() - kCopyIdleMax;
  std::vector<LaneId> idle;
  for (const auto& [lane, copy] : copies_) {
    const bool left = !duty.term || copy->last_page() < since;
    if (left && !at_work_.contains(lane)) idle.push_back(lane);
  }
  for (const auto lane : idle) co_await drop_copy(lane);
  co_return boost::system::in_place_value;
}

/// The first time the next round tries again, after that later and later.
void LaneReconciler::failed(LaneId lane) {
  failures_.Increment();
  auto& pause = pauses_[lane];
  pause.until = ports_.clock.ticks() + pause.length;
  pause.length =
      std::max(settings_.busy_tick, std::min(pause.length * 2, settings_.rebuild_retry_max));
}

std::optional<CopyProgress> LaneReconciler::copying(LaneId lane) const {
  const auto copy = copies_.find(lane);
  if (copy == copies_.end()) return std::nullopt;
  return copy->second->progress();
}

void LaneReconciler::show_copies() {
  CopyProgress all;
  for (const auto& [lane, copy] : copies_) {
    all.staged_units += copy->progress().staged_units;
    all.units += copy->progress().units;
  }
  copying_.Set(static_cast<double>(copies_.size()));
  staged_units_.Set(static_cast<double>(all.staged_units));
  units_.Set(static_cast<double>(all.units));
}

Task<std::size_t> LaneReconciler::decide_overdue(LaneId lane, std::optional<TimePoint> through,
                                                 bool queue_up) {
  // Deciding an order that the log still brings is harmless, and its buyer waits.
  const auto age = queue_up ? overdue_age(through) : settings_.overdue_age;
  co_return co_await decide(lane, age, settings_.overdue_max);
}

Task<std::size_t> LaneReconciler::decide(LaneId lane, Millis age, std::size_t max) {
  const Call call{lane, 0, deadline()};
  const auto overdue = co_await ports_.inventory.overdue(call, age, max);
  if (!overdue) co_return overdue.error();

  for (std::size_t begin = 0; begin < overdue->size(); begin += kApplyMax) {
    std::vector<OrderMessage> messages;
    const auto end = std::min(begin + kApplyMax, overdue->size());
    for (auto i = begin; i < end; ++i) messages.push_back((*overdue)[i]);
    const auto decided = co_await decide_now(messages);
    if (!decided) co_return decided.error();
    recovered_.Increment(static_cast<double>(messages.size()));
  }
  if (!overdue->empty()) {
    log().info("sale {} lane {}: decided {} reservations", lane.sale, lane.index, overdue->size());
  }
  co_return overdue->size();
}

Task<std::vector<Outcome>> LaneReconciler::decide_now(const std::vector<OrderMessage>& messages) {
  const auto outcomes = co_await ports_.store.apply(deadline(), messages, std::nullopt);
  if (!outcomes) co_return outcomes.error();
  const auto settled = co_await settle(ports_.inventory, deadline(), messages, *outcomes);
  if (!settled) {
    log().warn("of {} orders some are left for recovery to settle: {}", messages.size(),
               settled.error().message());
  }
  co_await announce(ports_.results, deadline(), *outcomes);
  co_return outcomes;
}

Millis LaneReconciler::overdue_age(std::optional<TimePoint> through) const {
  // Without a log nothing is on its way.
  if (ports_.queue.decides()) return settings_.overdue_age;
  // While a partition was never read, it is not known which orders are on their way.
  if (!through) return settings_.overdue_age_max;
  const auto behind = ports_.clock.now() - *through + kClockSkew;
  return std::clamp(behind, settings_.overdue_age, settings_.overdue_age_max);
}

}  // namespace sluice
