#include "adapters/redis/link.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>
#include <vector>

#include "sluice/base/log.hpp"

namespace sluice::redis {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

/// What a connection says first; none of it may be refused.
std::vector<Command> greeting(const Target& target) {
  const auto& endpoint = target.endpoint;
  std::vector<Command> commands;
  if (!endpoint.password.empty()) {
    auto& auth = commands.emplace_back().add("AUTH");
    if (!endpoint.user.empty()) auth.add(endpoint.user);
    auth.add(endpoint.password);
  }
  if (endpoint.db != 0) commands.emplace_back().add("SELECT").add(endpoint.db);
  commands.emplace_back().add("CLIENT").add("SETNAME").add(target.settings.client_name);
  const auto& channel = target.subscription.channel;
  if (!channel.empty()) commands.emplace_back().add("SUBSCRIBE").add(channel);
  return commands;
}

}  // namespace

Link::Link(const asio::any_io_executor& executor, std::shared_ptr<const Target> target)
    : target_(std::move(target)),
      resolver_(executor),
      socket_(executor),
      timer_(executor),
      input_(kReadBytes, '\0') {}

/// The choice of the stream for writes; `read_more` makes the one for reads.
template <class Token>
auto Link::write(const std::string& bytes, Token&& token) {
  const auto buffer = asio::buffer(bytes);
  if (tls_) return asio::async_write(*tls_, buffer, std::forward<Token>(token));
  return asio::async_write(socket_, buffer, std::forward<Token>(token));
}

asio::awaitable<void> Link::open() {
  timer_.expires_after(target_->settings.connect_timeout);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->close("no connection within the connect timeout");
  });
  const auto& endpoint = target_->endpoint;
  auto [unresolved, addresses] =
      co_await resolver_.async_resolve(endpoint.host, endpoint.port, kTuple);
  if (unresolved || closed_) throw std::runtime_error("host not found: " + unresolved.message());
  auto [refused, address] = co_await asio::async_connect(socket_, addresses, kTuple);
  if (refused) throw std::runtime_error("cannot connect: " + refused.message());
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (target_->tls) co_await secure();
  const auto commands = greeting(*target_);
  for (const auto& command : commands) {
    const Reply reply = co_await exchange(command);
    if (is_error(*reply)) throw std::runtime_error(printable(text(*reply)));
  }
  if (target_->subscription.channel.empty()) co_await check_policy();
  // Too late: the timer's handler came before the last reply.
  if (closed_) throw std::runtime_error(why_);
  timer_.cancel();
}

/// The handshake of TLS, before anything is said.
asio::awaitable<void> Link::secure() {
  tls_.emplace(socket_, *target_->tls);
  expect_host(*tls_, target_->endpoint.host);
  auto [failed] = co_await tls_->async_handshake(TlsStream::client, kTuple);
  const auto refused = certificate_problem(*tls_);
  needs_person_ = !refused.empty();
  if (needs_person_) throw std::runtime_error("TLS: the certificate is refused: " + refused);
  if (failed) throw std::runtime_error("TLS: no handshake: " + failed.message());
}

asio::awaitable<void> Link::check_policy() {
  Command ask;
  ask.add("CONFIG").add("GET").add("maxmemory-policy");
  const Reply reply = co_await exchange(ask);
  if (is_error(*reply)) {
    log().warn("redis {}:{}: cannot check that maxmemory-policy is noeviction: {}",
               target_->endpoint.host, target_->endpoint.port, printable(text(*reply)));
    co_return;
  }
  const auto words = elements(*reply);
  const auto policy = words.size() == 2 ? text(*words[1]) : std::string_view("unknown");
  needs_person_ = policy != "noeviction";
  if (needs_person_) {
    throw std::runtime_error("maxmemory-policy is " + printable(policy) +
                             ", which may evict stock and orders: set it to noeviction");
  }
}

asio::awaitable<Reply> Link::exchange(const Command& command) {
  std::string bytes;
  command.write_to(bytes);
  auto [error, written] = co_await write(bytes, kTuple);
  if (error) throw std::runtime_error("cannot write: " + error.message());
  Reply reply = reader_.next();
  while (!reply) {
    co_await read_more();
    reply = reader_.next();
  }
  co_return reply;
}

asio::awaitable<void> Link::read_more() {
  const auto room = asio::buffer(input_);
  auto reading = tls_ ? tls_->async_read_some(room, kTuple) : socket_.async_read_some(room, kTuple);
  auto [error, count] = co_await std::move(reading);
  if (error) throw std::runtime_error("connection lost: " + error.message());
  silent_ = 0;
  reader_.feed(std::string_view(input_.data(), count));
}

asio::awaitable<void> Link::serve() {
  silent_ = 1;  // The greeting is over: the first half begins now, and ends with a question.
  watch();
  for (;;) {
    // Bytes that came together with the last reply to the greeting are read first.
    if (Reply reply = reader_.next()) {
      on_reply(std::move(reply));
    } else {
      co_await read_more();
    }
  }
}

void Link::close(std::string why) {
  if (std::exchange(closed_, true)) return;
  why_ = std::move(why);
  timer_.cancel();
  resolver_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

void Link::on_reply(Reply reply) {
  if (!target_->subscription.channel.empty()) return on_push(*reply);
  if (in_flight_.empty()) throw std::runtime_error("a reply that nobody asked for");
  const auto waiter = std::move(in_flight_.front());
  in_flight_.pop_front();
  // After a failover the host name may resolve to the new primary: connect again.
  const bool replica = is_error(*reply) && text(*reply).starts_with("READONLY");
  if (waiter) waiter->finish(std::move(reply));
  if (replica) close("the server is a replica");
}

void Link::on_push(const redisReply& reply) {
  const auto words = elements(reply);
  const bool news = words.size() == 3 && text(*words[0]) == "message";
  if (news && !closed_) target_->subscription.on_message(text(*words[2]));
}

void Link::send(const Command& command, std::shared_ptr<Waiter> waiter) {
  // On a subscribed connection Redis sends pushes, and no reply to a command.
  if (target_->subscription.channel.empty()) in_flight_.push_back(std::move(waiter));
  command.write_to(output_);
  if (std::exchange(writing_, true)) return;
  // Commands of the same turn of the event loop leave in one write.
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->flush(); });
}

void Link::flush() {
  sending_.clear();
  writing_ = !output_.empty() && !closed_;
  if (!writing_) return;
  sending_.swap(output_);
  write(sending_, [self = shared_from_this()](error_code error, std::size_t) {
    if (error) self->close("cannot write: " + error.message());
    self->flush();
  });
}

/// Whoever said nothing in half of the longest silence is asked, and has the other half to answer.
void Link::watch() {
  timer_.expires_after(target_->settings.silence_max / 2);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (error || self->closed_) return;
    const int silent = self->silent_++;
    if (silent == 2) return self->close("the server answers nothing");
    if (silent == 1) {
      Command ping;
      ping.add("PING");
      self->send(ping, nullptr);
    }
    self->watch();
  });
}

void Link::fail_waiters() {
  for (const auto& waiter : std::exchange(in_flight_, {})) {
    if (waiter) waiter->finish(Errc::unknown);
  }
}

}  // namespace sluice::redis
