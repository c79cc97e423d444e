#include "simulation/node.hpp"

#include <boost/asio/co_spawn.hpp>
#include <utility>

#include "sluice/adapters/direct/queue.hpp"
#include "sluice/adapters/direct/store_inventory.hpp"
#include "sluice/fulfilment/fulfilment.hpp"
#include "sluice/orders/order_queue.hpp"
#include "sluice/recovery/control.hpp"
#include "sluice/recovery/return_reconciler.hpp"

#include "simulation/clock.hpp"

namespace sluice::simulation {
namespace {

namespace asio = boost::asio;

// The upkeep of real threads comes every 50 ms; here it comes late, to save steps.
constexpr Millis kUpkeepSloth{1500};
// The same for the views, which are of use for a second.
constexpr Millis kViewSloth{200};
// So that a list of winners has several pages.
constexpr std::size_t kWinnersPage = 2;
// The same for the naps of the control thread.
constexpr Millis kNapSloth{250};
constexpr Millis kSweepEvery{500};
constexpr Millis kHeartbeatTimeout{10'000};

BreakerSettings eager(BreakerSettings settings) {
  settings.calls_min = 5;
  return settings;
}

/// For what shares a clock that outlives it.
std::shared_ptr<Clock> borrowed(Clock& clock) { return {std::shared_ptr<Clock>(), &clock}; }

asio::awaitable<void> sweep(OrderWatch& watch, Clock& clock) {
  for (;;) {
    watch.sweep(clock.ticks());
    co_await clock.sleep_until(clock.ticks() + kSweepEvery);
  }
}

/// Runs a coroutine on a thread; what it throws is a defect.
void spawn(Thread& thread, Story& story, asio::awaitable<void> work) {
  thread.wake();
  asio::co_spawn(thread.context(), std::move(work), [&story](std::exception_ptr thrown) {
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      story.violate(std::string("an exception left a coroutine: ") + e.what());
    }
  });
}

/// A call of which nobody wants the answer.
asio::awaitable<void> forget(Task<> call) { co_await std::move(call); }

}  // namespace

/// What the threads of the node share.
struct Node::Shared {
  Shared(std::uint64_t seed, const RecoverySettings& recovery)
      : random([rng = Rng(seed)]() mutable { return rng.next(); }), settings(recovery) {}

  Random random;  ///< Which a restart renews.
  RecoverySettings settings;
  FulfilmentSettings fulfilment;
  Skew skew;
  SaleBook book{std::make_shared<SaleSnapshot>()};
  Readiness readiness{std::make_shared<ReadyState>()};
  TokenBuckets sale_buckets{BucketSettings{0, 1, 4}};
  ConcurrencyLimit concurrency{1000};
  Breaker inventory_breaker{eager({})};
  Breaker winners_breaker{eager({})};
  Breaker queue_breaker{eager({})};
  CallMeter direct;
  RateLimiter rate_limiter;
  ModeSnapshot flow{std::make_shared<ModeState>()};
};

struct Node::Http {
  Http(const Services& services, Who number, Shared& shared, SoldOutViews& views)
      : thread(services.scheduler),
        clock(thread, shared.skew, Millis{20}),
        lazy_clock(thread, shared.skew, kUpkeepSloth),
        caller{thread, number},
        redis({"redis", "http.inventory"}, &shared.inventory_breaker, clock, services.metrics),
        kafka({"kafka", "http.queue"}, &shared.queue_breaker, clock, services.metrics),
        inventory(create_inventory(services.network, {thread, number, &redis}, services.redis)),
        log(create_queue(services.network, {thread, number, &kafka}, services.log)),
        store(create_order_store(services.network, caller, services.store)),
        moves(create_order_transitions(services.network, caller, services.store)),
        late(create_late_orders(services.network, caller, services.store)),
        results(create_result_feed(services.network, caller, services.results)),
        store_inventory(create_store_inventory(*store)),
        direct(create_direct_queue(thread.executor(), *store, borrowed(clock), {}, &shared.direct)),
        failover(create_failover_queue(*log, *direct, shared.queue_breaker, clock)),
        router(shared.flow, {*inventory, *failover, *store_inventory, *direct}),
        watch(1000),
        orders(thread.executor(), {}, {router, *store, *moves, *late, clock, services.seal, watch}),
        purchases(thread.executor(), {},
                  {router, orders, views, shared.sale_buckets, shared.rate_limiter,
                   shared.concurrency, clock, shared.random, services.seal, services.metrics}) {
    results->listen([this](const std::vector<Outcome>& news) { watch.news(news); });
    spawn(thread, services.story, sweep(watch, lazy_clock));
  }

  Thread thread;
  NodeClock clock;
  NodeClock lazy_clock;
  Caller caller;
  Dependency redis;
  Dependency kafka;
  std::unique_ptr<Inventory> inventory;
  std::unique_ptr<OrderQueue> log;
  std::unique_ptr<OrderStore> store;
  std::unique_ptr<OrderTransitions> moves;
  std::unique_ptr<LateOrders> late;
  std::unique_ptr<ResultFeed> results;
  std::unique_ptr<Inventory> store_inventory;
  std::unique_ptr<OrderQueue> direct;
  std::unique_ptr<OrderQueue> failover;
  LaneRouter router;
  OrderWatch watch;
  OrderService orders;
  PurchaseService purchases;
};

struct Node::Fulfilment {
  Fulfilment(const Services& services, Who number, Shared& shared)
      : thread(services.scheduler),
        clock(thread, shared.skew, Millis{20}),
        caller{thread, number},
        inventory(create_inventory(services.network, caller, services.redis)),
        store(create_order_store(services.network, caller, services.store)),
        results(create_result_feed(services.network, caller, services.results)),
        feed(create_feed(services.network, caller, services.log, *store, clock)),
        fulfilment(shared.fulfilment,
                   {*feed, *store, *inventory, *results, shared.flow, clock, services.metrics}) {
    spawn(thread, services.story, fulfilment.run());
  }

  Thread thread;
  NodeClock clock;
  Caller caller;
  std::unique_ptr<Inventory> inventory;
  std::unique_ptr<OrderStore> store;
  std::unique_ptr<ResultFeed> results;
  std::unique_ptr<OrderFeed> feed;
  sluice::Fulfilment fulfilment;
};

struct Node::Control {
  Control(const Services& services, Who number, unsigned life, Shared& shared)
      : thread(services.scheduler),
        clock(thread, shared.skew, kNapSloth),
        caller{thread, number},
        inventory(create_inventory(services.network, caller, services.redis)),
        queue(create_queue(services.network, caller, services.log)),
        orders(create_order_store(services.network, caller, services.store)),
        audited(create_order_store(services.network, caller, services.store, Accuser::auditor)),
        moves(create_order_transitions(services.network, caller, services.store)),
        parked(create_late_orders(services.network, caller, services.store)),
        sales(create_sale_store(services.network, caller, services.store)),
        lease(create_control_store(services.network, caller, services.store)),
        results(create_result_feed(services.network, caller, services.results)),
        leadership(shared.settings.lease, shared.settings.call_timeout,
                   "node " + std::to_string(number) + "/" + std::to_string(life), *lease, clock,
                   [this] { send_heartbeat(); }),
        lanes(shared.settings, {*inventory, *queue, *orders, *results, clock, services.metrics}),
        auditor(shared.settings.call_timeout, shared.settings.call_timeout,
                {*inventory, *audited, clock, services.metrics}),
        audits(shared.settings.audit_every, {auditor, clock, services.metrics}),
        returns(shared.settings, {*moves, lanes, *inventory, *results, clock, services.metrics}),
        late(shared.settings,
             {*parked, lanes, *inventory, *queue, *results, clock, services.metrics}),
        flow({}, shared.settings.call_timeout, order_log(services),
             {*orders, shared.flow, shared.rate_limiter, shared.direct, shared.queue_breaker,
              [this] { return log_end(); }, [this] { return heartbeats(); }, clock,
              services.metrics}),
        network(services.network),
        log(services.log),
        control(shared.settings, probes(),
                {*sales, *orders, *lease, leadership, lanes, audits, returns, late, flow,
                 shared.book, shared.readiness, clock, services.metrics}),
        operations(
            create_operations(shared.settings, {*sales, *orders, *lease, auditor, control, clock})),
        shop(create_shop(thread.executor(), shared.settings.call_timeout,
                         {shared.book, *sales, *moves, [this] { control.hurry(); }, clock})),
        view_clock(thread, shared.skew, kViewSloth),
        redis({"redis", "views.inventory"}, &shared.winners_breaker, view_clock, services.metrics),
        winners(create_inventory(services.network, {thread, number, &redis}, services.redis)),
        store_winners(create_store_inventory(*orders)),
        view_router(shared.flow, {*winners, *queue, *store_winners, *queue}),
        views({.page = kWinnersPage}, {view_router, shared.book, view_clock, services.metrics}) {
    spawn(thread, services.story, control.run());
    spawn(thread, services.story, views.upkeep());
    spawn(thread, services.story, audits.run());
  }

  static OrderLog order_log(const Services& services) {
    return {kTopic, services.log.partitions()};
  }

  std::optional<std::int64_t> log_end() const {
    if (network.is_down(Service::log)) return std::nullopt;
    return log.end();
  }

  void send_heartbeat() {
    auto work = [&log = log]() -> Result<void> {
      ++log.heartbeats;
      return {};
    };
    const auto until = clock.ticks() + kHeartbeatTimeout;
    auto sent = network.call<void>(caller, Service::log, until, std::move(work));
    spawn(thread, network.story(), forget(std::move(sent)));
  }

  std::optional<std::int64_t> heartbeats() const {
    if (!network.reaches(caller.node, Service::log)) return std::nullopt;
    return log.heartbeats;
  }

  Task<> ping(Service service, Ticks deadline) {
    auto work = []() -> Result<void> { return {}; };
    return network.call<void>(caller, service, deadline, std::move(work));
  }

  std::vector<ServiceProbe> probes() {
    using Role = ServiceProbe::Role;
    const auto of = [this](Role role, Service service) {
      return ServiceProbe{role, [this, service](Ticks deadline) { return ping(service, deadline); },
                          "wait"};
    };
    return {of(Role::store, Service::store), of(Role::inventory, Service::redis),
            of(Role::queue, Service::log)};
  }

  Thread thread;
  NodeClock clock;
  Caller caller;
  std::unique_ptr<Inventory> inventory;
  std::unique_ptr<OrderQueue> queue;
  std::unique_ptr<OrderStore> orders;
  std::unique_ptr<OrderStore> audited;
  std::unique_ptr<OrderTransitions> moves;
  std::unique_ptr<LateOrders> parked;
  std::unique_ptr<SaleStore> sales;
  std::unique_ptr<ControlStore> lease;
  std::unique_ptr<ResultFeed> results;
  Leadership leadership;
  LaneReconciler lanes;
  Auditor auditor;
  Audits audits;
  ReturnReconciler returns;
  LateReconciler late;
  ModeReconciler flow;
  Network& network;
  Log& log;
  sluice::Control control;
  std::unique_ptr<Operations> operations;
  std::unique_ptr<Shop> shop;
  NodeClock view_clock;
  Dependency redis;
  std::unique_ptr<Inventory> winners;
  std::unique_ptr<Inventory> store_winners;
  LaneRouter view_router;
  SoldOutViews views;
};

namespace {

RecoverySettings recovery_settings() {
  RecoverySettings settings;
  settings.busy_tick = Millis{300};
  settings.missing_after = Millis{6000};
  settings.audit_every = Millis{4000};
  return settings;
}

using Book = std::shared_ptr<const SaleSnapshot>;

// The snapshot stays alive for as long as the request.
asio::awaitable<void> serve_buy(PurchaseService& purchases, Book book, SaleId id, UserId user,
                                std::uint32_t quantity, Node::Bought answer) {
  PurchaseAnswer given;
  if (const auto* sale = book->find(id)) {
    given = co_await purchases.buy(*sale, std::move(user), quantity);
  } else {
    given.refusal = {book->loaded ? Code::unknown_sale : Code::busy, {}};
  }
  answer(std::move(given));
}

/// The sale; that there is none is answered here.
const Sale* sale_of(const Book& book, SaleId id, const Node::Looked& answer) {
  const auto* sale = book->find(id);
  if (sale == nullptr) answer(Refusal{book->loaded ? Code::unknown_sale : Code::busy, {}});
  return sale;
}

asio::awaitable<void> serve_find(OrderService& desk, Book book, SaleId sale_id, OrderId id,
                                 UserId user, Millis patience, Node::Looked answer) {
  const auto* sale = sale_of(book, sale_id, answer);
  if (sale == nullptr) co_return;
  auto looked = co_await desk.wait(*sale, id, std::move(user), patience);
  answer(std::move(looked));
}

asio::awaitable<void> serve_mine(OrderService& desk, Book book, SaleId sale_id, UserId user,
                                 Node::Looked answer) {
  const auto* sale = sale_of(book, sale_id, answer);
  if (sale == nullptr) co_return;
  auto looked = co_await desk.mine(*sale, std::move(user));
  answer(std::move(looked));
}

asio::awaitable<void> serve_move(OrderService& desk, Book book, SaleId sale_id, OrderId id,
                                 UserId user, Move move, Node::Looked answer) {
  const auto* sale = sale_of(book, sale_id, answer);
  if (sale == nullptr) co_return;
  auto moved = co_await desk.move(*sale, id, std::move(user), move);
  answer(std::move(moved));
}

asio::awaitable<void> command_move(Shop& shop, SaleId sale, OrderId id, UserId user, Move move,
                                   Node::Shopped answer) {
  auto moved = co_await shop.move(sale, id, std::move(user), move);
  answer(std::move(moved));
}

asio::awaitable<void> command_state(Operations& desk, SaleId sale, SaleState state,
                                    std::function<void(bool)> answer) {
  const auto done = co_await desk.set_state(sale, state);
  answer(done.has_value());
}

asio::awaitable<void> command_rebuild(Operations& desk, SaleId sale, bool force) {
  co_await desk.rebuild(sale, force);
}

asio::awaitable<void> command_hold(Operations& desk, std::optional<OperatingMode> mode,
                                   std::function<void(bool)> answer) {
  const auto done = co_await desk.hold(mode);
  answer(done.has_value());
}

}  // namespace

Node::Node(Services services, Who number, unsigned life) : services_(services), number_(number) {
  shared_ = std::make_unique<Shared>(services_.scheduler.rng().next(), recovery_settings());
  shared_->fulfilment.poll = Millis{1000};
  fulfilment_ = std::make_unique<Fulfilment>(services_, number, *shared_);
  control_ = std::make_unique<Control>(services_, number, life, *shared_);
  http_ = std::make_unique<Http>(services_, number, *shared_, control_->views);
}

Node::~Node() = default;

void Node::buy(SaleId sale, UserId user, std::uint32_t quantity, Bought answer) {
  spawn(http_->thread, services_.story,
        serve_buy(http_->purchases, shared_->book.get(), sale, std::move(user), quantity,
                  std::move(answer)));
}

void Node::find(SaleId sale, OrderId id, UserId user, Millis patience, Looked answer) {
  spawn(http_->thread, services_.story,
        serve_find(http_->orders, shared_->book.get(), sale, id, std::move(user), patience,
                   std::move(answer)));
}

void Node::mine(SaleId sale, UserId user, Looked answer) {
  spawn(http_->thread, services_.story,
        serve_mine(http_->orders, shared_->book.get(), sale, std::move(user), std::move(answer)));
}

void Node::move(SaleId sale, OrderId id, UserId user, Move move, Looked answer) {
  spawn(http_->thread, services_.story,
        serve_move(http_->orders, shared_->book.get(), sale, id, std::move(user), move,
                   std::move(answer)));
}

void Node::move_for_shop(SaleId sale, OrderId id, UserId user, Move move, Shopped answer) {
  spawn(control_->thread, services_.story,
        command_move(*control_->shop, sale, id, std::move(user), move, std::move(answer)));
}

void Node::set_state(SaleId sale, SaleState state, std::function<void(bool)> answer) {
  spawn(control_->thread, services_.story,
        command_state(*control_->operations, sale, state, std::move(answer)));
}

void Node::rebuild(SaleId sale, bool force) {
  spawn(control_->thread, services_.story, command_rebuild(*control_->operations, sale, force));
}

void Node::hold(std::optional<OperatingMode> mode, std::function<void(bool)> answer) {
  spawn(control_->thread, services_.story,
        command_hold(*control_->operations, mode, std::move(answer)));
}

void Node::freeze(bool frozen) {
  http_->thread.freeze(frozen);
  fulfilment_->thread.freeze(frozen);
  control_->thread.freeze(frozen);
}

void Node::jump(Millis by) { shared_->skew.by += by; }

void Node::set_clock() { shared_->skew.by = Millis{0}; }

}  // namespace sluice::simulation
