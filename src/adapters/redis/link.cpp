#include "adapters/redis/link.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "sluice/base/log.hpp"

namespace sluice::redis {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 64 * 1024;

}  // namespace

void Waiter::expect_by(Ticks deadline, Errc late) {
  timer_.expires_at(deadline);
  timer_.async_wait([self = shared_from_this(), late](error_code error) {
    if (!error) self->finish(late);
  });
}

void Waiter::finish(Result<Reply> result) {
  if (!answer_) return;
  timer_.cancel();
  answer_(std::move(result));
}

void Waiter::drop() {
  timer_.cancel();
  answer_ = {};
}

Link::Link(asio::any_io_executor executor, const RedisSettings& settings, Endpoint endpoint,
           Subscription subscription)
    : executor_(std::move(executor)),
      settings_(settings),
      endpoint_(std::move(endpoint)),
      subscription_(std::move(subscription)),
      resolver_(executor_),
      socket_(executor_),
      timer_(executor_),
      input_(kReadBytes, '\0') {}

asio::awaitable<Trouble> Link::open() {
  timer_.expires_after(settings_.connect_timeout);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->close("no connection within the connect timeout");
  });
  Trouble trouble = co_await connect();
  if (trouble.text.empty()) trouble = co_await greet();
  timer_.cancel();
  if (closed_) trouble = Trouble{closed_why_};
  co_return trouble;
}

asio::awaitable<Trouble> Link::connect() {
  auto [unresolved, addresses] =
      co_await resolver_.async_resolve(endpoint_.host, endpoint_.port, kTuple);
  if (unresolved || closed_) co_return Trouble{"host not found: " + unresolved.message()};
  auto [refused, address] = co_await asio::async_connect(socket_, addresses, kTuple);
  if (refused) co_return Trouble{"cannot connect: " + refused.message()};
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  co_return Trouble{};
}

asio::awaitable<Trouble> Link::greet() {
  std::vector<Command> commands;
  if (!endpoint_.password.empty()) {
    auto& auth = commands.emplace_back().add("AUTH");
    if (!endpoint_.user.empty()) auth.add(endpoint_.user);
    auth.add(endpoint_.password);
  }
  if (endpoint_.db != 0) commands.emplace_back().add("SELECT").add(std::int64_t{endpoint_.db});
  commands.emplace_back().add("CLIENT").add("SETNAME").add(settings_.client_name);
  const bool listens = !subscription_.channel.empty();
  if (listens) commands.emplace_back().add("SUBSCRIBE").add(subscription_.channel);
  Trouble trouble;
  Reply reply;
  for (const auto& command : commands) {
    trouble = co_await exchange(command, reply);
    if (!trouble.text.empty()) co_return trouble;
  }
  if (!listens) trouble = co_await check_policy();
  co_return trouble;
}

asio::awaitable<Trouble> Link::check_policy() {
  Command ask;
  ask.add("CONFIG").add("GET").add("maxmemory-policy");
  Reply reply;
  Trouble trouble = co_await exchange(ask, reply);
  if (!trouble.text.empty()) {
    if (!reply) co_return trouble;
    log().warn("redis {}:{}: cannot check that maxmemory-policy is noeviction: {}", endpoint_.host,
               endpoint_.port, printable(text(*reply)));
    co_return Trouble{};
  }
  const auto words = elements(*reply);
  const auto policy = words.size() == 2 ? text(*words[1]) : std::string_view("unknown");
  if (policy == "noeviction") co_return Trouble{};
  Trouble evicts{"maxmemory-policy is " + printable(policy) +
                     ", which may evict stock and orders: set it to noeviction",
                 true};
  co_return evicts;
}

/// Sends one command and reads its reply. With an error of Redis, the trouble and the reply are
/// set.
asio::awaitable<Trouble> Link::exchange(const Command& command, Reply& reply) {
  reply.reset();
  std::string bytes;
  command.write_to(bytes);
  auto [error, written] = co_await asio::async_write(socket_, asio::buffer(bytes), kTuple);
  if (error) co_return Trouble{"cannot write: " + error.message()};
  while (!reply) {
    const std::string problem = co_await read_more();
    if (!problem.empty()) co_return Trouble{problem};
    try {
      reply = reader_.next();
    } catch (const std::exception& e) {
      co_return Trouble{e.what()};
    }
  }
  if (reply->type == REDIS_REPLY_ERROR) co_return Trouble{printable(text(*reply))};
  co_return Trouble{};
}

asio::awaitable<std::string> Link::read_more() {
  auto [error, count] = co_await socket_.async_read_some(asio::buffer(input_), kTuple);
  if (error) co_return "connection lost: " + error.message();
  heard_ = true;
  reader_.feed(std::string_view(input_.data(), count));
  co_return std::string{};
}

asio::awaitable<Trouble> Link::serve() {
  watch();
  std::string problem;
  while (problem.empty() && !closed_) {
    // Bytes that came together with the last reply to the greeting are read first.
    try {
      while (Reply reply = reader_.next()) on_reply(std::move(reply));
    } catch (const std::exception& e) {
      problem = e.what();
      break;
    }
    if (!closed_) problem = co_await read_more();
  }
  timer_.cancel();
  if (!closed_) close(problem);
  co_return Trouble{closed_why_};
}

void Link::close(std::string why) {
  if (closed_) return;
  closed_ = true;
  closed_why_ = std::move(why);
  resolver_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

void Link::on_reply(Reply reply) {
  if (!subscription_.channel.empty()) {
    on_push(*reply);
    return;
  }
  if (in_flight_.empty()) throw std::runtime_error("a reply that nobody asked for");
  const auto waiter = std::move(in_flight_.front());
  in_flight_.pop_front();
  // After a failover the host name may resolve to the new primary: connect again.
  const bool replica = reply->type == REDIS_REPLY_ERROR && text(*reply).starts_with("READONLY");
  if (waiter) waiter->finish(std::move(reply));
  if (replica) close("the server is a replica");
}

void Link::on_push(const redisReply& reply) {
  const auto words = elements(reply);
  if (words.size() == 3 && text(*words[0]) == "message") subscription_.on_message(text(*words[2]));
}

void Link::send(const Command& command, std::shared_ptr<Waiter> waiter) {
  // On a subscribed connection Redis sends pushes, and no reply to a command.
  if (subscription_.channel.empty()) in_flight_.push_back(std::move(waiter));
  command.write_to(output_);
  schedule_flush();
}

void Link::schedule_flush() {
  if (flush_scheduled_) return;
  flush_scheduled_ = true;
  // Commands of the same turn of the event loop leave in one write.
  asio::post(executor_, [self = shared_from_this()] {
    self->flush_scheduled_ = false;
    self->flush();
  });
}

void Link::flush() {
  if (!sending_.empty() || output_.empty() || closed_) return;
  sending_.swap(output_);
  asio::async_write(socket_, asio::buffer(sending_),
                    [self = shared_from_this()](error_code error, std::size_t) {
                      self->sending_.clear();
                      if (error) {
                        self->close("cannot write: " + error.message());
                      } else {
                        self->flush();
                      }
                    });
}

void Link::watch() {
  heard_ = false;
  timer_.expires_after(settings_.silence_max / 2);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error && !self->closed_) self->on_silence();
  });
}

void Link::on_silence() {
  if (heard_) {
    asked_ = false;
  } else if (asked_) {
    close("the server answers nothing");
    return;
  } else {
    Command ping;
    ping.add("PING");
    send(ping, nullptr);
    asked_ = true;
  }
  watch();
}

void Link::fail_waiters() {
  for (const auto& waiter : std::exchange(in_flight_, {})) {
    if (waiter) waiter->finish(Errc::unknown);
  }
}

void Link::drop_waiters() {
  for (const auto& waiter : std::exchange(in_flight_, {})) {
    if (waiter) waiter->drop();
  }
}

}  // namespace sluice::redis
