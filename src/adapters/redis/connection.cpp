#include "adapters/redis/connection.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <exception>
#include <utility>

#include "sluice/base/log.hpp"

#include "adapters/redis/url.hpp"

namespace sluice {

namespace asio = boost::asio;

namespace redis {

RedisConnection Connection::open(asio::any_io_executor executor, RedisSettings settings,
                                 Subscription subscription) {
  const auto endpoint = parse_url(settings.url);
  auto tls = endpoint.tls ? make_tls_context(settings) : nullptr;
  Target target{endpoint, std::move(settings), std::move(subscription), std::move(tls)};
  const auto made =
      std::make_shared<Connection>(executor, std::make_shared<const Target>(std::move(target)));
  auto running = run(made);
  asio::co_spawn(executor, std::move(running), asio::detached);
  return {made.get(), [made](Connection*) { made->stop(); }};
}

Connection::Connection(asio::any_io_executor executor, std::shared_ptr<const Target> target)
    : executor_(std::move(executor)), target_(std::move(target)), pause_(executor_) {}

RedisConnection Connection::listen(Subscription subscription) const {
  return open(executor_, target_->settings, std::move(subscription));
}

asio::awaitable<void> Connection::run(std::shared_ptr<Connection> self) {
  const auto& settings = self->target_->settings;
  Millis backoff = settings.backoff_min;
  while (!self->stopped_) {
    const auto link = std::make_shared<Link>(self->executor_, self->target_);
    self->link_ = link;
    try {
      co_await link->open();
      backoff = settings.backoff_min;
      self->on_connected();
      co_await link->serve();
    } catch (const std::exception& e) {
      link->close(e.what());
    }
    self->serves_ = false;
    link->fail_waiters();
    if (self->stopped_) break;
    self->report();
    // Those who lost Redis together do not come back together.
    const auto half = std::max<Millis::rep>(backoff.count() / 2, 1);
    const auto jitter = self->random_() % static_cast<std::uint64_t>(half);
    self->pause_.expires_after(backoff - Millis(jitter));
    backoff = std::min(backoff * 2, settings.backoff_max);
    co_await self->pause_.async_wait(kTuple);
  }
}

void Connection::on_connected() {
  if (stopped_) return;
  serves_ = true;
  *was_up = true;
  const auto& endpoint = target_->endpoint;
  if (!last_trouble_.empty()) log().info("redis {}:{} serves", endpoint.host, endpoint.port);
  last_trouble_.clear();
  for (const auto& waiter : until_ready_) waiter->finish(Reply{});
}

void Connection::report() {
  const auto level = link_->why() == last_trouble_ ? spdlog::level::debug
                     : link_->needs_person()       ? spdlog::level::critical
                                                   : spdlog::level::err;
  log().log(level, "redis {}:{}: {}", target_->endpoint.host, target_->endpoint.port, link_->why());
  last_trouble_ = link_->why();
}

void Connection::stop() {
  stopped_ = true;
  serves_ = false;
  pause_.cancel();
  if (link_) link_->close("stopped");
}

Task<Reply> Connection::call(Ticks deadline, const Command& command) {
  if (!serves_) co_return Errc::unavailable;
  if (link_->in_flight() >= target_->settings.in_flight_max) co_return Errc::overloaded;
  if (std::chrono::steady_clock::now() >= deadline) co_return Errc::unavailable;
  const auto waiter = std::make_shared<Waiter>(executor_, deadline, Errc::unknown);
  link_->send(command, waiter);
  co_await waiter->over.async_wait(kTuple);
  co_return std::move(waiter->answer);
}

Task<> Connection::ready(Ticks deadline) {
  if (serves_) co_return Result<void>{};
  const auto waiter = std::make_shared<Waiter>(executor_, deadline, Errc::unavailable);
  until_ready_.push_back(waiter);
  co_await waiter->over.async_wait(kTuple);
  std::erase(until_ready_, waiter);
  if (!waiter->answer) co_return waiter->answer.error();
  co_return Result<void>{};
}

}  // namespace redis

RedisConnection connect_redis(asio::any_io_executor executor, RedisSettings settings) {
  return redis::Connection::open(std::move(executor), std::move(settings));
}

std::shared_ptr<const std::atomic<bool>> was_up(const RedisConnection& connection) {
  return connection->was_up;
}

Task<> ping(RedisConnection connection, Ticks deadline) {
  const auto ready = co_await connection->ready(deadline);
  if (ready.has_error()) co_return ready.error();
  redis::Command command;
  command.add("PING");
  const auto reply = co_await connection->call(deadline, command);
  if (reply.has_error()) co_return reply.error();
  if (redis::is_error(**reply)) co_return Errc::unavailable;
  co_return Result<void>{};
}

}  // namespace sluice
