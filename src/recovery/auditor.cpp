#include "sluice/recovery/auditor.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

bool same(const LaneView& a, const LaneView& b) {
  return a.ready && b.ready && a.epoch == b.epoch && a.version == b.version && a.stock == b.stock &&
         a.pending == b.pending && a.held == b.held;
}

/// A reservation moves units from `stock` to `held`, the store's commit takes them from its stock,
/// and settling lets go of them: between the two last steps they are held and not in the store.
/// Those that return are in the store's stock and in the outbox first, then in the inventory, and
/// then no more in the outbox. At every instant the bounds hold, so one snapshot of the store
/// within a time in which the inventory did not change is enough.
std::int64_t drift_of(const LaneFigures& truth, const LaneView& projection) {
  if (projection.stock > truth.stock && !mutant("audit.surplus_unseen")) {
    return projection.stock - truth.stock;
  }
  const auto returning = mutant("audit.returning_unseen") ? 0 : truth.returning;
  return std::min<std::int64_t>(0, projection.stock + projection.held + returning - truth.stock);
}

}  // namespace

Auditor::Auditor(Millis call_timeout, Millis store_timeout, Ports ports)
    : call_timeout_(call_timeout),
      store_timeout_(store_timeout),
      ports_(ports),
      drift_units_(ports.metrics.gauge(
          "sluice_drift_units", "Units by which inventories differ from the store, all lanes.")),
      unconserved_lanes_(
          ports.metrics.gauge("sluice_unconserved_lanes",
                              "Lanes whose stock and orders are not what they began with.")),
      audits_(ports.metrics.counter("sluice_audits_total", "Audits of one sale.")) {}

Task<SaleAudit> Auditor::audit(SaleId sale, std::uint32_t lanes, bool inventory_up) {
  std::vector<std::optional<LaneView>> before(lanes);
  auto after = before;
  if (inventory_up) before = co_await views(sale, lanes);
  const auto began = ports_.clock.ticks();
  const auto truth = co_await ports_.store.audit(began + store_timeout_, sale);
  store_time_ = ports_.clock.ticks() - began;
  if (!truth) co_return truth.error();
  if (truth->size() != lanes) co_return Errc::not_found;
  // Between two equal looks nothing moved, so the three figures belong together.
  if (inventory_up) after = co_await views(sale, lanes);

  SaleAudit audit;
  audit.sale = sale;
  for (std::size_t i = 0; i < lanes; ++i) {
    LaneAudit lane;
    lane.figures = (*truth)[i];
    const LaneState state{lane.figures.head, after[i].value_or(LaneView{})};
    lane.stage = state.stage();
    if (state.head.authority() == Authority::inventory) lane.inventory = after[i];
    const bool still = lane.inventory && before[i] && same(*before[i], *lane.inventory);
    if (still && state.sells()) lane.drift = drift_of(lane.figures, *lane.inventory);
    audit.lanes.push_back(std::move(lane));
  }
  co_return audit;
}

boost::asio::awaitable<std::vector<std::optional<LaneView>>> Auditor::views(SaleId sale,
                                                                            std::uint32_t lanes) {
  std::vector<std::optional<LaneView>> views(lanes);
  for (std::uint32_t index = 0; index < lanes; ++index) {
    const Call any_epoch{{sale, index}, 0, deadline()};
    const auto view = co_await ports_.inventory.view(any_epoch);
    // An inventory that is away would cost a timeout for every lane.
    if (!view) break;
    views[index] = *view;
  }
  co_return views;
}

Task<Auditor::Look> Auditor::check(SaleId sale, std::uint32_t lanes, bool inventory_up) {
  const auto audit = co_await this->audit(sale, lanes, inventory_up);
  if (!audit) co_return audit.error();
  audits_.Increment();
  auto look = Look::enough;
  for (const auto& lane : audit->lanes) {
    const auto judged = co_await judge(lane);
    if (!judged) co_return judged;
    if (*judged == Look::again) look = Look::again;
  }
  show();
  co_return look;
}

void Auditor::show() {
  double units = 0;
  for (const auto& [lane, drift] : drifts_) units += static_cast<double>(std::abs(drift));
  drift_units_.Set(units);
  unconserved_lanes_.Set(static_cast<double>(unconserved_.size()));
}

Task<Auditor::Look> Auditor::judge(const LaneAudit& lane) {
  const auto& truth = lane.figures;
  const auto id = truth.lane;
  if (truth.conserved()) {
    unconserved_.erase(id);
  } else if (unconserved_.insert(id).second) {
    log().critical(
        "audit: sale {} lane {} began with {} units but has {} left and {} in {} live orders: "
        "the rows were changed past this program",
        id.sale, id.index, truth.initial, truth.stock, truth.live_units, truth.live_orders);
  }

  if (!lane.drift) co_return Look::enough;
  if (*lane.drift == 0) {
    drifts_.erase(id);
    co_return Look::enough;
  }
  const bool again = drifts_.contains(id);
  drifts_[id] = *lane.drift;
  log().critical(
      "audit: sale {} lane {} drifts by {} units under epoch {}: the inventory has {} and {} held "
      "by {} undecided orders, the store {} of which {} are on their way back",
      id.sale, id.index, *lane.drift, lane.inventory->epoch, lane.inventory->stock,
      lane.inventory->held, lane.inventory->pending, truth.stock, truth.returning);
  // A look may come in the middle of a settlement; two in a row do not.
  if (!again) co_return Look::again;
  if (mutant("audit.no_rebuild")) co_return Look::enough;
  const auto asked = co_await ports_.store.suspect(deadline(), id);
  if (!asked) co_return asked.error();
  co_return Look::enough;
}

}  // namespace sluice
