#include "sluice/app/serve.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <utility>

#include "sluice/adapters/kafka/topics.hpp"
#include "sluice/adapters/postgres/migrations.hpp"
#include "sluice/adapters/postgres/stores.hpp"
#include "sluice/base/log.hpp"
#include "sluice/gate/identity.hpp"
#include "sluice/settings/descriptors.hpp"
#include "sluice/settings/secrets.hpp"

#include "app/node.hpp"
#include "app/reloader.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

constexpr Millis kLookAgain{50};
constexpr Millis kMigrateTimeout{60'000};
constexpr Millis kAccessLogEnd{1'000};
constexpr std::chrono::hours kDemoTokenLife{12};

std::string url_of(const std::string& address, std::uint16_t port) {
  const bool any = address == "0.0.0.0" || address == "::";
  const auto host = any ? "127.0.0.1" : address;
  const bool v6 = host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

SaleDraft demo_draft(TimePoint now) {
  SaleDraft draft;
  draft.title = "Demo: a thousand mugs";
  draft.description = "A mug with a sluice gate on it. Two to a person, until they are gone.";
  draft.unit_price_minor = 990;
  draft.currency = "EUR";
  draft.stock = 1000;
  draft.limit_per_order = 2;
  draft.starts_at = now;
  draft.ends_at = now + std::chrono::hours(24 * 30);
  return draft;
}

/// The sale that `serve --demo` opens, if no sale is open yet.
asio::awaitable<Operated<Sale>> ensure_demo_sale(Operations& operations, TimePoint now) {
  const auto sales = co_await operations.list(SaleFilter::unfinished, kSalesBegin, kSalesPageMax);
  if (!sales) co_return sales.error();
  for (const auto& sale : *sales) {
    if (phase(sale, now) == WindowPhase::open) co_return sale;
  }
  auto draft = demo_draft(now);
  const auto created = co_await operations.create(std::move(draft));
  if (!created) co_return created;
  co_return co_await operations.set_state(created->id, SaleState::open);
}

/// What a newcomer reads on the terminal: the page, and a line for a shell that buys.
std::string demo_greeting(const std::string& url, const Sale& sale, const std::string& token) {
  return fmt::format(R"(
  The page:  {0}/
  Or buy from a shell:

    curl -X POST {0}/v1/sales/{1}/orders \
      -H 'Content-Type: application/json' -d '{{"quantity": 1}}' \
      -H 'Authorization: Bearer {2}'

)",
                     url, sale.id, token);
}

/// Opens the demo sale as soon as the node is ready, and says how to buy.
asio::awaitable<void> greet(Node& node, Clock& clock, const Settings& settings,
                            IdentitySettings identity) {
  while (!node.ready()) co_await clock.sleep_until(clock.ticks() + kLookAgain);
  auto opening = ensure_demo_sale(node.operations(), clock.now());
  const auto sale =
      co_await asio::co_spawn(node.control(), std::move(opening), asio::use_awaitable);
  if (!sale) {
    log().error("the demo sale cannot be opened: {}", sale.error().detail);
    co_return;
  }
  const auto token =
      sign_token(identity, *UserId::parse("you"), clock.now(), Millis(kDemoTokenLife));
  const auto text = demo_greeting(url_of(settings.http.http.address, node.port()), *sale, token);
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

/// Ends the loop at SIGTERM or SIGINT. Before that the node serves on, though not ready, until the
/// drain's delay is over or a second signal comes.
class StopSignals {
 public:
  StopSignals(asio::io_context& context, Node& node, const Settings& settings)
      : context_(context), node_(node), settings_(settings) {
    signals_.async_wait([this](const boost::system::error_code&, int signal) { begin(signal); });
  }

 private:
  void begin(int signal) {
    log().info("signal {}: not ready from now on; draining for at most {} ms in {} ms", signal,
               settings_.drain_timeout.count(), settings_.drain_delay.count());
    node_.drain();
    signals_.async_wait([this](const boost::system::error_code&, int) { context_.stop(); });
    delay_.expires_after(settings_.drain_delay);
    delay_.async_wait([this](const boost::system::error_code&) { context_.stop(); });
  }

  asio::io_context& context_;
  Node& node_;
  const Settings& settings_;
  asio::signal_set signals_{context_, SIGTERM, SIGINT};
  asio::steady_timer delay_{context_};
};

/// Raises the limit of open files as far as this process may, and fits the settings to it.
void fit_descriptors(Settings& settings) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto soft = std::exchange(limit.rlim_cur, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = soft;
  const auto lowered = fit_connections(settings, limit.rlim_cur);
  if (!lowered.empty()) log().warn("{}", lowered);
}

void warn_of_open_network(const Settings& settings) {
  if (settings.mode == Mode::embedded) return;
  if (const auto warning = postgres_url_warning(settings.postgres.url)) log().warn("{}", *warning);
}

int run(Settings settings, const ServeOptions& options) {
  const auto asked = settings;
  fit_descriptors(settings);
  warn_of_open_network(settings);
  const auto clock = std::shared_ptr<Clock>(system_clock());
  const auto secrets = load_secrets(settings, process_environment());
  auto verified = settings.identity;
  verified.keys = secrets.identity_keys;
  Snapshot<IdentitySettings> identity(std::make_shared<const IdentitySettings>(verified));

  std::function<std::string(const UserId&)> demo_token;
  if (options.demo) {
    demo_token = [&identity, clock](const UserId& user) {
      return sign_token(*identity.get(), user, clock->now(), Millis(kDemoTokenLife));
    };
  }
  // It outlives the node's threads, which answer on it.
  asio::io_context context(1);
  HangUps hang_ups(context);
  Node node(settings, secrets, std::move(demo_token), clock);

  const StopSignals stop(context, node, settings);
  const Reloader reloader(hang_ups, node, identity, asked, secrets, options.reload);
  node.start();
  std::printf("serving %s (admin %s)\n", url_of(settings.http.http.address, node.port()).c_str(),
              url_of(settings.admin.http.address, node.admin_port()).c_str());
  std::fflush(stdout);
  if (options.demo) {
    auto greeting = greet(node, *clock, settings, verified);
    asio::co_spawn(context, std::move(greeting), asio::detached);
  }
  context.run();

  if (!node.stop()) {
    log().warn("the drain was cut short; recovery decides what it left");
    log().flush();
    // Threads may still be inside calls that refer to each other, so nothing is destroyed. No order
    // is in memory alone.
    std::_Exit(EXIT_FAILURE);
  }
  if (!flush_access_log(kAccessLogEnd)) log().warn("the access log's last lines are not written");
  log().info("stopped");
  return EXIT_SUCCESS;
}

}  // namespace

int serve(const Settings& settings, const ServeOptions& options) {
  configure_log(settings.log);
  // Writing to a client that has closed its connection must not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    set_access_log(settings.access_log);
    return run(settings, options);
  } catch (const std::exception& e) {
    log().critical("cannot serve: {}", e.what());
    return EXIT_FAILURE;
  }
}

int migrate(const Settings& settings) {
  configure_log(settings.log);
  const auto deadline = system_clock()->ticks() + kMigrateTimeout;
  if (settings.mode == Mode::embedded) {
    log().info("the embedded mode migrates its file at every start; nothing to do");
    return EXIT_SUCCESS;
  }
  const auto report = migrate_postgres(settings.postgres, deadline);
  for (const auto& name : report.applied) log().info("applied {}", name);
  if (report.problem) {
    log().critical("Postgres: {}", *report.problem);
    return EXIT_FAILURE;
  }
  if (report.applied.empty()) log().info("Postgres: the schema is up to date");

  if (const auto topics = create_kafka_topics(settings.kafka, deadline); !topics) {
    log().critical("Kafka: {}", topics.error().message());
    return EXIT_FAILURE;
  }
  log().info("Kafka: topics {}, {} and {} are there", settings.kafka.topic,
             settings.kafka.dead_letter_topic, heartbeat_topic(settings.kafka));
  return EXIT_SUCCESS;
}

}  // namespace sluice
