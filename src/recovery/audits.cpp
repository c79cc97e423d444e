#include "sluice/recovery/audits.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

// Between two audits: 10,000 sales have theirs within ten minutes, and the store hardly notices.
constexpr Millis kPace{20};

}  // namespace

Audits::Audits(Millis every, Ports ports)
    : ports_(ports),
      schedule_(every),
      age_(ports.metrics.gauge("sluice_audit_age_seconds",
                               "Since the last successful audit of the sale that waits longest.")),
      failures_(ports.metrics.counter("sluice_audit_failures_total",
                                      "Audits that a service did not let end.")) {}

void Audits::follow(Lanes sales, bool leads, bool inventory_up) {
  const auto now = ports_.clock.ticks();
  leads_ = leads || mutant("audit.not_led");
  inventory_up_ = inventory_up;
  lanes_ = std::move(sales);
  for (const auto& [sale, lanes] : lanes_) schedule_.add(sale, now);
  const auto gone = [this](SaleId sale) { return !lanes_.contains(sale); };
  schedule_.forget_if(gone);
  if (!leads_) schedule_.audited_elsewhere(now);
  ports_.auditor.forget_if([&](SaleId sale) { return !leads_ || gone(sale); });
  show_age();
}

void Audits::show_age() {
  const std::chrono::duration<double> age = schedule_.age(ports_.clock.ticks());
  age_.Set(leads_ ? age.count() : 0);
}

boost::asio::awaitable<void> Audits::run() {
  for (;;) {
    co_await audit_next();
    show_age();
    co_await ports_.clock.sleep_until(ports_.clock.ticks() + kPace);
  }
}

boost::asio::awaitable<void> Audits::audit_next() {
  using Ended = AuditSchedule::Ended;
  const auto began = ports_.clock.ticks();
  const auto due = leads_ ? schedule_.next(began) : std::nullopt;
  if (!due) co_return;
  const auto checked = co_await ports_.auditor.check(*due, lanes_.at(*due), inventory_up_);
  auto ended = Ended::failed;
  if (checked) {
    ended = *checked == Auditor::Look::again ? Ended::look_again : Ended::good;
  } else {
    failures_.Increment();
    log().warn("sale {}: no audit: {}", *due, checked.error().message());
  }
  // One that failed waited for a service, and cost nobody anything.
  const auto cost = checked ? ports_.auditor.store_time() : Ticks::duration{0};
  schedule_.audited(*due, ports_.clock.ticks(), cost, ended);
}

}  // namespace sluice
