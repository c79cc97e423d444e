#include "app/node.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <unistd.h>
#include <utility>

#include "sluice/base/hash.hpp"
#include "sluice/base/log.hpp"
#include "sluice/base/random.hpp"
#include "sluice/catalog/sale_look_up.hpp"
#include "sluice/fulfilment/fulfilment.hpp"
#include "sluice/gate/front_gate.hpp"
#include "sluice/operations/operations.hpp"
#include "sluice/operations/shop.hpp"
#include "sluice/orders/lane_router.hpp"
#include "sluice/orders/order_queue.hpp"
#include "sluice/orders/order_service.hpp"
#include "sluice/orders/order_watch.hpp"
#include "sluice/orders/purchase_service.hpp"
#include "sluice/orders/sold_out_views.hpp"
#include "sluice/recovery/control.hpp"
#include "sluice/recovery/lane_reconciler.hpp"
#include "sluice/recovery/return_reconciler.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

constexpr Millis kSweepEvery{50};
constexpr Millis kRetryWait{500};

std::string node_name() {
  char host[256] = "";
  ::gethostname(host, sizeof(host) - 1);
  return std::string(host) + "/" + std::to_string(::getpid()) + "/" + random_hex(4);
}

SaleLookUpSettings look_up_settings(const Settings& settings) {
  SaleLookUpSettings look_up;
  look_up.timeout = settings.lookup.timeout;
  look_up.batch_max = std::min(settings.lookup.batch_max, kSalesPageMax);
  return look_up;
}

asio::awaitable<void> sweep(OrderWatch& watch, Clock& clock) {
  for (;;) {
    watch.sweep(clock.ticks());
    co_await clock.sleep_until(clock.ticks() + kSweepEvery);
  }
}

}  // namespace

/// One HTTP thread: its ports, its services and its listener. Declared in the order of use;
/// destroyed in the reverse, after the loop has ended.
struct Node::Http final : PublicApi {
  Http(Node& node, SoldOutViews& views, unsigned index, std::uint16_t port,
       const std::function<std::string(const UserId&)>& demo_token)
      : clock(*node.clock_),
        worker("http-" + std::to_string(index)),
        ports(node.backend_.http_ports(worker.executor())),
        front{{create_address_rate_stage(node.ip_buckets_, random)},
              {create_failure_rate_stage(node.failure_buckets_, random)},
              Identity(node.settings_.identity),
              {create_user_rate_stage(node.user_buckets_, random)},
              node.failure_buckets_},
        failover(ports.direct ? create_failover_queue(*ports.queue, *ports.direct,
                                                      node.guards_.queue, *node.clock_)
                              : nullptr),
        router(node.guards_.flow, adapters(*ports.inventory)),
        look_up_router(node.guards_.flow,
                       adapters(ports.look_ups ? *ports.look_ups : *ports.inventory)),
        watch(node.settings_.long_polls_max / node.settings_.http_threads + 1),
        sales(worker.executor(), look_up_settings(node.settings_), *ports.sales, *node.clock_),
        old_sales{create_address_rate_stage(node.old_sale_buckets_, random)},
        orders(worker.executor(), node.settings_.lookup,
               {look_up_router, *ports.orders, *ports.moves, *ports.late, *node.clock_, node.seal_,
                watch}),
        purchases(worker.executor(), node.settings_.purchase,
                  {router, orders, views, node.sale_buckets_, node.guards_.rate_limiter,
                   node.concurrency_, *node.clock_, random, node.seal_, node.metrics_}) {
    auto settings = node.settings_.http;
    settings.http.port = port;
    server = create_public_server(
        worker.executor(), settings,
        {*this, node.book_, clock, node.readiness_, node.metrics_, node.connections_, demo_token});
    ports.results->listen([this](const std::vector<Outcome>& news) { watch.news(news); });
    worker.spawn(sweep(watch, *node.clock_));
  }

  ~Http() override { worker.stop(); }

  LaneRouter::Adapters adapters(Inventory& inventory) {
    if (!failover) return {inventory, *ports.queue, inventory, *ports.queue};
    return {inventory, *failover, *ports.store_inventory, *ports.direct};
  }

  std::optional<Refusal> admit(std::string_view ip) override {
    Admission admission{clock.now(), clock.ticks(), ip};
    return sluice::admit(front.addresses, admission);
  }
  Identified identify(std::string_view token, std::string_view ip) override {
    Admission admission{clock.now(), clock.ticks(), ip};
    return front.identify(token, std::move(admission));
  }
  asio::awaitable<FoundSale> look_up(SaleId sale, std::string ip) override {
    if (auto kept = sales.kept(sale)) co_return std::move(*kept);
    Admission admission{clock.now(), clock.ticks(), ip};
    if (const auto refusal = sluice::admit(old_sales, admission)) co_return *refusal;
    auto found = co_await sales.find(sale);
    if (!found) co_return Refusal{Code::busy, jittered(kRetryWait, random)};
    co_return std::move(*found);
  }
  asio::awaitable<PurchaseAnswer> buy(const Sale& sale, UserId user, std::uint32_t quantity,
                                      std::string_view request_id) override {
    return purchases.buy(sale, std::move(user), quantity, request_id);
  }
  asio::awaitable<LookUp> find(const Sale& sale, OrderId id, UserId user,
                               Patience patience) override {
    if (patience.at_most == Millis{0}) return orders.find(sale, id, std::move(user));
    return orders.wait(sale, id, std::move(user), patience);
  }
  asio::awaitable<LookUp> mine(const Sale& sale, UserId user) override {
    return orders.mine(sale, std::move(user));
  }
  asio::awaitable<LookUp> cancel(const Sale& sale, OrderId id, UserId user) override {
    return orders.move(sale, id, std::move(user), Move::cancel);
  }

  Clock& clock;
  Worker worker;
  Random random = system_random();
  Ports ports;
  FrontGate front;
  std::unique_ptr<OrderQueue> failover;  ///< Null on a node with one mode.
  LaneRouter router;
  LaneRouter look_up_router;
  OrderWatch watch;
  SaleLookUp sales;
  AdmissionChain old_sales;  ///< Of every request for a sale that is neither known nor remembered.
  OrderService orders;
  PurchaseService purchases;
  std::unique_ptr<HttpServer> server;
};

struct Node::FulfilmentThread {
  FulfilmentThread(Node& node, unsigned index)
      : worker("fulfil-" + std::to_string(index)),
        ports(node.backend_.fulfilment_ports(worker.executor())),
        fulfilment(node.settings_.fulfilment,
                   {*ports.feed, *ports.orders, *ports.inventory, *ports.results, node.guards_.flow,
                    *node.clock_, node.metrics_}) {}

  ~FulfilmentThread() { worker.stop(); }

  Worker worker;
  Ports ports;
  Fulfilment fulfilment;
  std::future<void> running;
};

struct Node::ControlThread {
  explicit ControlThread(Node& node)
      : worker("control"),
        ports(node.backend_.control_ports(worker.executor())),
        leadership(node.settings_.recovery.lease, node.settings_.recovery.call_timeout, node_name(),
                   *ports.control, *node.clock_, ports.heartbeat.send),
        lanes(node.settings_.recovery, {*ports.inventory, *ports.queue, *ports.orders,
                                        *ports.results, *node.clock_, node.metrics_}),
        auditor(node.settings_.recovery.call_timeout, node.settings_.recovery.call_timeout,
                {*ports.inventory, *ports.orders, *node.clock_, node.metrics_}),
        audit_ports(node.backend_.audit_ports(worker.executor())),
        background_auditor(node.settings_.recovery.call_timeout,
                           node.settings_.recovery.audit_timeout,
                           {*ports.inventory, *audit_ports.orders, *node.clock_, node.metrics_}),
        audits(node.settings_.recovery.audit_every,
               {background_auditor, *node.clock_, node.metrics_}),
        returns(node.settings_.recovery, {*ports.moves, lanes, *ports.inventory, *ports.results,
                                          *node.clock_, node.metrics_}),
        late(node.settings_.recovery, {*ports.late, lanes, *ports.inventory, *ports.queue,
                                       *ports.results, *node.clock_, node.metrics_}),
        flow(node.settings_.degrade.flow, node.settings_.recovery.call_timeout, node.backend_.log,
             {*ports.orders, node.guards_.flow, node.guards_.rate_limiter, node.guards_.direct,
              node.guards_.queue, ports.log_end, ports.heartbeat.count, *node.clock_,
              node.metrics_}),
        control(node.settings_.recovery, ports.probes,
                {*ports.sales, *ports.orders, *ports.control, leadership, lanes, audits, returns,
                 late, flow, node.book_, node.readiness_, *node.clock_, node.metrics_}),
        operations(create_operations(
            node.settings_.recovery,
            {*ports.sales, *ports.orders, *ports.control, auditor, control, *node.clock_})),
        view_ports(node.backend_.view_ports(worker.executor())),
        view_router(node.guards_.flow, view_adapters()),
        views({.fresh = node.settings_.purchase.sold_out_fresh},
              {view_router, node.book_, *node.clock_, node.metrics_}) {}

  ~ControlThread() { worker.stop(); }

  /// The views only read: they have no use for a queue.
  LaneRouter::Adapters view_adapters() {
    auto& store = view_ports.store_inventory ? view_ports.store_inventory : view_ports.inventory;
    return {*view_ports.inventory, *ports.queue, *store, *ports.queue};
  }

  Worker worker;
  Ports ports;
  Leadership leadership;
  LaneReconciler lanes;
  Auditor auditor;  ///< For operators, who wait.
  Ports audit_ports;
  Auditor background_auditor;
  Audits audits;
  ReturnReconciler returns;
  LateReconciler late;
  ModeReconciler flow;
  Control control;
  std::unique_ptr<Operations> operations;
  Ports view_ports;
  LaneRouter view_router;
  SoldOutViews views;
  std::future<void> running;
};

/// The thread of operators and shops.
struct Node::AdminThread {
  AdminThread(Node& node, AdminSettings settings, AdminKeys admin_keys)
      : worker("admin"),
        keys(std::move(admin_keys)),
        ports(node.backend_.shop_ports(worker.executor())),
        shop(create_shop(
            worker.executor(), node.settings_.recovery.call_timeout,
            {node.book_, *ports.sales, *ports.moves, relay_soon(*node.control_), *node.clock_})),
        server(create_admin_server(worker.executor(), std::move(settings),
                                   {*node.control_->operations, node.control_->worker.executor(),
                                    *shop, *node.clock_, node.readiness_, node.metrics_, keys})) {}

  ~AdminThread() { worker.stop(); }

  /// The next round relays the units that returned: it comes soon.
  static std::function<void()> relay_soon(ControlThread& thread) {
    return
        [&thread] { asio::post(thread.worker.executor(), [&thread] { thread.control.hurry(); }); };
  }

  Worker worker;
  AdminKeys keys;  ///< Changed on the thread alone.
  Ports ports;
  std::unique_ptr<Shop> shop;
  std::unique_ptr<HttpServer> server;
};

Node::Node(Settings settings, const Secrets& secrets,
           std::function<std::string(const UserId&)> demo_token, std::shared_ptr<Clock> clock)
    : settings_(std::move(settings)),
      clock_(std::move(clock)),
      guards_(settings_),
      backend_(std::invoke(
          settings_.mode == Mode::embedded ? create_embedded_backend : create_services_backend,
          settings_, clock_, guards_, metrics_)),
      book_(std::make_shared<SaleSnapshot>()),
      readiness_(std::make_shared<ReadyState>()),
      seal_(secrets.orders_secret),
      ip_buckets_(settings_.gate.ips),
      failure_buckets_(settings_.gate.failures),
      user_buckets_(settings_.gate.users),
      sale_buckets_(settings_.gate.sales),
      old_sale_buckets_(settings_.gate.old_sales),
      concurrency_(settings_.gate.concurrency_max),
      connections_(create_connection_limits(settings_.connections)) {
  settings_.http_threads = http_thread_count(settings_);
  settings_.identity.keys = secrets.identity_keys;
  settings_.degrade.flow.lease = settings_.recovery.lease;
  settings_.recovery.missing_after = settings_.purchase.publish_timeout;
  if (settings_.mode != Mode::embedded) {
    settings_.recovery.missing_after += settings_.kafka.delivery_timeout;
  }
  control_ = std::make_unique<ControlThread>(*this);
  const unsigned workers = backend_.log ? settings_.fulfilment_workers : 0;
  for (unsigned i = 0; i < workers; ++i) {
    fulfilment_.push_back(std::make_unique<FulfilmentThread>(*this, i));
  }
  refuse_taken_address(settings_.http.http);
  auto port = settings_.http.http.port;
  for (unsigned i = 0; i < settings_.http_threads; ++i) {
    http_.push_back(std::make_unique<Http>(*this, control_->views, i, port, demo_token));
    // With port 0 the first thread chooses and the others share its choice.
    port = http_.front()->server->port();
  }
  admin_ = std::make_unique<AdminThread>(*this, settings_.admin, secrets.admin_keys);
}

Node::~Node() {
  // Listeners first: the admin listener makes calls on the control thread.
  admin_.reset();
  http_.clear();
  fulfilment_.clear();
  control_.reset();
}

void Node::start() {
  control_->worker.start();
  control_->running = control_->worker.run(control_->control.run());
  control_->worker.spawn(control_->views.upkeep());
  control_->worker.spawn(control_->audits.run());
  for (auto& thread : fulfilment_) {
    thread->worker.start();
    thread->running = thread->worker.run(thread->fulfilment.run());
  }
  for (auto& thread : http_) {
    thread->server->start();
    thread->worker.start();
  }
  admin_->server->start();
  admin_->worker.start();
}

void Node::reload(const Settings& settings, const Secrets& secrets) {
  const auto set_rate = [](TokenBuckets& buckets, const BucketSettings& fresh) {
    buckets.set_rate(fresh.rate_per_s, fresh.burst);
  };
  set_rate(ip_buckets_, settings.gate.ips);
  set_rate(failure_buckets_, settings.gate.failures);
  set_rate(user_buckets_, settings.gate.users);
  set_rate(sale_buckets_, settings.gate.sales);
  set_rate(old_sale_buckets_, settings.gate.old_sales);
  // Keys belong to the thread that compares with them.
  for (auto& thread : http_) {
    auto& identity = thread->front.identity;
    asio::post(thread->worker.executor(),
               [&identity, keys = secrets.identity_keys] { identity.use_keys(keys); });
  }
  asio::post(admin_->worker.executor(),
             [&keys = admin_->keys, fresh = secrets.admin_keys] { keys = fresh; });
}

void Node::drain() {
  asio::post(control_->worker.executor(), [this] { control_->control.drain(); });
}

bool Node::stop() {
  drain();
  const auto until = clock_->ticks() + settings_.drain_timeout;
  const auto left = [&] {
    return std::max(Millis{0}, std::chrono::floor<Millis>(until - clock_->ticks()));
  };
  bool complete = true;
  std::vector<std::future<bool>> drained;
  for (auto& thread : http_) {
    drained.push_back(thread->worker.run(thread->server->drain(left())));
  }
  for (auto& one : drained) complete &= one.get();
  backend_.flush(left());

  for (auto& thread : fulfilment_) thread->fulfilment.stop();
  asio::post(control_->worker.executor(), [this] { control_->control.stop(); });
  const auto ended = [&](std::future<void>& running) {
    return running.wait_for(left()) == std::future_status::ready;
  };
  for (auto& thread : fulfilment_) complete &= ended(thread->running);
  complete &= admin_->worker.run(admin_->server->drain(left())).get();
  complete &= ended(control_->running);
  return complete;
}

std::uint16_t Node::port() const { return http_.front()->server->port(); }
std::uint16_t Node::admin_port() const { return admin_->server->port(); }

Operations& Node::operations() { return *control_->operations; }
asio::any_io_executor Node::control() { return control_->worker.executor(); }

}  // namespace sluice
