#include "sluice/recovery/control.hpp"

#include <memory>
#include <utility>

#include "sluice/base/log.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

constexpr Millis kLookAgain{100};
constexpr auto kLease = "recovery";

OperatorRefusal refusal_of(const boost::system::error_code& error) {
  if (error == Errc::not_found) return {Code::unknown_sale, "there is no sale of that number"};
  if (error == Errc::stale) {
    return {Code::invalid_state, "the sale cannot move to that state from the one it has"};
  }
  if (error == Errc::unknown) {
    return {Code::outcome_unknown, "the store did not answer in time; look at the sale"};
  }
  return {Code::busy, "the store does not answer: " + error.message()};
}

}  // namespace

Control::Control(RecoverySettings settings, std::string node, std::vector<Dependency> dependencies,
                 Ports ports)
    : settings_(settings),
      node_(std::move(node)),
      dependencies_(std::move(dependencies)),
      ports_(ports) {}

asio::awaitable<void> Control::run() {
  while (!stopped_) {
    const auto next = ports_.clock.ticks() + settings_.tick;
    co_await round();
    // Short naps, so that a stop is not slept through.
    while (!stopped_ && ports_.clock.ticks() < next) {
      co_await ports_.clock.sleep_until(std::min(next, ports_.clock.ticks() + kLookAgain));
    }
  }
  if (leading_) co_await ports_.control.release(deadline(), kLease, node_);
}

asio::awaitable<void> Control::round() {
  auto checks = co_await ping_all();
  ReadyCheck sales{"sales", ""};
  if (const auto refreshed = co_await refresh_sales(); !refreshed) {
    sales.problem = "the sales cannot be loaded: " + refreshed.error().message();
  }
  leading_ = co_await lead();

  std::vector<Sale> kept;
  for (const auto& [id, sale] : sales_) {
    if (sale.state != SaleState::draft && !finished_.contains(id)) kept.push_back(sale);
  }
  for (const auto& sale : kept) {
    const auto done = co_await keep_sale(sale);
    if (done || !sales.problem.empty()) continue;
    sales.problem =
        "sale " + std::to_string(sale.id) + " is not sellable: " + done.error().message();
  }
  checks.push_back(std::move(sales));
  publish(std::move(checks));
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
  co_return boost::system::in_place_value;
}

asio::awaitable<bool> Control::lead() {
  const auto lease = co_await ports_.control.acquire(deadline(), kLease, node_, settings_.lease);
  const bool held = lease && lease->held;
  if (held && !leading_) log().info("this node leads (term {})", lease->term);
  if (!held && leading_) log().info("this node does not lead any more");
  co_return held;
}

Task<> Control::keep_sale(const Sale& sale) {
  bool settled = true;
  for (std::uint32_t index = 0; index < sale.terms.lanes; ++index) {
    const LaneId lane{sale.id, index};
    const auto view = co_await ports_.lanes.keep(lane, window_of(sale), leading_);
    if (!view) co_return view.error();
    settled &= view->pending == 0;
    if (!leading_) continue;
    // A long queue of them is worked off for at most one round's time: other sales wait.
    const auto enough = ports_.clock.ticks() + settings_.tick;
    for (std::size_t more = settings_.overdue_max; more >= settings_.overdue_max;) {
      const auto decided = co_await ports_.lanes.decide_overdue(lane);
      if (!decided) co_return decided.error();
      more = ports_.clock.ticks() < enough ? *decided : 0;
    }
  }
  if (sale.state == SaleState::closed && settled) finished_.insert(sale.id);
  co_return boost::system::in_place_value;
}

asio::awaitable<std::vector<ReadyCheck>> Control::ping_all() {
  std::vector<ReadyCheck> checks;
  for (const auto& dependency : dependencies_) {
    ReadyCheck check{dependency.name, ""};
    const auto answer = co_await dependency.ping(deadline());
    if (!answer) check.problem = answer.error().message() + "; " + dependency.advice;
    checks.push_back(std::move(check));
  }
  co_return checks;
}

void Control::publish(std::vector<ReadyCheck> checks) {
  const auto before = ports_.readiness.get();
  auto state = std::make_shared<ReadyState>();
  state->draining = draining_;
  state->checks = std::move(checks);
  for (const auto& check : state->checks) {
    const bool news = [&] {
      for (const auto& old : before->checks) {
        if (old.name == check.name) return old.problem != check.problem;
      }
      return !check.problem.empty();
    }();
    if (news && check.problem.empty()) log().info("{} answers again", check.name);
    if (news && !check.problem.empty()) log().error("{}: {}", check.name, check.problem);
  }
  if (state->ready() && !before->ready()) log().info("ready");
  ports_.readiness.publish(std::move(state));
}

void Control::drain() {
  draining_ = true;
  publish(ports_.readiness.get()->checks);
}

asio::awaitable<Operated<Sale>> Control::create(SaleDraft draft) {
  if (const auto problem = check(draft)) co_return OperatorRefusal{Code::invalid_sale, *problem};
  auto sale = co_await ports_.sales.create(deadline(), std::move(draft));
  if (!sale) co_return refusal_of(sale.error());
  log().info("sale {} created: \"{}\", {} units", sale->id, printable(sale->terms.title),
             sale->terms.stock);
  co_return std::move(*sale);
}

asio::awaitable<Operated<std::vector<Sale>>> Control::list() {
  auto sales = co_await ports_.sales.list(deadline(), settings_.sales_max);
  if (!sales) co_return refusal_of(sales.error());
  co_return std::move(*sales);
}

asio::awaitable<Operated<Sale>> Control::show(SaleId id) {
  auto sale = co_await ports_.sales.get(deadline(), id);
  if (!sale) co_return refusal_of(sale.error());
  if (!*sale) co_return refusal_of(Errc::not_found);
  co_return std::move(**sale);
}

asio::awaitable<Operated<Sale>> Control::set_state(SaleId id, SaleState state) {
  auto sale = co_await ports_.sales.set_state(deadline(), id, state);
  if (!sale) co_return refusal_of(sale.error());
  log().info("sale {} is {}", id, name(state));
  finished_.erase(id);

  // Another node may have to rebuild the lanes; it does so in its next round.
  const auto give_up = ports_.clock.ticks() + settings_.call_timeout + 2 * settings_.tick;
  for (;;) {
    leading_ = co_await lead();
    const auto kept = co_await keep_sale(*sale);
    if (kept) break;
    if (ports_.clock.ticks() >= give_up) {
      co_return OperatorRefusal{Code::not_ready,
                                "the sale's state is stored, but its lanes do not "
                                "follow yet: " +
                                    kept.error().message()};
    }
    co_await ports_.clock.sleep_until(ports_.clock.ticks() + kLookAgain);
  }
  if (const auto refreshed = co_await refresh_sales(); !refreshed) {
    co_return refusal_of(refreshed.error());
  }
  co_return std::move(*sale);
}

}  // namespace sluice
