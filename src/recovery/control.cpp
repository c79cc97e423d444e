#include "sluice/recovery/control.hpp"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "sluice/base/at_once.hpp"
#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

using Role = ServiceProbe::Role;

constexpr Millis kLookAgain{100};  // Between two looks at whether to go on.

const Histogram::BucketBoundaries kRoundBounds{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10};

}  // namespace

Control::Control(RecoverySettings settings, std::vector<ServiceProbe> probes, Ports ports)
    : settings_(settings),
      services_(std::move(probes), settings_.ping_timeout, ports.clock),
      ports_(ports),
      sales_({settings_.sales_max, settings_.finished_sales_max, settings_.call_timeout},
             ports.sales, ports.book, ports.clock, ports.metrics),
      watch_(settings.lanes_looked_max),
      authority_(settings.database_after, settings.restore_after),
      epochs_left_(ports.metrics.gauge("sluice_epochs_left",
                                       "Epochs that the lane with the fewest can be given yet.")),
      round_seconds_(ports.metrics.histogram("sluice_round_seconds", "One round over all sales.",
                                             kRoundBounds)) {
  epochs_left_.Set(kEpochMax);
}

asio::awaitable<void> Control::run() {
  using namespace asio::experimental::awaitable_operators;
  auto lease = ports_.leadership.run();
  auto rounds = this->rounds();
  co_await (std::move(rounds) && std::move(lease));
}

asio::awaitable<void> Control::rounds() {
  while (!stopped_) {
    const auto began = ports_.clock.ticks();
    co_await round();
    const std::chrono::duration<double> took = ports_.clock.ticks() - began;
    round_seconds_.Observe(took.count());
    // It sleeps in short pieces, so that `stop` and `hurry` take effect soon.
    while (!stopped_ && ports_.clock.ticks() < began + pause()) {
      const auto nap = std::min(began + pause(), ports_.clock.ticks() + kLookAgain);
      co_await ports_.clock.sleep_until(nap);
    }
  }
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
  const bool inventory_up = services_.up(Role::inventory);
  authority_.seen(ports_.clock.ticks(), inventory_up);
  ports_.leadership.see_inventory(inventory_up);
  if (services_.up(Role::store)) {
    auto sales = co_await look_after_sales();
    checks.push_back(std::move(sales));
    if (leads()) co_await look_after_returns();
    if (leads()) co_await look_after_late_orders();
  } else {
    checks.push_back({"sales", "they are as they were when the store answered last", false});
  }
  co_await ports_.flow.update(held_, store_health(), store_lanes_, fences_);
  Audits::Lanes audited;
  for (const auto& [id, sale] : sales_.sales()) {
    if (keeps(sale)) audited.emplace(id, sale.terms.lanes);
  }
  ports_.audits.follow(std::move(audited), leads(), services_.up(Role::inventory));
  publish(std::move(checks));
}

asio::awaitable<ReadyCheck> Control::look_after_sales() {
  ReadyCheck sales{"sales", "", false};
  auto loaded = co_await refresh_sales();
  if (loaded) loaded = co_await read_requests();
  if (!loaded) sales.problem = "the sales cannot be loaded: " + loaded.error().message();
  if (sales_.full()) {
    sales.problem = "more than " + std::to_string(settings_.sales_max) +
                    " sales are unfinished, and the others are looked after by nobody: "
                    "raise recovery.sales_max, or close some";
  }
  // The lease has a task of its own; only the first round waits for it.
  if (!ports_.leadership.known()) co_await ports_.leadership.renew();

  some_sell_ = false;
  const auto kept = kept_sales();
  const auto rows = co_await rows_of(kept);
  if (!rows) {
    busy_ = true;
    if (sales.problem.empty()) sales.problem = "the lanes do not load: " + rows.error().message();
    co_return sales;
  }
  const auto failed = co_await keep_lanes(*rows);
  for (const auto& sale : kept) {
    const auto problem = failed.find(sale.id);
    some_sell_ |= problem == failed.end();
    if (problem == failed.end()) {
      finish_if_settled(sale);
      continue;
    }
    busy_ = true;
    if (!sales.problem.empty()) continue;
    sales.problem = "sale " + std::to_string(sale.id) +
                    " is not sellable: " + problem->second.message() + progress_of(sale);
  }
  const bool sells_nothing = !services_.up(Role::inventory) && !kept.empty() && !some_sell_;
  if (!sells_nothing) sells_nothing_.reset();
  if (sells_nothing && !sells_nothing_) sells_nothing_ = ports_.clock.ticks();
  if (leads()) co_await finish_sales();
  co_return sales;
}

void Control::finish_if_settled(const Sale& sale) {
  if (sale.state != SaleState::closed) return;
  for (std::uint32_t index = 0; index < sale.terms.lanes; ++index) {
    if (!watch_.calm({sale.id, index})) return;
  }
  finished_.try_emplace(sale.id, ports_.clock.now());
}

Task<std::vector<LaneWatch::Row>> Control::rows_of(const std::vector<Sale>& kept) {
  std::vector<SaleId> ids;
  ids.reserve(kept.size());
  for (const auto& sale : kept) ids.push_back(sale.id);
  if (ids.empty()) co_return std::vector<LaneWatch::Row>();
  const auto heads = co_await ports_.orders.heads(deadline(), ids);
  if (!heads) co_return heads.error();
  std::unordered_map<LaneId, LaneHead> known(heads->begin(), heads->end());
  std::vector<LaneWatch::Row> rows;
  Epoch last = 0;
  for (const auto& sale : kept) {
    for (std::uint32_t index = 0; index < sale.terms.lanes; ++index) {
      const LaneId lane{sale.id, index};
      const auto head = known.find(lane);
      LaneWatch::Row row{lane, std::nullopt, sale.revision};
      if (head != known.end()) {
        row.head = head->second;
        last = std::max(last, head->second.newest);
      }
      rows.push_back(std::move(row));
    }
  }
  epochs_left_.Set(static_cast<double>(kEpochMax - last));
  co_return rows;
}

bool Control::keeps(const Sale& sale) const {
  return !sale.finished && !finished_.contains(sale.id);
}

std::vector<Sale> Control::kept_sales() const {
  std::vector<Sale> kept;
  for (const auto& [id, sale] : sales_.sales()) {
    if (keeps(sale)) kept.push_back(sale);
  }
  // After a loss of the inventory those with buyers are rebuilt first.
  const auto now = ports_.clock.now();
  std::ranges::sort(kept, std::greater{}, [now](const Sale& sale) {
    return std::pair(phase(sale, now) == WindowPhase::open, sale.id);
  });
  return kept;
}

/// Until then the log may still bring an order from before a rebuild of its lane.
bool Control::log_is_past(TimePoint time) const {
  const auto through = ports_.flow.applied_through();
  return !ports_.flow.has_log() || mutant("sales.log_unread") ||
         (through && *through >= time + kClockSkew);
}

asio::awaitable<void> Control::finish_sales() {
  std::vector<SaleId> settled;
  for (const auto& [id, since] : finished_) {
    const auto sale = sales_.sales().find(id);
    const bool due = sale != sales_.sales().end() && !sale->second.finished && log_is_past(since);
    if (due && settled.size() < kSalesPageMax) settled.push_back(id);
  }
  if (settled.empty()) co_return;
  const auto finished = co_await ports_.sales.finish(deadline(), std::move(settled));
  if (finished) co_return;
  log().warn("sales are finished in a later round: {}", finished.error().message());
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
    if (!sales_.sales().contains(lane.sale)) continue;
    // The inventory of its lanes may have to be rebuilt before it can take the units.
    finished_.erase(lane.sale);
    busy_ = true;
  }
}

asio::awaitable<void> Control::look_after_late_orders() {
  if (mutant("late.forgotten")) co_return;
  const LateReconciler::Duty duty{*ports_.leadership.term(), services_.up(Role::inventory),
                                  ports_.flow.applied_through()};
  const auto more = co_await ports_.late.decide(duty);
  if (!more) log().warn("late orders wait for the next round: {}", more.error().message());
  busy_ |= !more || *more > 0;
}

Task<> Control::refresh_sales() {
  const auto refreshed = co_await sales_.refresh();
  if (!refreshed) co_return refreshed.error();
  forget_unlisted();
  co_return boost::system::in_place_value;
}

void Control::forget_unlisted() {
  const auto unlisted = [this](SaleId sale) { return !sales_.sales().contains(sale); };
  std::erase_if(fences_, [&](const auto& lane) { return unlisted(lane.first.sale); });
  std::erase_if(store_lanes_, [&](LaneId lane) { return unlisted(lane.sale); });
  watch_.forget_if([&](LaneId lane) { return unlisted(lane.sale); });
  ports_.lanes.forget_if([&](LaneId lane) { return unlisted(lane.sale); });
  std::erase_if(finished_, [&](const auto& sale) { return unlisted(sale.first); });
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
  co_await ports_.flow.update(held_, store_health(), store_lanes_, fences_);
  co_return boost::system::in_place_value;
}

Task<> Control::keep_now(const Sale& sale) {
  finished_.erase(sale.id);
  if (!leads()) co_await ports_.leadership.renew();
  boost::system::error_code problem;
  for (std::uint32_t index = 0; index < sale.terms.lanes; ++index) {
    const LaneId lane{sale.id, index};
    boost::system::error_code failed;
    const auto state = co_await ports_.lanes.keep(lane, window_of(sale), duty());
    if (state) {
      const auto kept = co_await follow(lane, *state);
      if (!kept) failed = kept.error();
    } else {
      failed = state.error();
    }
    if (!problem) problem = failed;
  }
  if (problem) co_return problem;
  co_return boost::system::in_place_value;
}

std::string Control::progress_of(const Sale& sale) const {
  for (std::uint32_t index = 0; index < sale.terms.lanes; ++index) {
    const auto copy = copying({sale.id, index});
    if (!copy) continue;
    const auto percent = copy->units > 0 ? 100 * copy->staged_units / copy->units : 100;
    return " (lane " + std::to_string(index) +
           " is rebuilt: " + std::to_string(std::clamp<std::int64_t>(percent / 10 * 10, 0, 100)) +
           " %)";
  }
  return "";
}

asio::awaitable<Control::Failures> Control::keep_lanes(const std::vector<LaneWatch::Row>& rows) {
  // Who leads since a moment, or sees the inventory again, looks at every lane.
  if (const auto now = duty(); now != last_duty_) {
    watch_.expect_changes();
    last_duty_ = now;
  }
  co_await ports_.lanes.drop_copies(*last_duty_);
  std::vector<Look> looks;
  for (const auto index : watch_.due(rows)) {
    Look look{rows[index]};
    looks.push_back(std::move(look));
  }
  // If the inventory has stopped answering, one lane alone waits for it.
  if (!looks.empty()) co_await look_at(looks.front());
  auto look = [&](std::size_t i) { return look_at(looks[i + 1]); };
  const auto others = looks.empty() ? 0 : looks.size() - 1;
  co_await at_once(others, settings_.lanes_at_once, std::move(look));
  Kept kept;
  auto keep = [&](std::size_t i) { return keep_looked_at(looks[i], kept); };
  co_await at_once(looks.size(), settings_.lanes_at_once, std::move(keep));
  // What one calm lane lost, others may have lost, too.
  if (kept.lost) watch_.expect_changes();
  co_return std::move(kept.failed);
}

asio::awaitable<void> Control::keep_looked_at(Look& look, Kept& all) {
  const auto lane = look.row.lane;
  const bool was_calm = watch_.calm(lane);
  const auto kept = co_await keep_lane(look);
  all.lost |= was_calm && !kept;
  if (!kept) all.failed.try_emplace(lane.sale, kept.error());
}

asio::awaitable<void> Control::look_at(Look& look) {
  if (!look.row.head) {
    look.state = Errc::not_found;
    co_return;
  }
  const bool inventory_up = services_.up(Role::inventory);
  look.state = co_await ports_.lanes.look(look.row.lane, *look.row.head, inventory_up);
  // Ask once whether the inventory still answers, so that not every lane waits for it.
  if (!look.state) co_await services_.ask_again(Role::inventory);
}

Task<> Control::keep_lane(Look& look) {
  const auto lane = look.row.lane;
  watch_.looked(look.row, false);
  const auto sale = sales_.sales().find(lane.sale);
  if (sale == sales_.sales().end()) co_return Errc::not_found;
  const auto window = window_of(sale->second);
  const bool closed = sale->second.state == SaleState::closed;
  const bool changes = look.state && ports_.lanes.due(*look.state, window, duty());
  if (changes) {
    // What it changes is decided by how the lane is now.
    look.state = co_await ports_.lanes.keep(lane, window, duty());
    if (!look.state) co_await services_.ask_again(Role::inventory);
  }
  if (!look.state) co_return look.state.error();
  const auto& state = *look.state;
  const auto kept = co_await follow(lane, state);
  if (!kept) co_return kept;
  // Of a closed lane only what was seen after it was closed tells that nothing comes any more.
  const bool late = closed && changes && !mutant("sales.finished_early");
  const bool decided = !late && (state.view.pending == 0 || !(leads() || closed));
  const bool calm = decided && state.head.authority() == Authority::inventory &&
                    state.stage() == LaneStage::ready && services_.up(Role::inventory);
  look.row.head = state.head;
  watch_.looked(look.row, calm);
  co_return boost::system::in_place_value;
}

Task<> Control::follow(LaneId lane, LaneState state) {
  busy_ |= state.stage() != LaneStage::ready;
  // A round may have asked for the rows before somebody else saw a newer fence.
  fences_[lane] = std::max(fences_[lane], state.head.fence);
  if (!state.sells()) co_return Errc::not_ready;
  if (state.head.authority() == Authority::store) {
    busy_ = true;
    store_lanes_.insert(lane);
    co_return boost::system::in_place_value;
  }
  store_lanes_.erase(lane);
  const bool decides = leads() && state.view.pending > 0 && !mutant("recovery.overdue_left");
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

StoreHealth Control::store_health() const {
  const bool up = services_.up(Role::store);
  return {up, up || ports_.leadership.answered()};
}

LaneReconciler::Duty Control::duty() const {
  return {authority_.store_sells(held_) ? Authority::store : Authority::inventory,
          services_.up(Role::inventory), services_.up(Role::queue), ports_.leadership.term()};
}

bool Control::alone_without_inventory() const {
  // A leader without it would have let the store sell by then.
  const auto enough = settings_.database_after + settings_.lease;
  return sells_nothing_ && ports_.clock.ticks() - *sells_nothing_ >= enough;
}

bool Control::starting() const {
  return !was_ready_ && ports_.clock.ticks() - *began_ < settings_.database_after;
}

void Control::tolerate(std::vector<ReadyCheck>& checks) const {
  if (checks.empty()) return;  // The drain began before the first round.
  // Where there are three services, two are enough to sell, once a sale was seen to sell. A lane
  // that is rebuilt meanwhile is sold by no node, so it does not make this one unready.
  // Others sell where this one alone has no store or no inventory: buyers are to go there.
  if (ports_.flow.state().isolated || alone_without_inventory()) return;
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
