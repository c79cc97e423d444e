#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/intrusive/list.hpp>
#include <memory>
#include <poll.h>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/base/time.hpp"
#include "sluice/http/settings.hpp"

#include "http/access_log.hpp"
#include "http/answer.hpp"
#include "http/client_address.hpp"
#include "http/connection_limits.hpp"
#include "http/http_metrics.hpp"
#include "http/request.hpp"
#include "http/routes.hpp"

namespace sluice::http {

class Session;

/// A session's place in the list of those that are idle; it leaves by itself when it ends.
struct IdleLink
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
};
using IdleSessions = boost::intrusive::list<IdleLink, boost::intrusive::constant_time_size<false>>;

/// What the connections of one listener on one thread share.
struct Listener {
  boost::asio::ip::tcp::acceptor acceptor;
  HttpSettings settings;
  AddressBlocks trusted;
  Clock& clock;
  std::shared_ptr<ConnectionLimits> connections;
  std::unique_ptr<Routes> routes;
  HttpMetrics http_metrics;
  AnswerWriter writer = AnswerWriter(settings.hsts_max_age);
  Random random = system_random();
  bool draining = false;
  bool stopped = false;

  // Bytes on their way in and out. Nobody else's from one suspension of a session to the next.
  std::vector<char> scratch = std::vector<char>(16384);
  std::string out = {};

  // Filled and emptied within one sweep.
  std::vector<Session*> watched = {};
  std::vector<pollfd> watched_sockets = {};

  std::unordered_set<Session*> sessions = {};
  IdleSessions idle = {};   ///< Those that wait for a request, the one that waits longest first.
  std::size_t refused = 0;  ///< Sessions without a place, which only get a refusal.
};

/// One connection: read → strict check → route → answer. While it waits for a request it holds no
/// buffer. It sets no timer: `sweep` finds the deadlines that passed.
class Session : private IdleLink {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  /// When all places are taken, the connection that is idle for the longest on this thread makes
  /// room. One for which there is no place is told `too_many_connections` and closed.
  Session(std::shared_ptr<Listener> listener, Socket socket);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Serves the connection to its end, then destroys the session.
  static boost::asio::awaitable<void> run(std::unique_ptr<Session> self);

  /// Ends what is past its deadline.
  void sweep(Ticks now);

  /// Whether a client that hangs up has an answer to come, which it may not want any more.
  bool heeds_hang_up() const { return phase_ == Phase::waiting && !gone_; }

  /// The client hung up while `heeds_hang_up`: what waits on its account alone ends soon. It is
  /// answered all the same, because half of a connection may be closed.
  void hang_up();
  Socket::native_handle_type descriptor() { return socket_.native_handle(); }

  /// Ends the connection if no request is under way; else the next answer is the last.
  void drain();

  /// Ends the connection at once.
  void cut();

 private:
  enum class Phase : std::uint8_t { idle, header, body, working, waiting, writing, lingering };
  enum class Turn : std::uint8_t { read, again, later, close };

  ConnectionLimits::Place take_place();
  bool evict_if_idle();
  boost::asio::awaitable<void> serve();
  boost::asio::awaitable<void> finish_later();
  boost::asio::awaitable<bool> send_rest();
  boost::asio::awaitable<void> linger();
  Turn answer_buffered();
  void refuse(const Answer& answer);
  void begin_request(const Request& request);
  std::string_view told_id(const Answer& answer) const;
  Reply route(const Request& request);
  void finish(RouteClass route, const Answer& answer);
  void keep_rest();
  bool await_request();
  bool receive(bool last_chance);
  bool send(std::string_view bytes);
  void enter(Phase phase, Millis timeout);
  void expire();

  std::shared_ptr<Listener> listener_;
  Socket socket_;
  boost::asio::ip::address peer_;
  std::string ip_;
  bool trusted_peer_;
  ConnectionLimits::Place place_;
  const bool refused_;  ///< There was no place for it.
  RequestReader reader_;
  /// Received and not answered; the tail of the scratch or of `pending_`.
  std::string_view input_;
  std::string pending_;  ///< Input that has to survive a suspension.
  std::string unsent_;
  boost::asio::awaitable<Answer> later_;
  std::string request_id_;
  std::unique_ptr<Access> access_;  ///< Of the request under way, while the access log is on.
  Ticks deadline_ = Ticks::max();
  Phase phase_ = Phase::working;
  RouteClass route_ = RouteClass::none;
  Persistence persistence_ = Persistence::close;
  bool head_ = false;
  bool names_itself_ = false;  ///< The client gave the request its id.
  bool continued_ = false;     ///< "100 Continue" was sent for this request.
  bool expired_ = false;
  bool gone_ = false;         ///< The client hung up.
  bool closing_ = false;      ///< No further request is answered.
  bool peer_closes_ = false;  ///< The client asked for the close, so it sends nothing more.
};

}  // namespace sluice::http
