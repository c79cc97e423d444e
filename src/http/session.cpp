#include "http/session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include "sluice/base/log.hpp"

namespace sluice::http {
namespace {

namespace asio = boost::asio;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kEvictionLooksMax = 16;  // Idle connections looked at for one newcomer.
constexpr std::size_t kReadMore = 4096;        // Room for the rest of a request that came in parts.
constexpr std::size_t kJoinedMax = 65536;      // Bytes of answers after which they are sent.
constexpr std::size_t kDiscardedMax = 1 << 18;  // What a lingering client may still send.

asio::ip::address peer_of(const Session::Socket& socket) {
  boost::system::error_code ec;
  return socket.remote_endpoint(ec).address();
}

/// 60 random bits as 12 digits of base 32: a string of that length allocates nothing.
void make_request_id(std::string& id, std::uint64_t random) {
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
  id.resize(12);
  for (auto& digit : id) {
    digit = kDigits[random & 31];
    random >>= 5;
  }
}

bool would_block(const boost::system::error_code& ec) {
  return ec == asio::error::would_block || ec == asio::error::try_again ||
         ec == asio::error::interrupted;
}

}  // namespace

Session::Session(std::shared_ptr<Listener> listener, Socket socket)
    : listener_(std::move(listener)),
      socket_(std::move(socket)),
      peer_(peer_of(socket_)),
      ip_(limit_key(peer_)),
      trusted_peer_(listener_->trusted.contains(peer_)),
      place_(take_place()),
      refused_(place_ == nullptr),
      reader_(listener_->settings) {
  listener_->sessions.insert(this);
  if (refused_) ++listener_->refused;
}

Session::~Session() {
  listener_->sessions.erase(this);
  if (refused_) --listener_->refused;
}

ConnectionLimits::Place Session::take_place() {
  auto& limits = *listener_->connections;
  auto& idle = listener_->idle;
  const auto take = [&] { return trusted_peer_ ? limits.take_uncounted() : limits.take(peer_); };
  auto taken = take();
  for (std::size_t looks = 0; taken.full && looks < kEvictionLooksMax && !idle.empty(); ++looks) {
    auto& longest = static_cast<Session&>(idle.front());
    if (longest.evict_if_idle()) taken = take();
  }
  return std::move(taken.place);
}

/// Ends the connection and gives its place back, unless a request has just arrived on it. Either
/// way it is not idle any more.
bool Session::evict_if_idle() {
  unlink();
  boost::system::error_code ec;
  if (socket_.available(ec) > 0) return false;
  listener_->http_metrics.connection_evicted();
  place_.reset();
  cut();
  return true;
}

asio::awaitable<void> Session::run(std::unique_ptr<Session> self) {
  auto& listener = *self->listener_;
  if (self->refused_) {
    listener.http_metrics.connection_refused();
    if (listener.refused > kRefusedConnectionsMax) co_return;
  }
  boost::system::error_code ec;
  self->socket_.non_blocking(true, ec);
  if (ec) co_return;
  self->socket_.set_option(asio::ip::tcp::no_delay(true), ec);
  try {
    co_await self->serve();
  } catch (const std::exception& e) {
    // What this session left there is an answer to nobody else.
    listener.out.clear();
    log().error("a connection ends: {}", e.what());
  }
}

asio::awaitable<void> Session::serve() {
  if (refused_) {
    Refusal refusal{Code::too_many_connections, Millis{1000}};
    refuse(refused(refusal));
  }
  while (true) {
    const auto turn = closing_ ? Turn::close : answer_buffered();
    keep_rest();
    bool sent = send(listener_->out);
    listener_->out.clear();
    if (sent && !unsent_.empty()) sent = co_await send_rest();
    if (!sent) co_return;
    if (turn == Turn::close) break;
    if (turn == Turn::later) co_await finish_later();
    if (turn != Turn::read) continue;

    if (!await_request()) co_return;
    co_await socket_.async_wait(Socket::wait_read, kAwait);
    unlink();
    const bool expired = std::exchange(expired_, false);
    if (expired && phase_ != Phase::idle) {
      refuse(refused(Code::request_timeout));
    } else if (!receive(expired)) {
      co_return;
    }
  }
  if (!peer_closes_) co_await linger();
}

/// Answers what has arrived whole, as far as that goes without waiting.
Session::Turn Session::answer_buffered() {
  const auto& out = listener_->out;
  const auto pipelined_max = listener_->settings.pipelined_max;
  for (std::size_t n = 0; n < pipelined_max && out.size() < kJoinedMax; ++n) {
    switch (reader_.look(input_)) {
      case RequestReader::Step::need_header:
        return Turn::read;
      case RequestReader::Step::need_body:
        if (reader_.wants_continue() && !std::exchange(continued_, true)) {
          listener_->out += "HTTP/1.1 100 Continue\r\n\r\n";
        }
        return Turn::read;
      case RequestReader::Step::refused:
        refuse(refused(reader_.refusal()));
        return Turn::close;
      case RequestReader::Step::ready:
        break;
    }
    const auto& request = reader_.request();
    begin_request(request);
    reader_.name_request(request_id_);
    head_ = request.method == Method::head;
    persistence_ = request.persistence;
    peer_closes_ = persistence_ == Persistence::close;
    auto reply = route(request);
    input_.remove_prefix(reader_.size());
    reader_.next();
    continued_ = false;
    phase_ = Phase::working;
    if (reply.later.valid()) {
      route_ = reply.route;
      later_ = std::move(reply.later);
      return Turn::later;
    }
    finish(reply.route, reply.answer);
    if (closing_) return Turn::close;
  }
  return Turn::again;
}

/// Answers what is no request, and then closes.
void Session::refuse(const Answer& answer) {
  persistence_ = Persistence::close;
  head_ = false;
  begin_request(Request());
  finish(RouteClass::none, answer);
}

/// Gives the request its id, and the access log what it needs. `Request()`: none was well-formed.
void Session::begin_request(const Request& request) {
  names_itself_ = !request.request_id.empty();
  if (names_itself_) {
    request_id_ = request.request_id;
  } else {
    make_request_id(request_id_, listener_->random());
  }
  if (access_log() == AccessLog::off) return access_.reset();
  access_ = std::make_unique<Access>();
  access_->client = peer_;
  access_->began = listener_->clock.ticks();
  if (!request.path.empty()) describe(*access_, request);
}

/// The id as the answer tells it. A refusal is cheap without it: it is told only to who will look
/// for it.
std::string_view Session::told_id(const Answer& answer) const {
  if (!answer.refusal || names_itself_ || access_) return request_id_;
  const auto code = answer.refusal->code;
  const bool is_mystery = code == Code::internal_error || code == Code::outcome_unknown;
  return is_mystery ? request_id_ : std::string_view();
}

Reply Session::route(const Request& request) {
  try {
    if (!trusted_peer_) return listener_->routes->route(request, {ip_, &gone_});
    const auto client = forwarded_client(request.fields, peer_, listener_->trusted);
    if (access_) access_->client = client;
    const auto ip = limit_key(client);
    return listener_->routes->route(request, {ip, &gone_});
  } catch (const std::exception& e) {
    log().error("a request failed ({}): {}", request_id_, e.what());
    return refused(Code::internal_error);
  }
}

/// Waits for the use case and writes its answer.
asio::awaitable<void> Session::finish_later() {
  deadline_ = Ticks::max();
  phase_ = Phase::waiting;
  const auto began = listener_->clock.ticks();
  auto answer = refused(Code::internal_error);
  try {
    answer = co_await std::move(later_);
  } catch (const std::exception& e) {
    log().error("a request failed ({}): {}", request_id_, e.what());
  }
  phase_ = Phase::working;
  listener_->http_metrics.took(route_, listener_->clock.ticks() - began);
  finish(route_, answer);
}

void Session::finish(RouteClass route, const Answer& answer) {
  if (listener_->draining && persistence_ != Persistence::close) {
    persistence_ = Persistence::close;
    peer_closes_ = false;
  }
  closing_ = persistence_ == Persistence::close;
  listener_->http_metrics.answered(route, answer);
  listener_->writer.write(listener_->out, answer, listener_->clock.now(), persistence_, head_,
                          told_id(answer));
  if (!access_) return;
  log_access(*access_, request_id_, answer, listener_->clock);
  access_.reset();
}

/// Makes the input survive a suspension, during which other sessions use the scratch.
void Session::keep_rest() {
  if (pending_.empty()) {
    if (!input_.empty()) pending_.assign(input_);
  } else if (input_.empty()) {
    pending_ = std::string();  // An idle connection keeps no buffer.
  } else {
    pending_.erase(0, pending_.size() - input_.size());
  }
  input_ = pending_;
}

/// Sets the deadline of what is awaited. False when a drain leaves nothing to wait for.
bool Session::await_request() {
  const auto& settings = listener_->settings;
  if (pending_.empty()) {
    if (listener_->draining) return false;
    enter(Phase::idle, settings.idle_timeout);
    listener_->idle.push_back(*this);
  } else if (reader_.has_header()) {
    if (phase_ != Phase::body) enter(Phase::body, settings.body_timeout);
  } else if (phase_ != Phase::header) {
    enter(Phase::header, settings.header_timeout);
  }
  return true;
}

void Session::enter(Phase phase, Millis timeout) {
  phase_ = phase;
  deadline_ = listener_->clock.ticks() + timeout;
}

/// False when the client is gone, or sent nothing although this was its `last_chance`.
bool Session::receive(bool last_chance) {
  boost::system::error_code ec;
  std::size_t received = 0;
  if (pending_.empty()) {
    auto& scratch = listener_->scratch;
    received = socket_.read_some(asio::buffer(scratch), ec);
    input_ = {scratch.data(), ec ? 0 : received};
  } else {
    const auto size = pending_.size();
    pending_.resize(size + kReadMore);
    received = socket_.read_some(asio::buffer(pending_.data() + size, kReadMore), ec);
    pending_.resize(size + (ec ? 0 : received));
    input_ = pending_;
  }
  if (would_block(ec)) return !last_chance;
  return !ec;
}

/// Sends what the socket takes and keeps the rest in `unsent_`. False when the connection is
/// broken.
bool Session::send(std::string_view bytes) {
  while (!bytes.empty()) {
    boost::system::error_code ec;
    const auto sent = socket_.write_some(asio::buffer(bytes.data(), bytes.size()), ec);
    if (would_block(ec)) break;
    if (ec) return false;
    bytes.remove_prefix(sent);
  }
  unsent_ = bytes;
  return true;
}

/// False when the client did not take it in time.
asio::awaitable<bool> Session::send_rest() {
  enter(Phase::writing, listener_->settings.write_timeout);
  while (!unsent_.empty()) {
    co_await socket_.async_wait(Socket::wait_write, kAwait);
    if (expired_) co_return false;
    const auto rest = std::exchange(unsent_, std::string());
    if (!send(rest)) co_return false;
  }
  phase_ = Phase::working;
  co_return true;
}

/// Lets the client read the last answer: a close with unread input would discard it.
asio::awaitable<void> Session::linger() {
  boost::system::error_code ec;
  socket_.shutdown(Socket::shutdown_send, ec);
  enter(Phase::lingering, listener_->settings.linger_timeout);
  std::size_t discarded = 0;
  while (!ec && discarded < kDiscardedMax) {
    co_await socket_.async_wait(Socket::wait_read, kAwait);
    if (expired_) co_return;
    discarded += socket_.read_some(asio::buffer(listener_->scratch), ec);
    if (would_block(ec)) ec.clear();
  }
}

void Session::sweep(Ticks now) {
  if (now < deadline_) return;
  listener_->http_metrics.timed_out();
  expire();
}

void Session::hang_up() {
  gone_ = true;
  listener_->http_metrics.hung_up();
}

void Session::drain() {
  if (phase_ == Phase::idle) expire();
}

void Session::expire() {
  deadline_ = Ticks::max();
  expired_ = true;
  boost::system::error_code ec;
  socket_.cancel(ec);
}

void Session::cut() {
  boost::system::error_code ec;
  socket_.close(ec);
  expired_ = true;
}

}  // namespace sluice::http
