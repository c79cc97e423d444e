#include "sluice/recovery/lane_keeper.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "sluice/base/log.hpp"
#include "sluice/fulfilment/make_known.hpp"

namespace sluice {
namespace {

// Between the clocks of the log and of the inventory.
constexpr Millis kSkew{5000};

// More than every node's publish credits together can leave behind.
constexpr std::size_t kPendingMax = 1'000'000;

constexpr std::size_t kApplyMax = 1000;

}  // namespace

LaneKeeper::LaneKeeper(RecoverySettings settings, std::optional<OrderLog> log, Ports ports)
    : settings_(settings),
      log_(std::move(log)),
      ports_(ports),
      rebuilds_(ports.metrics.counter("sluice_lane_rebuilds_total",
                                      "Lanes whose projection was rebuilt from the store.")),
      recovered_(ports.metrics.counter("sluice_recovered_reservations_total",
                                       "Overdue reservations that recovery decided.")) {}

Task<LaneView> LaneKeeper::keep(LaneId lane, LaneWindow window, bool may_rebuild) {
  const Call any_epoch{lane, 0, deadline()};
  auto view = co_await ports_.inventory.view(any_epoch);
  if (!view) co_return view;
  const auto fence = co_await ports_.store.fence_epoch(deadline(), lane);
  if (!fence) co_return fence.error();

  // Behind the fence everything that the lane grants would be refused.
  if (!view->ready || view->epoch < *fence) {
    if (!may_rebuild) co_return Errc::not_ready;
    // A fresh lane has no past; one that was lost may have orders on their way.
    if (*fence > 0) {
      if (const auto passed = co_await pass_loss(lane); !passed) co_return passed.error();
    }
    if (const auto rebuilt = co_await rebuild(lane); !rebuilt) co_return rebuilt.error();
    view = co_await ports_.inventory.view(any_epoch);
    if (!view) co_return view;
    if (!view->ready) co_return Errc::not_ready;
  }
  lost_since_.erase(lane);
  if (view->window != window) {
    const Call call{lane, view->epoch, deadline()};
    if (const auto set = co_await ports_.inventory.set_window(call, window); !set) {
      co_return set.error();
    }
    view->window = window;
  }
  co_return view;
}

Task<> LaneKeeper::pass_loss(LaneId lane) {
  if (!log_) co_return boost::system::in_place_value;
  const auto since = lost_since_.try_emplace(lane, ports_.clock.now()).first->second;
  if (ports_.clock.now() - since < settings_.overdue_age_max) {
    const auto applied =
        co_await ports_.store.applied_through(deadline(), log_->topic, log_->partitions);
    if (!applied) co_return applied.error();
    if (!*applied || **applied < since) co_return Errc::not_ready;
  }
  co_return boost::system::in_place_value;
}

Task<> LaneKeeper::rebuild(LaneId lane) {
  // What a damaged projection still remembers was promised to somebody: decide it while it counts.
  const auto decided = co_await decide(lane, Millis{0}, kPendingMax);
  if (!decided) co_return decided.error();

  const auto image = co_await ports_.store.fence(deadline(), lane);
  if (!image) co_return image.error();
  const Call call{lane, image->epoch, deadline() + settings_.call_timeout};
  const auto rebuilt = co_await ports_.inventory.rebuild(call, *image);
  if (!rebuilt) co_return rebuilt;
  rebuilds_.Increment();
  log().info("sale {} lane {}: rebuilt under epoch {} with {} units and {} orders", lane.sale,
             lane.index, image->epoch, image->stock, image->winners.size());
  co_return boost::system::in_place_value;
}

Task<std::size_t> LaneKeeper::decide_overdue(LaneId lane) {
  const auto age = co_await overdue_age();
  if (!age) co_return age.error();
  co_return co_await decide(lane, *age, settings_.overdue_max);
}

Task<std::size_t> LaneKeeper::decide(LaneId lane, Millis age, std::size_t max) {
  const Call call{lane, 0, deadline()};
  const auto overdue = co_await ports_.inventory.overdue(call, age, max);
  if (!overdue) co_return overdue.error();

  for (std::size_t begin = 0; begin < overdue->size(); begin += kApplyMax) {
    std::vector<OrderMessage> messages;
    const auto end = std::min(begin + kApplyMax, overdue->size());
    for (auto i = begin; i < end; ++i) messages.push_back((*overdue)[i].message);
    const auto outcomes = co_await ports_.store.apply(deadline(), messages, std::nullopt);
    if (!outcomes) co_return outcomes.error();
    co_await make_known(ports_.inventory, ports_.results, deadline(), messages, *outcomes);
    recovered_.Increment(static_cast<double>(messages.size()));
  }
  if (!overdue->empty()) {
    log().info("sale {} lane {}: decided {} overdue reservations", lane.sale, lane.index,
               overdue->size());
  }
  co_return overdue->size();
}

Task<Millis> LaneKeeper::overdue_age() {
  if (!log_) co_return settings_.overdue_age;
  const auto applied =
      co_await ports_.store.applied_through(deadline(), log_->topic, log_->partitions);
  if (!applied) co_return applied.error();
  // A partition that nobody has read yet says nothing about what is on its way.
  if (!*applied) co_return settings_.overdue_age_max;
  const auto behind = ports_.clock.now() - **applied + kSkew;
  co_return std::clamp(behind, settings_.overdue_age, settings_.overdue_age_max);
}

}  // namespace sluice
