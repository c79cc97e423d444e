#include "adapters/redis/connection.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <stdexcept>
#include <utility>
#include <vector>

#include "sluice/base/log.hpp"
#include "sluice/base/random.hpp"

#include "adapters/redis/link.hpp"
#include "adapters/redis/url.hpp"

namespace sluice {

namespace asio = boost::asio;

namespace redis {
namespace {

Endpoint endpoint_of(const std::string& url) {
  ParsedUrl parsed = parse_url(url);
  if (!parsed.problem.empty()) throw std::invalid_argument(parsed.problem);
  return std::move(parsed.endpoint);
}

/// Hands the waiter of a suspended coroutine to `start`.
template <class Start>
struct Wait {
  asio::any_io_executor executor;
  Start start;
  void operator()(Completion<Result<Reply>> answer) {
    start(std::make_shared<Waiter>(executor, std::move(answer)));
  }
};

}  // namespace

struct Connection::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor e, RedisSettings s, Subscription sub)
      : executor(std::move(e)),
        settings(std::move(s)),
        endpoint(endpoint_of(settings.url)),
        subscription(std::move(sub)),
        pause(executor),
        random(system_random()) {}

  static asio::awaitable<void> run(std::shared_ptr<State> self);

  void on_connected();
  void report(const Trouble& trouble);
  void stop();
  Millis jittered(Millis backoff);

  asio::any_io_executor executor;
  RedisSettings settings;
  Endpoint endpoint;
  Subscription subscription;
  asio::steady_timer pause;
  Random random;
  std::shared_ptr<Link> link;
  bool serves = false;
  std::shared_ptr<std::atomic<bool>> was_up = std::make_shared<std::atomic<bool>>(false);
  bool stopped = false;
  std::vector<std::shared_ptr<Waiter>> until_ready;
  std::string last_trouble;
};

asio::awaitable<void> Connection::State::run(std::shared_ptr<State> self) {
  Millis backoff = self->settings.backoff_min;
  while (!self->stopped) {
    auto link =
        std::make_shared<Link>(self->executor, self->settings, self->endpoint, self->subscription);
    self->link = link;
    Trouble trouble = co_await link->open();
    if (trouble.text.empty()) {
      backoff = self->settings.backoff_min;
      self->on_connected();
      trouble = co_await link->serve();
      self->serves = false;
      link->fail_waiters();
    }
    if (self->stopped) break;
    link->close(trouble.text);
    self->report(trouble);
    self->pause.expires_after(self->jittered(backoff));
    backoff = std::min(backoff * 2, self->settings.backoff_max);
    co_await self->pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

void Connection::State::on_connected() {
  if (stopped) return;
  serves = true;
  *was_up = true;
  if (!last_trouble.empty()) log().info("redis {}:{} serves", endpoint.host, endpoint.port);
  last_trouble.clear();
  for (const auto& waiter : std::exchange(until_ready, {})) waiter->finish(Reply{});
}

void Connection::State::report(const Trouble& trouble) {
  const auto level = trouble.text == last_trouble ? spdlog::level::debug
                     : trouble.needs_person       ? spdlog::level::critical
                                                  : spdlog::level::err;
  log().log(level, "redis {}:{}: {}", endpoint.host, endpoint.port, trouble.text);
  last_trouble = trouble.text;
}

void Connection::State::stop() {
  stopped = true;
  serves = false;
  pause.cancel();
  if (link) {
    link->close("stopped");
    link->drop_waiters();
  }
  for (const auto& waiter : std::exchange(until_ready, {})) waiter->drop();
}

Millis Connection::State::jittered(Millis backoff) {
  const auto half = static_cast<std::uint64_t>(std::max<Millis::rep>(backoff.count() / 2, 1));
  return backoff - Millis{static_cast<Millis::rep>(random() % half)};
}

Connection::Connection(asio::any_io_executor executor, RedisSettings settings,
                       Subscription subscription)
    : state_(std::make_shared<State>(std::move(executor), std::move(settings),
                                     std::move(subscription))) {
  auto running = State::run(state_);
  asio::co_spawn(state_->executor, std::move(running), asio::detached);
}

Connection::~Connection() { state_->stop(); }

Task<Reply> Connection::call(Ticks deadline, const Command& command) {
  if (!state_->serves) co_return Errc::unavailable;
  if (state_->link->in_flight() >= state_->settings.in_flight_max) co_return Errc::overloaded;
  if (std::chrono::steady_clock::now() >= deadline) co_return Errc::unavailable;
  auto start = [&](std::shared_ptr<Waiter> waiter) {
    waiter->expect_by(deadline, Errc::unknown);
    state_->link->send(command, std::move(waiter));
  };
  Wait<decltype(start)> wait{state_->executor, std::move(start)};
  co_return co_await suspend<Result<Reply>>(std::move(wait));
}

Task<> Connection::ready(Ticks deadline) {
  if (state_->serves) co_return Result<void>{};
  auto start = [&](std::shared_ptr<Waiter> waiter) {
    waiter->expect_by(deadline, Errc::unavailable);
    std::erase_if(state_->until_ready, [](const auto& other) { return other->done(); });
    state_->until_ready.push_back(std::move(waiter));
  };
  Wait<decltype(start)> wait{state_->executor, std::move(start)};
  const auto answer = co_await suspend<Result<Reply>>(std::move(wait));
  if (answer.has_error()) co_return answer.error();
  co_return Result<void>{};
}

const asio::any_io_executor& Connection::executor() const noexcept { return state_->executor; }

const RedisSettings& Connection::settings() const noexcept { return state_->settings; }
std::shared_ptr<const std::atomic<bool>> Connection::was_up() const noexcept {
  return state_->was_up;
}

}  // namespace redis

RedisConnection connect_redis(asio::any_io_executor executor, RedisSettings settings) {
  return std::make_shared<redis::Connection>(std::move(executor), std::move(settings));
}

std::shared_ptr<const std::atomic<bool>> was_up(const RedisConnection& connection) {
  return connection->was_up();
}

Task<> ping(RedisConnection connection, Ticks deadline) {
  const auto ready = co_await connection->ready(deadline);
  if (ready.has_error()) co_return ready.error();
  redis::Command command;
  command.add("PING");
  const auto reply = co_await connection->call(deadline, command);
  if (reply.has_error()) co_return reply.error();
  if (reply.value()->type == REDIS_REPLY_ERROR) co_return Errc::unavailable;
  co_return Result<void>{};
}

}  // namespace sluice
