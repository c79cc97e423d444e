#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <random>

#include "sluice/orders/purchase_service.hpp"

#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_inventory.hpp"
#include "support/fake_queue.hpp"
#include "support/fake_router.hpp"
#include "support/fake_store.hpp"
#include "support/fake_transitions.hpp"
#include "support/store_values.hpp"

namespace sluice::test {

/// Purchases and look-ups of an open sale with one lane, on one projection, one log and one store,
/// which applies nothing by itself; `other_` and `direct_` sell while the store does.
class PurchaseFixture : public testing::Test {
 protected:
  static inline const LaneId kLane{7, 0};

  PurchaseFixture() {
    sale_.id = kLane.sale;
    sale_.terms = draft_of(100);
    sale_.terms.starts_at = FakeClock::kStart - std::chrono::hours(1);
    sale_.terms.ends_at = FakeClock::kStart + std::chrono::hours(1);
    sale_.state = SaleState::open;
    store_.lanes[kLane].stock = 100;
    auto book = std::make_shared<SaleSnapshot>();
    book->sales[sale_.id] = sale_;
    book->loaded = true;
    book_.publish(std::move(book));
    make();
  }

  void make() {
    purchases_.reset();
    views_.reset();
    orders_.reset();
    OrderService::Ports order_ports{router_, store_, moves_, late_, clock_, seal_, watch_};
    orders_.emplace(loop_.executor(), LookupSettings{}, order_ports);
    SoldOutViews::Ports view_ports{view_router_, book_, clock_, metrics_};
    views_.emplace(view_settings_, view_ports);
    PurchaseService::Ports ports{router_,      *orders_, *views_, buckets_, limiter_,
                                 concurrency_, clock_,   random_, seal_,    metrics_};
    purchases_.emplace(loop_.executor(), settings_, ports);
  }

  Running<PurchaseAnswer> start(std::uint64_t user, std::uint32_t quantity = 1) {
    return loop_.start(purchases_->buy(sale_, user_of(user), quantity));
  }

  PurchaseAnswer buy(std::uint64_t user, std::uint32_t quantity = 1) {
    auto running = start(user, quantity);
    loop_.turn();
    return running.value();
  }

  ConcurrencyLimit concurrency_{100};
  EventLoop loop_;
  FakeClock clock_;
  FakeInventory inventory_{clock_};
  FakeQueue queue_;
  FakeInventory other_{clock_};
  FakeQueue direct_;
  FakeRouter router_{inventory_, queue_, other_, direct_};
  FakeOrderStore store_;
  FakeOrderTransitions moves_{store_, clock_};
  FakeLateOrders late_{store_};
  LaneRouter view_router_{router_.snapshot, {inventory_, queue_, other_, direct_}};
  SaleBook book_{std::make_shared<SaleSnapshot>()};
  SoldOutSettings view_settings_;
  Metrics metrics_;
  Random random_ = std::mt19937_64(5);
  OrderIdSeal seal_{"a secret for tests"};
  OrderWatch watch_{2};
  TokenBuckets buckets_{BucketSettings{}};
  RateLimiter limiter_;
  PurchaseSettings settings_;
  Sale sale_;
  std::optional<OrderService> orders_;
  std::optional<SoldOutViews> views_;
  std::optional<PurchaseService> purchases_;
};

}  // namespace sluice::test
