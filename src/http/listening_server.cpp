#include "http/listening_server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <utility>

#include "sluice/base/log.hpp"

#include "http/session.hpp"

namespace sluice::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr Millis kAcceptBackOff{100};  // While descriptors or memory are short.
constexpr Millis kDrainLook{10};

tcp::endpoint endpoint_of(const HttpSettings& settings) {
  return {asio::ip::make_address(settings.address), settings.port};
}

/// Throws with the address in its text: the error alone does not say which of them is taken.
void bind(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  boost::system::error_code error;
  acceptor.bind(endpoint, error);
  if (!error) return;
  std::ostringstream where;
  where << endpoint;
  // Made anew, it has no line of the library's source to tell.
  throw boost::system::system_error(error.value(), error.category(), where.str());
}

tcp::acceptor listen(const asio::any_io_executor& executor, const HttpSettings& settings) {
  const auto endpoint = endpoint_of(settings);
  tcp::acceptor acceptor(executor, endpoint.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
  acceptor.set_option(ReusePort(true));
  if (endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(false));
  bind(acceptor, endpoint);
  acceptor.listen(settings.listen_backlog);
  return acceptor;
}

/// What becomes of a coroutine that nobody waits for.
void log_failure(const std::exception_ptr& failure) {
  if (failure) log().error("a connection failed: {}", what_of(failure));
}

asio::awaitable<void> accept_loop(std::shared_ptr<Listener> listener) {
  while (!listener->draining) {
    auto [ec, socket] = co_await listener->acceptor.async_accept(kAwait);
    if (listener->draining) break;
    if (!ec) {
      const auto executor = socket.get_executor();
      auto session = std::make_unique<Session>(listener, std::move(socket));
      asio::co_spawn(executor, Session::run(std::move(session)), log_failure);
    } else if (ec != asio::error::connection_aborted) {
      log().warn("cannot accept connections for the moment: {}", ec.message());
      const auto until = listener->clock.ticks() + kAcceptBackOff;
      co_await listener->clock.sleep_until(until);
    }
  }
}

/// Finds the clients that hung up while an answer is on its way to them: one call for all. Asio's
/// waits tell a hang-up only to whoever would read, and further requests may wait to be read.
void notice_hang_ups(Listener& listener) {
  auto& watched = listener.watched;
  auto& sockets = listener.watched_sockets;
  for (auto* session : listener.sessions) {
    if (!session->heeds_hang_up()) continue;
    watched.push_back(session);
    sockets.push_back({session->descriptor(), POLLRDHUP, 0});
  }
  const auto hung_up = sockets.empty() ? 0 : poll(sockets.data(), sockets.size(), 0);
  for (std::size_t i = 0; hung_up > 0 && i < sockets.size(); ++i) {
    if (sockets[i].revents != 0) watched[i]->hang_up();
  }
  watched.clear();
  sockets.clear();
}

asio::awaitable<void> sweep_loop(std::shared_ptr<Listener> listener) {
  while (!listener->stopped) {
    const auto until = listener->clock.ticks() + listener->settings.sweep_interval;
    co_await listener->clock.sleep_until(until);
    const auto now = listener->clock.ticks();
    for (auto* session : listener->sessions) session->sweep(now);
    notice_hang_ups(*listener);
    listener->http_metrics.flush(listener->sessions.size());
  }
}

class ListeningServer final : public HttpServer {
 public:
  explicit ListeningServer(std::shared_ptr<Listener> listener)
      : listener_(std::move(listener)), port_(listener_->acceptor.local_endpoint().port()) {}

  ~ListeningServer() override {
    stop_accepting();
    listener_->stopped = true;
    for (auto* session : listener_->sessions) session->cut();
  }

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override { return listener_->sessions.size(); }

  void start() override {
    const auto executor = listener_->acceptor.get_executor();
    asio::co_spawn(executor, accept_loop(listener_), log_failure);
    asio::co_spawn(executor, sweep_loop(listener_), log_failure);
  }

  asio::awaitable<bool> drain(Millis bound) override {
    const auto listener = listener_;
    stop_accepting();
    for (auto* session : listener->sessions) session->drain();
    const auto until = listener->clock.ticks() + bound;
    while (!listener->sessions.empty() && listener->clock.ticks() < until) {
      const auto look = std::min(until, listener->clock.ticks() + kDrainLook);
      co_await listener->clock.sleep_until(look);
    }
    const bool clean = listener->sessions.empty();
    for (auto* session : listener->sessions) session->cut();
    listener->stopped = true;
    co_return clean;
  }

 private:
  void stop_accepting() {
    listener_->draining = true;
    boost::system::error_code ec;
    listener_->acceptor.close(ec);
  }

  std::shared_ptr<Listener> listener_;
  std::uint16_t port_;
};

}  // namespace

std::unique_ptr<HttpServer> create_server(asio::any_io_executor executor, HttpSettings settings,
                                          const std::string& name, Clock& clock, Metrics& metrics,
                                          std::shared_ptr<ConnectionLimits> connections,
                                          std::unique_ptr<Routes> routes) {
  auto acceptor = listen(executor, settings);
  AddressBlocks trusted(settings.trusted_proxies);
  auto listener = std::make_shared<Listener>(
      Listener{std::move(acceptor), std::move(settings), std::move(trusted), clock,
               std::move(connections), std::move(routes), HttpMetrics(metrics, name)});
  return std::make_unique<ListeningServer>(std::move(listener));
}

}  // namespace sluice::http

namespace sluice {

void refuse_taken_address(const HttpSettings& settings) {
  if (settings.port == 0) return;
  const auto endpoint = http::endpoint_of(settings);
  boost::asio::io_context context;
  boost::asio::ip::tcp::acceptor probe(context, endpoint.protocol());
  probe.set_option(boost::asio::socket_base::reuse_address(true));
  http::bind(probe, endpoint);
}

}  // namespace sluice
