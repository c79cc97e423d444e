#include "sluice/recovery/control.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

using Role = ServiceProbe::Role;

constexpr auto kLease = "recovery";
constexpr Millis kLookAgain{100};  // Between two looks at whether to go on.

}  // namespace

Control::Control(RecoverySettings settings, std::string node, std::vector<ServiceProbe> probes,
                 Ports ports)
    : settings_(settings),
      node_(std::move(node)),
      services_(std::move(probes), settings_.ping_timeout, ports.clock),
      ports_(ports),
      audits_(settings.audit_every),
      authority_(settings.database_after, settings.restore_after) {}

asio::awaitable<void> Control::run() {
  while (!stopped_) {
    const auto began = ports_.clock.ticks();
    co_await round();
    // It sleeps in short pieces, so that `stop` and `hurry` take effect soon.
    while (!stopped_ && ports_.clock.ticks() < began + pause()) {
      const auto nap = std::min(began + pause(), ports_.clock.ticks() + kLookAgain);
      co_await ports_.clock.sleep_until(nap);
    }
  }
  if (leading_) co_await ports_.control.release(deadline(), kLease, node_);
}

asio::awaitable<void> Control::round() {
  auto checks = co_await services_.ask_all();
  busy_ = services_.down() > 0;
  if (!began_) began_ = ports_.clock.ticks();
  if (!services_.up(Role::queue)) {
    ports_.flow.queue_failed();
  } else if (starting()) {
    // What failed until now was only the beginning of its client.
    ports_.flow.queue_started();
  }
  authority_.seen(ports_.clock.ticks(), services_.up(Role::inventory));
  if (services_.up(Role::store)) {
    auto sales = co_await look_after_sales();
    checks.push_back(std::move(sales));
    if (leading_) co_await look_after_returns();
  } else {
    // A node that cannot reach the store cannot renew its lease there.
    leading_ = false;
    checks.push_back({"sales", "they are as they were when the store answered last", false});
  }
  co_await ports_.flow.update(held_, services_.up(Role::store), store_lanes_, fences_);
  if (leading_) co_await audit_one();
  publish(std::move(checks));
}

asio::awaitable<ReadyCheck> Control::look_after_sales() {
  ReadyCheck sales{"sales", "", false};
  auto loaded = co_await refresh_sales();
  if (loaded) loaded = co_await read_requests();
  if (!loaded) sales.problem = "the sales cannot be loaded: " + loaded.error().message();
  leading_ = co_await lead();

  some_sell_ = false;
  const auto kept = kept_sales();
  for (const auto& sale : kept) {
    const auto done = co_await keep_sale(sale);
    some_sell_ |= done.has_value();
    if (done) continue;
    busy_ = true;
    if (!sales.problem.empty()) continue;
    sales.problem =
        "sale " + std::to_string(sale.id) + " is not sellable: " + done.error().message();
  }
  co_return sales;
}

std::vector<Sale> Control::kept_sales() const {
  std::vector<Sale> kept;
  for (const auto& [id, sale] : sales_) {
    if (sale.state != SaleState::draft && !finished_.contains(id)) kept.push_back(sale);
  }
  // After a loss of the inventory those with buyers are rebuilt first.
  const auto now = ports_.clock.now();
  std::ranges::sort(kept, std::greater{}, [now](const Sale& sale) {
    return std::pair(phase(sale, now) == WindowPhase::open, sale.id);
  });
  return kept;
}

asio::awaitable<void> Control::look_after_returns() {
  const auto enough = ports_.clock.ticks() + settings_.tick;
  for (;;) {
    const auto expired = co_await ports_.returns.expire();
    if (!expired) {
      log().warn("unpaid orders expire in a later round: {}", expired.error().message());
    }
    if (!expired || *expired == 0) break;
    if (ports_.clock.ticks() < enough) continue;
    busy_ = true;
    break;
  }
  const auto waiting = co_await ports_.returns.relay(services_.up(Role::inventory));
  if (!waiting) {
    log().warn("returned units are relayed in a later round: {}", waiting.error().message());
    co_return;
  }
  for (const auto lane : *waiting) {
    if (!sales_.contains(lane.sale)) continue;
    // The inventory of its lanes may have to be rebuilt before it can take the units.
    finished_.erase(lane.sale);
    busy_ = true;
  }
}

Task<> Control::refresh_sales() {
  const auto sales = co_await ports_.sales.list(deadline(), settings_.sales_max);
  if (!sales) co_return sales.error();
  sales_.clear();
  auto snapshot = std::make_shared<SaleSnapshot>();
  snapshot->loaded = true;
  for (const auto& sale : *sales) {
    sales_.emplace(sale.id, sale);
    if (sale.state != SaleState::draft) snapshot->sales.emplace(sale.id, sale);
  }
  ports_.book.publish(std::move(snapshot));
  forget_unlisted();
  co_return boost::system::in_place_value;
}

void Control::forget_unlisted() {
  const auto unlisted = [this](SaleId sale) { return !sales_.contains(sale); };
  std::erase_if(fences_, [&](const auto& lane) { return unlisted(lane.first.sale); });
  std::erase_if(store_lanes_, [&](LaneId lane) { return unlisted(lane.sale); });
  audits_.forget_if(unlisted);
  std::erase_if(finished_, unlisted);
}

Task<> Control::read_requests() {
  const auto wish = co_await ports_.control.requested(deadline(), kModeRequest);
  if (!wish) co_return wish.error();
  const auto held = parse_name<OperatingMode>(*wish);
  if (held != held_) {
    log().warn("an operator holds the mode: {}", held ? name(*held) : "automatic again");
  }
  held_ = held;
  co_return boost::system::in_place_value;
}

Task<> Control::follow_mode_request() {
  const auto read = co_await read_requests();
  if (!read) co_return read.error();
  co_await ports_.flow.update(held_, services_.up(Role::store), store_lanes_, fences_);
  co_return boost::system::in_place_value;
}

asio::awaitable<bool> Control::lead() {
  const auto lease = co_await ports_.control.acquire(deadline(), kLease, node_, settings_.lease);
  const bool held = lease && lease->held;
  if (held && !leading_) log().info("this node leads (term {})", lease->term);
  if (!held && leading_) log().info("this node does not lead any more");
  co_return held;
}

Task<> Control::keep_now(const Sale& sale) {
  finished_.erase(sale.id);
  leading_ = co_await lead();
  co_return co_await keep_sale(sale);
}

Task<> Control::keep_sale(const Sale& sale) {
  bool settled = true;
  boost::system::error_code problem;
  for (std::uint32_t index = 0; index < sale.terms.lanes; ++index) {
    const auto kept = co_await keep_lane({sale.id, index}, sale, settled);
    if (!kept && !problem) problem = kept.error();
  }
  if (problem) co_return problem;
  if (sale.state == SaleState::closed && settled) finished_.insert(sale.id);
  co_return boost::system::in_place_value;
}

Task<> Control::keep_lane(LaneId lane, const Sale& sale, bool& settled) {
  const auto state = co_await ports_.lanes.keep(lane, window_of(sale), duty());
  if (!state) {
    // Ask once whether the inventory still answers, so that not every lane waits for it.
    co_await services_.ask_again(Role::inventory);
    co_return state.error();
  }
  busy_ |= state->stage() != LaneStage::ready;
  fences_[lane] = state->head.fence;
  if (state->head.authority() == Authority::store) {
    busy_ = true;
    settled = false;
    store_lanes_.insert(lane);
    co_return boost::system::in_place_value;
  }
  store_lanes_.erase(lane);
  const bool pending = state->view.pending > 0;
  settled &= !pending;
  const bool decides = leading_ && pending && !mutant("recovery.overdue_left");
  // Overdue reservations are decided for at most one tick: other sales wait.
  const auto enough = ports_.clock.ticks() + settings_.tick;
  for (bool more = decides; more;) {
    const auto decided = co_await ports_.lanes.decide_overdue(lane, ports_.flow.applied_through(),
                                                              services_.up(Role::queue));
    if (!decided) co_return decided.error();
    more = *decided >= settings_.overdue_max && ports_.clock.ticks() < enough;
  }
  co_return boost::system::in_place_value;
}

LaneReconciler::Duty Control::duty() const {
  return {authority_.store_sells(held_) ? Authority::store : Authority::inventory,
          services_.up(Role::inventory), services_.up(Role::queue), leading_};
}

asio::awaitable<void> Control::audit_one() {
  const auto began = ports_.clock.ticks();
  for (const auto& [id, sale] : sales_) {
    if (sale.state == SaleState::draft || finished_.contains(id)) {
      audits_.forget(id);
    } else {
      audits_.add(id, began);
    }
  }
  const auto due = audits_.next(began);
  if (!due) co_return;
  const auto lanes = sales_.at(*due).terms.lanes;
  const auto checked = co_await ports_.auditor.check(*due, lanes, services_.up(Role::inventory));
  if (!checked) log().warn("sale {}: no audit: {}", *due, checked.error().message());
  // One that failed waited for a service, and cost nobody anything.
  const auto cost = checked ? ports_.clock.ticks() - began : Ticks::duration{0};
  audits_.audited(*due, ports_.clock.ticks(), cost, checked && *checked == Auditor::Look::again);
}

bool Control::starting() const {
  return !was_ready_ && ports_.clock.ticks() - *began_ < settings_.database_after;
}

void Control::tolerate(std::vector<ReadyCheck>& checks) const {
  // Where there are three services, two are enough to sell, once a sale was seen to sell. A lane
  // that is rebuilt meanwhile is sold by no node, so it does not make this one unready.
  const bool three = services_.has(Role::queue);
  const bool sold = was_ready_ || some_sell_ || checks.back().problem.empty();
  if (!sold || (!three && services_.down() > 0) || services_.down() > 1) return;
  if (services_.down() > 0 && starting()) return;
  for (auto& check : checks) check.tolerated = !check.problem.empty();
}

void Control::publish(std::vector<ReadyCheck> checks) {
  const auto before = ports_.readiness.get();
  tolerate(checks);
  auto state = std::make_shared<ReadyState>();
  state->draining = draining_;
  state->checks = std::move(checks);
  for (const auto& check : state->checks) {
    const auto old = std::ranges::find(before->checks, check.name, &ReadyCheck::name);
    const bool known = old != before->checks.end();
    const bool news = known ? old->problem != check.problem : !check.problem.empty();
    if (news && check.problem.empty()) log().info("{} answers again", check.name);
    if (news && !check.problem.empty()) log().error("{}: {}", check.name, check.problem);
  }
  was_ready_ |= state->ready();
  if (state->ready() && !before->ready()) log().info("ready");
  ports_.readiness.publish(std::move(state));
}

void Control::drain() {
  draining_ = true;
  publish(ports_.readiness.get()->checks);
}

}  // namespace sluice
