#include "sluice/recovery/leadership.hpp"

#include <algorithm>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"

namespace sluice {
namespace {

constexpr Millis kLookAgain{100};  // Between two looks at whether to go on.

}  // namespace

std::optional<Term> LeasePolicy::term(Ticks now) const {
  const bool over = !held_ || (now >= held_->until && !mutant("lease.outlived"));
  if (over) return std::nullopt;
  return held_->term;
}

Leadership::Leadership(Millis lease, Millis call_timeout, std::string node, ControlStore& store,
                       Clock& clock, std::function<void()> renewed)
    : length_(lease),
      call_timeout_(call_timeout),
      node_(std::move(node)),
      store_(store),
      clock_(clock),
      renewed_(std::move(renewed)),
      policy_(lease) {}

boost::asio::awaitable<void> Leadership::run() {
  while (!stopped_) {
    if (clock_.ticks() >= policy_.next()) co_await renew();
    // It sleeps in short pieces, so that `stop` takes effect soon.
    const auto nap = std::min(policy_.next(), clock_.ticks() + kLookAgain);
    if (!stopped_) co_await clock_.sleep_until(nap);
  }
  const std::string name(kLeaderLease);
  if (term()) co_await store_.release(deadline(), name, node_);
}

void Leadership::see_inventory(bool up) {
  if (up) without_inventory_.reset();
  if (!up && !without_inventory_) without_inventory_ = clock_.ticks();
}

/// Takes the standby's lease for a moment: it cannot while another node has it.
boost::asio::awaitable<bool> Leadership::another_stands_by() {
  std::string name(kStandbyLease);
  const auto standby = co_await store_.acquire(deadline(), std::move(name), node_, Millis{1});
  co_return standby && !standby->held && !mutant("lease.unfit_leader");
}

boost::asio::awaitable<void> Leadership::renew() {
  const auto asked = clock_.ticks();
  // What a standby said while it had the inventory, too, is forgotten by then.
  const bool unfit = without_inventory_ && asked - *without_inventory_ >= standby_length();
  if (unfit && co_await another_stands_by()) {
    const bool led = term().has_value();
    known_ = answered_ = true;
    policy_.answered(asked, Lease{});
    const std::string name(kLeaderLease);
    if (led) co_await store_.release(deadline(), name, node_);
  } else {
    co_await ask();
  }
  const auto now = term();
  if (now == reported_) co_return;
  if (now) log().info("this node leads (term {})", *now);
  if (!now) log().info("this node does not lead any more");
  reported_ = now;
}

boost::asio::awaitable<void> Leadership::ask() {
  const auto asked = clock_.ticks();
  std::string name(kLeaderLease);
  const auto lease = co_await store_.acquire(deadline(), std::move(name), node_, length_);
  answered_ = lease.has_value();
  if (!lease) {
    policy_.failed(asked);
    co_return;
  }
  known_ = true;
  policy_.answered(asked, *lease);
  if (lease->held) {
    renewed_();
  } else if (!without_inventory_) {
    std::string standby(kStandbyLease);
    co_await store_.acquire(deadline(), std::move(standby), node_, standby_length());
  }
}

}  // namespace sluice
