#include "sluice/adapters/direct/remote.hpp"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <thread>

#include "adapters/direct/fake_store.hpp"
#include "adapters/direct/store_thread.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

constexpr LaneId kLane{7, 3};

Ticks from_now(Millis delay) { return std::chrono::steady_clock::now() + delay; }

class FakeSales final : public SaleStore {
 public:
  Task<Sale> create(Ticks, SaleDraft draft) override { co_return sale(1, std::move(draft)); }

  Task<std::vector<Sale>> list(Ticks, std::size_t max) override {
    std::vector<Sale> sales(max);
    co_return sales;
  }

  Task<std::optional<Sale>> get(Ticks, SaleId id) override { co_return sale(id, SaleDraft()); }

  Task<Sale> set_state(Ticks, SaleId id, SaleState state) override {
    auto moved = sale(id, SaleDraft());
    moved.state = state;
    co_return moved;
  }

  std::thread::id thread;

 private:
  Sale sale(SaleId id, SaleDraft terms) {
    thread = std::this_thread::get_id();
    Sale made;
    made.id = id;
    made.terms = std::move(terms);
    return made;
  }
};

class FakeControl final : public ControlStore {
 public:
  Task<Lease> acquire(Ticks, std::string name, std::string holder, Millis ttl) override {
    Lease lease;
    lease.term = name.size() * 100 + holder.size() * 10 + static_cast<std::uint64_t>(ttl.count());
    lease.held = true;
    co_return lease;
  }

  Task<> release(Ticks, std::string name, std::string) override {
    if (name.empty()) co_return Errc::invalid;
    co_return Result<void>();
  }

  Task<std::string> requested(Ticks, std::string name) override { co_return name + "!"; }

  Task<> request(Ticks, std::string name, std::string value) override {
    if (name == value) co_return Errc::invalid;
    co_return Result<void>();
  }
};

class FakeTransitions final : public OrderTransitions {
 public:
  Task<std::vector<std::optional<Order>>> move(Ticks, In<Transition> transitions) override {
    thread = std::this_thread::get_id();
    std::vector<std::optional<Order>> moved;
    for (const auto& [key, move] : transitions) {
      Order order;
      order.id = key.id;
      order.lane.sale = key.sale;
      order.user = key.user;
      order.status = after(move);
      moved.emplace_back(order);
    }
    moved.emplace_back();
    co_return moved;
  }

  Task<std::vector<OrderKey>> due(Ticks, std::size_t max) override {
    std::vector<OrderKey> keys(max);
    co_return keys;
  }

  Task<std::vector<LaneId>> returning(Ticks, std::size_t max) override {
    std::vector<LaneId> lanes(max, kLane);
    co_return lanes;
  }

  Task<std::vector<Settlement>> outbox(Ticks, LaneId lane, std::size_t max) override {
    std::vector<Settlement> rows(max);
    for (auto& row : rows) row.quantity = lane.index;
    co_return rows;
  }

  Task<> relayed(Ticks, Fence taken, In<OrderId> orders) override {
    if (taken.epoch != orders.size()) co_return Errc::stale;
    relays.emplace_back(orders.begin(), orders.end());
    co_return Result<void>();
  }

  std::thread::id thread;
  std::vector<std::vector<OrderId>> relays;
};

class RemoteStores : public testing::Test {
 protected:
  ~RemoteStores() override {
    orders_.open();
    thread_.stop();
  }

  FakeStore orders_;
  FakeSales sales_;
  FakeControl control_;
  FakeTransitions moves_;
  StoreThread thread_;
  std::unique_ptr<OrderStore> orders = create_remote_order_store(thread_.executor(), orders_);
  std::unique_ptr<SaleStore> sales = create_remote_sale_store(thread_.executor(), sales_);
  std::unique_ptr<OrderTransitions> moves =
      create_remote_order_transitions(thread_.executor(), moves_);
  std::unique_ptr<ControlStore> control = create_remote_control_store(thread_.executor(), control_);
};

TEST_F(RemoteStores, every_call_of_the_order_store_arrives_with_its_arguments) {
  const std::vector<OrderMessage> messages{message_of(kLane, user_of(1)),
                                           message_of(kLane, user_of(2))};
  const auto outcomes = run_awaitable(orders->apply(soon(), messages, std::nullopt)).value();
  EXPECT_THAT(outcomes, testing::ElementsAre(confirmed(messages[0]), confirmed(messages[1])));
  EXPECT_THAT(orders_.applies(), testing::ElementsAre(messages));

  const std::vector<OrderKey> keys{{messages[1].id, 7, user_of(2)}};
  const auto found = run_awaitable(orders->find(soon(), keys)).value();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0]->id, messages[1].id);
  EXPECT_EQ(found[0]->user, user_of(2));

  const std::string topic(40, 't');
  EXPECT_EQ(run_awaitable(orders->find_live(soon(), 9, user_of(5))).value()->user, user_of(5));
  EXPECT_EQ(run_awaitable(orders->head(soon(), kLane)).value().fence, 4u);
  EXPECT_EQ(run_awaitable(orders->next_epoch(soon(), kLane, Authority::store)).value(), 203u);
  EXPECT_EQ(run_awaitable(orders->next_epoch(soon(), kLane, Authority::inventory)).value(), 103u);
  EXPECT_EQ(error_of(run_awaitable(orders->raise_fence(soon(), Fence{kLane, 2}, std::nullopt))),
            "ok");
  EXPECT_EQ(run_awaitable(orders->raise_fence(soon(), Fence{kLane, 0}, std::nullopt)).error(),
            Errc::invalid);
  EXPECT_EQ(error_of(run_awaitable(orders->suspect(soon(), kLane))), "ok");
  EXPECT_EQ(run_awaitable(orders->suspect(soon(), LaneId{0, 0})).error(), Errc::not_found);
  EXPECT_EQ(run_awaitable(orders->image(soon(), kLane)).value().lane, kLane);
  const std::vector<UserId> users{user_of(1), user_of(100)};
  const auto lane_snapshot = run_awaitable(orders->lane_snapshot(soon(), kLane, users)).value();
  EXPECT_EQ(lane_snapshot.stock, 7);
  ASSERT_EQ(lane_snapshot.orders.size(), 2u);
  EXPECT_EQ(lane_snapshot.orders[0]->quantity, 2u);
  EXPECT_EQ(lane_snapshot.orders[1]->quantity, 4u);
  EXPECT_EQ(run_awaitable(orders->position(soon(), topic, 2)).value(), 4'002);
  EXPECT_EQ(run_awaitable(orders->progress(soon(), topic, 2)).value().applied, 4'002);
  EXPECT_EQ(run_awaitable(orders->audit(soon(), 12)).value().at(0).lane.sale, 12);
  EXPECT_THAT(orders_.threads(), testing::ElementsAre(thread_.id()));
}

TEST_F(RemoteStores, every_call_of_the_other_stores_arrives_with_its_arguments) {
  EXPECT_EQ(run_awaitable(sales->create(soon(), draft_of(5))).value().terms.stock, 5);
  EXPECT_EQ(sales_.thread, thread_.id());
  EXPECT_EQ(run_awaitable(sales->list(soon(), 3)).value().size(), 3u);
  EXPECT_EQ(run_awaitable(sales->get(soon(), 8)).value()->id, 8);
  const auto moved = run_awaitable(sales->set_state(soon(), 8, SaleState::paused)).value();
  EXPECT_EQ(moved.state, SaleState::paused);
  EXPECT_EQ(run_awaitable(control->acquire(soon(), "name", "me", Millis{3})).value().term, 423u);
  EXPECT_EQ(error_of(run_awaitable(control->release(soon(), "name", "me"))), "ok");
  EXPECT_EQ(run_awaitable(control->release(soon(), "", "me")).error(), Errc::invalid);
  EXPECT_EQ(run_awaitable(control->requested(soon(), "mode")).value(), "mode!");
  EXPECT_EQ(error_of(run_awaitable(control->request(soon(), "mode", "bypass"))), "ok");
  EXPECT_EQ(run_awaitable(control->request(soon(), "mode", "mode")).error(), Errc::invalid);
}

TEST_F(RemoteStores, every_call_of_the_moves_arrives_with_its_arguments) {
  const auto first = message_of(kLane, user_of(1));
  const auto second = message_of(kLane, user_of(2));
  const std::vector<Transition> transitions{{{first.id, 7, first.user}, Move::pay},
                                            {{second.id, 7, second.user}, Move::cancel}};
  const auto moved = run_awaitable(moves->move(soon(), transitions)).value();
  ASSERT_EQ(moved.size(), 3u);
  EXPECT_EQ(moved[0]->id, first.id);
  EXPECT_EQ(moved[0]->status, OrderStatus::paid);
  EXPECT_EQ(moved[1]->user, second.user);
  EXPECT_EQ(moved[1]->status, OrderStatus::cancelled);
  EXPECT_FALSE(moved[2]);
  EXPECT_EQ(moves_.thread, thread_.id());

  EXPECT_EQ(run_awaitable(moves->due(soon(), 3)).value().size(), 3u);
  EXPECT_EQ(run_awaitable(moves->returning(soon(), 2)).value().size(), 2u);
  const auto rows = run_awaitable(moves->outbox(soon(), kLane, 4)).value();
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[3].quantity, kLane.index);
  const std::vector<OrderId> taken{first.id, second.id};
  EXPECT_EQ(error_of(run_awaitable(moves->relayed(soon(), Fence{kLane, 2}, taken))), "ok");
  EXPECT_EQ(run_awaitable(moves->relayed(soon(), Fence{kLane, 3}, taken)).error(), Errc::stale);
  EXPECT_THAT(moves_.relays, testing::ElementsAre(taken));
}

TEST_F(RemoteStores, errors_pass_and_exceptions_are_unknown) {
  EXPECT_EQ(run_awaitable(orders->head(soon(), LaneId{0, 0})).error(), Errc::not_found);
  EXPECT_EQ(run_awaitable(orders->head(soon(), LaneId{-1, 0})).error(), Errc::unknown);
  EXPECT_EQ(run_awaitable(orders->head(soon(), kLane)).value().fence, 4u);
}

using Figures = std::vector<LaneFigures>;

boost::asio::awaitable<void> ask(OrderStore& store, Ticks deadline, Result<Figures>& answer) {
  answer = co_await store.audit(deadline, 12);
}

TEST_F(RemoteStores, a_blocked_store_does_not_hold_its_callers_beyond_their_deadlines) {
  orders_.close();
  boost::asio::io_context context(1);
  Result<Figures> begun = Errc::internal;
  Result<Figures> waiting = Errc::internal;
  const auto finish = [](std::exception_ptr thrown) {
    if (thrown) std::rethrow_exception(thrown);
  };
  auto first = ask(*orders, from_now(Millis{500}), begun);
  boost::asio::co_spawn(context, std::move(first), finish);
  context.poll();
  orders_.await_blocked();
  auto second = ask(*orders, from_now(Millis{50}), waiting);
  boost::asio::co_spawn(context, std::move(second), finish);
  const auto begin = std::chrono::steady_clock::now();
  context.run();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, Millis{2'000});
  EXPECT_EQ(begun.error(), Errc::unknown);
  EXPECT_EQ(waiting.error(), Errc::unavailable);
  orders_.open();
  EXPECT_EQ(run_awaitable(orders->audit(soon(), 12)).value().at(0).lane.sale, 12);
}

TEST_F(RemoteStores, many_threads_ask_at_once) {
  std::vector<std::thread> threads;
  std::vector<int> right(4, 0);
  for (std::size_t t = 0; t < right.size(); ++t) {
    threads.emplace_back([&, t] {
      for (SaleId sale = 1; sale <= 200; ++sale) {
        const auto figures = run_awaitable(orders->audit(soon(), sale));
        if (figures.has_value() && figures->at(0).lane.sale == sale) ++right[t];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(right, testing::Each(200));
}

}  // namespace
}  // namespace sluice::test
