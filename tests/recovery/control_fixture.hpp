#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/recovery/control.hpp"

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_feed.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_queue.hpp"
#include "support/fake_store.hpp"
#include "support/fake_transitions.hpp"
#include "support/store_values.hpp"

namespace sluice::test {

/// One node's control on fakes.
class ControlFixture : public testing::Test {
 protected:
  ControlFixture() { make(); }

  void make() {
    control_.reset();
    flow_.reset();
    audits_.reset();
    auditor_.reset();
    returns_.reset();
    late_reconciler_.reset();
    keeper_.reset();
    leadership_.emplace(settings_.lease, settings_.call_timeout, "node-a", lease_, clock_,
                        [this] { ++heartbeats_sent_; });
    queue_.raise_in = &orders_;
    queue_.decides_at_once = true;
    LaneReconciler::Ports keeper{inventory_, queue_, orders_, results_, clock_, metrics_};
    keeper_.emplace(settings_, keeper);
    ReturnReconciler::Ports returns{moves_, *keeper_, inventory_, results_, clock_, metrics_};
    returns_.emplace(settings_, returns);
    LateReconciler::Ports late{late_, *keeper_, inventory_, queue_, results_, clock_, metrics_};
    late_reconciler_.emplace(settings_, late);
    auditor_.emplace(settings_.call_timeout, settings_.audit_timeout,
                     Auditor::Ports{inventory_, orders_, clock_, metrics_});
    audits_.emplace(settings_.audit_every, Audits::Ports{*auditor_, clock_, metrics_});
    const auto log_end = [] { return std::optional<std::int64_t>(); };
    const auto heartbeats = [this] { return heartbeats_; };
    ModeReconciler::Ports flow{orders_, state_,     limiter_, direct_, breaker_,
                               log_end, heartbeats, clock_,   metrics_};
    flow_.emplace(ModeSettings(), settings_.call_timeout, log_, std::move(flow));
    std::vector<ServiceProbe> probes;
    probes.push_back({ServiceProbe::Role::store, pinging(on_store_ping_), "start Postgres"});
    probes.push_back({ServiceProbe::Role::inventory, pinging(on_ping_), "start it"});
    probes.push_back({ServiceProbe::Role::queue, pinging(on_queue_ping_), "start Kafka"});
    Control::Ports ports{sales_,    orders_,           lease_, *leadership_, *keeper_,   *audits_,
                         *returns_, *late_reconciler_, *flow_, book_,        readiness_, clock_,
                         metrics_};
    sales_.is_over = [this](SaleId sale) { return is_over(sale); };
    control_.emplace(settings_, std::move(probes), ports);
  }

  static std::function<Task<>(Ticks)> pinging(FakeStep& step) {
    return [&step](Ticks) { return ping(step); };
  }

  static Task<> ping(FakeStep& step) {
    const auto fault = co_await step.enter();
    if (fault) co_return fault->error;
    co_return boost::system::in_place_value;
  }

  /// A sale with the stock rows of its lanes, as the store makes it.
  Sale add_sale(SaleState state, std::uint32_t lanes = 1) {
    Sale sale;
    sale.id = sales_.sales.empty() ? 1 : sales_.sales.rbegin()->first + 1;
    sale.terms = draft_of(100, lanes);
    sale.terms.starts_at = FakeClock::kStart - std::chrono::hours(1);
    sale.terms.ends_at = FakeClock::kStart + std::chrono::hours(1);
    sale.terms.pay_within = pay_within_;
    sale.state = state;
    sales_.sales[sale.id] = sale;
    for (std::uint32_t i = 0; i < lanes; ++i) {
      auto& lane = orders_.lanes[{sale.id, i}];
      lane.stock = lane_stock(100, lanes, i);
      lane.window = window_of(sale);
    }
    return sale;
  }

  OrderMessage reserve(LaneId lane, std::uint64_t user) {
    const auto epoch = inventory_.lane(lane).epoch;
    auto message = message_of(lane, user_of(user), 1, epoch);
    inventory_.lane(lane).stock -= 1;
    inventory_.lane(lane).records[message.user] = {{message.id, OrderStatus::queued, 1},
                                                   clock_.now()};
    return message;
  }

  /// An order that is confirmed in the store and in the inventory, to be paid in ten seconds.
  OrderId confirm(LaneId lane, std::uint64_t user) {
    const auto message = reserve(lane, user);
    orders_.decide(message);
    orders_.orders[message.id].pay_by = clock_.now() + Millis{10'000};
    inventory_.lane(lane).records[message.user].order.status = OrderStatus::confirmed;
    return message.id;
  }

  /// The inventory grants units of the sale's first lane.
  bool sells(const Sale& sale) {
    return inventory_.has({sale.id, 0}) && inventory_.lane({sale.id, 0}).ready;
  }

  /// As the real stores look before a sale is finished.
  bool is_over(SaleId sale) const {
    const auto returns = [sale](const auto& row) { return row.lane.sale == sale; };
    const auto unpaid = [sale](const auto& entry) {
      const auto& order = entry.second;
      return order.lane.sale == sale && order.status == OrderStatus::confirmed && order.pay_by;
    };
    return std::ranges::none_of(moves_.rows, returns) &&
           std::ranges::none_of(orders_.orders, unpaid);
  }

  OrderStatus status_of(OrderId order) { return orders_.orders.at(order).status; }

  /// The lease is renewed, and then comes a round.
  void round() {
    loop_.finish(leadership_->renew());
    loop_.finish(control_->round());
  }

  /// The problem of a check; "" when there is none.
  std::string problem_of(const std::string& name) const {
    for (const auto& check : readiness_.get()->checks) {
      if (check.name == name) return check.problem;
    }
    return "no such check";
  }

  EventLoop loop_;
  FakeClock clock_;
  FakeInventory inventory_{clock_};
  FakeQueue queue_;
  FakeOrderStore orders_;
  FakeOrderTransitions moves_{orders_, clock_};
  FakeLateOrders late_{orders_};
  FakeSaleStore sales_;
  FakeControlStore lease_;
  FakeResults results_;
  FakeStep on_store_ping_;
  FakeStep on_ping_;
  FakeStep on_queue_ping_;
  ModeSnapshot state_{std::make_shared<ModeState>()};
  RateLimiter limiter_;
  CallMeter direct_;
  Breaker breaker_{BreakerSettings()};
  Metrics metrics_;
  SaleBook book_{std::make_shared<SaleSnapshot>()};
  Readiness readiness_{std::make_shared<ReadyState>()};
  Millis pay_within_{0};  ///< Of the sales that are added.
  RecoverySettings settings_;
  std::optional<OrderLog> log_;
  std::int64_t heartbeats_sent_ = 0;            ///< By this node.
  std::optional<std::int64_t> heartbeats_ = 0;  ///< As the log tells.
  std::optional<Leadership> leadership_;
  std::optional<LaneReconciler> keeper_;
  std::optional<Auditor> auditor_;
  std::optional<Audits> audits_;
  std::optional<ReturnReconciler> returns_;
  std::optional<LateReconciler> late_reconciler_;
  std::optional<ModeReconciler> flow_;
  std::optional<Control> control_;
};

}  // namespace sluice::test
