#include "adapters/postgres/link.hpp"

#include <algorithm>
#include <chrono>
#include <libpq-fe.h>
#include <poll.h>
#include <string_view>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/text.hpp"

#include "adapters/postgres/tls.hpp"

namespace sluice::postgres {
namespace {

using boost::system::error_code;
using Descriptor = boost::asio::posix::stream_descriptor;

constexpr std::size_t kSnapshotLoad = 1'000;

std::string one_line(const char* text) {
  std::string line(text == nullptr ? "" : text);
  std::ranges::replace(line, '\n', ' ');
  std::ranges::replace(line, '\t', ' ');
  return std::string(trimmed(line));
}

/// What an error means that the server answered after it rolled the call back.
Errc meaning(std::string_view sqlstate) {
  if (sqlstate == "SL001") return Errc::stale;
  const auto kind = sqlstate.substr(0, 2);
  if (kind == "22" || kind == "23") return Errc::invalid;
  for (const std::string_view passing : {"08", "25", "40", "53", "55", "57", "58"}) {
    if (kind == passing) return Errc::unavailable;
  }
  return Errc::internal;
}

/// True when another connection may fare better: it may reach the new primary, or a schema that
/// changed under the statements prepared here.
bool spoils_connection(std::string_view sqlstate) {
  return sqlstate == "25006" || sqlstate == "0A000" || sqlstate == "26000" || sqlstate == "42P05";
}

void ignore_notice(void*, const PGresult*) {}

std::string session_script(const PostgresSettings& settings) {
  const auto lock_timeout = std::to_string(settings.lock_timeout.count());
  const auto statement_timeout = std::to_string(settings.statement_timeout.count());
  // Plans are made for the table as it is, not as it was when it was empty. An outcome once
  // answered must survive a crash, so a server that is set to lose commits is overruled.
  return "SET statement_timeout = " + statement_timeout + "; SET lock_timeout = " + lock_timeout +
         "; SET idle_in_transaction_session_timeout = " + statement_timeout +
         "; SET client_connection_check_interval = 1000"
         "; SET plan_cache_mode = force_custom_plan"
         "; SELECT set_config('synchronous_commit', 'on', false)"
         " WHERE current_setting('synchronous_commit') = 'off'";
}

}  // namespace

void Exchange::finish(Result<std::vector<Rows>> result) {
  if (answer) return;
  answer.emplace(std::move(result));
  over.cancel();
}

void Connecting::failed(const PostgresSettings& settings, const std::string& why) {
  problem = why;
  backoff = std::clamp(backoff * 2, settings.backoff_min, settings.backoff_max);
  next_attempt = std::chrono::steady_clock::now() + backoff;
  if (std::exchange(down_by, why) != why) log().warn("postgres: cannot connect: {}", why);
}

void Connecting::succeeded() {
  if (!down_by.empty()) log().info("postgres: connected again");
  down_by.clear();
  backoff = Millis{0};
}

void Link::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

Link::Link(const boost::asio::any_io_executor& executor, const PostgresSettings& settings,
           std::shared_ptr<Connecting> connecting)
    : settings_(settings),
      connecting_(std::move(connecting)),
      socket_(executor),
      limit_(executor),
      session_(std::make_shared<Exchange>(executor, Ticks::max())) {
  session_->script = session_script(settings_);
}

Link::~Link() { close(); }

void Link::open() {
  // libpq's own message about a wrong URL repeats it, password and all.
  if (const auto wrong = check_postgres_url(settings_.url)) return lose(*wrong);
  const auto user_timeout = std::to_string(settings_.tcp_user_timeout.count());
  const char* keywords[] = {"dbname", "client_encoding", "fallback_application_name",
                            "tcp_user_timeout", nullptr};
  const char* values[] = {settings_.url.c_str(), "UTF8", "sluice", user_timeout.c_str(), nullptr};
  connection_.reset(PQconnectStartParams(keywords, values, 1));
  if (PQstatus(connection_.get()) == CONNECTION_BAD) return lose(reason());
  PQsetNoticeReceiver(connection_.get(), ignore_notice, nullptr);
  limit_.expires_after(settings_.connect_timeout);
  limit_.async_wait([self = weak_from_this()](error_code error) {
    const auto link = self.lock();
    if (!error && link && !link->ready_) link->lose("the server did not answer in time");
  });
  wait_to_dial(false);
}

/// One step of the handshake, in which libpq may change to another socket.
void Link::dial() {
  socket_.release();
  const TlsKeeper tls(connection_.get());
  const auto state = PQconnectPoll(connection_.get());
  if (state == PGRES_POLLING_FAILED) return lose(reason() + tls.refusal());
  if (state != PGRES_POLLING_OK) return wait_to_dial(state == PGRES_POLLING_READING);
  if (watch_socket()) prepare_session();
}

void Link::wait_to_dial(bool to_read) {
  if (!watch_socket()) return;
  socket_.async_wait(to_read ? Descriptor::wait_read : Descriptor::wait_write,
                     [self = shared_from_this()](error_code error) {
                       if (!error && self->connection_) self->dial();
                     });
}

bool Link::watch_socket() {
  error_code error;
  socket_.assign(PQsocket(connection_.get()), error);
  if (error) lose(error.message());
  return !error;
}

void Link::prepare_session() {
  const char* encoding = PQparameterStatus(connection_.get(), "server_encoding");
  if (encoding == nullptr || std::string_view(encoding) != "UTF8") {
    return lose("the database's encoding must be UTF8");
  }
  if (PQsetnonblocking(connection_.get(), 1) != 0) return lose("out of memory");
  connected_ = true;
  waiting_.push_front(session_);
  pump();
}

void Link::close() {
  retired_ = true;
  connected_ = ready_ = false;
  limit_.cancel();
  if (socket_.is_open()) socket_.release();
  connection_.reset();
  for (const auto& exchange : std::exchange(sent_, {})) {
    exchange->finish(exchange->flushed ? Errc::unknown : Errc::unavailable);
  }
  for (const auto& exchange : std::exchange(waiting_, {})) exchange->finish(Errc::unavailable);
}

/// Why the connection is lost: the server's last word, if it said one.
std::string Link::reason() const {
  const auto said = sent_.empty() ? nullptr : sent_.front()->error.get();
  const char* message = PQresultErrorField(said, PG_DIAG_MESSAGE_PRIMARY);
  return one_line(message == nullptr ? PQerrorMessage(connection_.get()) : message);
}

void Link::lose(std::string problem) {
  if (ready_) {
    log().warn("postgres: connection dropped: {}", printable(problem));
    connecting_->problem = std::move(problem);
  } else {
    connecting_->failed(settings_, problem);
  }
  close();
}

bool Link::usable() {
  if (ready_ && !retired_ && sent_.empty() && !still_open()) close();
  return connection_ && !retired_;
}

bool Link::still_open() {
  pollfd watched{PQsocket(connection_.get()), POLLIN, 0};
  while (::poll(&watched, 1, 0) > 0) {
    if (PQconsumeInput(connection_.get()) == 0) return false;
    while (PGnotify* notify = PQnotifies(connection_.get())) PQfreemem(notify);
  }
  return PQstatus(connection_.get()) == CONNECTION_OK;
}

std::size_t Link::load() const {
  std::size_t load = 0;
  for (const auto& exchange : sent_) load += exchange->queries.size() > 1 ? kSnapshotLoad : 1;
  for (const auto& exchange : waiting_) load += exchange->queries.size() > 1 ? kSnapshotLoad : 1;
  return load;
}

void Link::submit(std::shared_ptr<Exchange> exchange) {
  if (!connection_) return exchange->finish(Errc::unavailable);
  waiting_.push_back(std::move(exchange));
  pump();
}

void Link::give_up(Exchange& exchange) {
  const auto unsent = std::erase_if(waiting_, [&](const auto& e) { return e.get() == &exchange; });
  if (unsent > 0) {
    connecting_->problem = "the server did not answer in time";
    return exchange.finish(Errc::unavailable);
  }
  // The rest of it must never be sent.
  if (!exchange.flushed) return lose("nothing could be sent in time");
  connecting_->problem = "the server did not answer in time";
  if (!std::exchange(retired_, true)) {
    log().warn("postgres: connection given up: {}", connecting_->problem);
  }
  exchange.finish(Errc::unknown);
  end_if_idle();
}

void Link::end_if_idle() {
  const auto answered = [](const auto& exchange) { return exchange->answer.has_value(); };
  if (retired_ && waiting_.empty() && std::ranges::all_of(sent_, answered)) close();
}

/// Sends what waits, while the socket takes it: then all but the last call are known to be sent. A
/// script is alone on the connection: it ends the pipeline mode.
void Link::pump() {
  while (connected_ && !writing_ && !waiting_.empty()) {
    const bool script =
        waiting_.front()->is_script() || (!sent_.empty() && sent_.back()->is_script());
    if (script && !sent_.empty()) break;
    sent_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    if (!send(*sent_.back())) return lose(reason());
    flush();
  }
  read();
}

bool Link::send(Exchange& exchange) {
  const auto connection = connection_.get();
  if (exchange.is_script()) {
    return PQexitPipelineMode(connection) == 1 &&
           PQsendQuery(connection, exchange.script.c_str()) == 1;
  }
  bool sent = PQenterPipelineMode(connection) == 1;
  for (const auto& query : exchange.queries) {
    // Each behind a sync of its own: an error skips what stands before it, and never a COMMIT.
    sent =
        sent && send(exchange, *query.statement, *query.params) && PQpipelineSync(connection) == 1;
  }
  exchange.syncs = exchange.queries.size();
  return sent;
}

bool Link::send(Exchange& exchange, const Statement& statement, const Params& params) {
  const auto connection = connection_.get();
  if (prepared_.emplace(statement.name).second) {
    exchange.expected.push_back(statement.name);
    if (PQsendPrepare(connection, statement.name, statement.sql, 0, nullptr) == 0) return false;
  }
  exchange.expected.push_back(nullptr);
  const auto raw = params.raw();
  return PQsendQueryPrepared(connection, statement.name, static_cast<int>(raw.values.size()),
                             raw.values.data(), raw.lengths.data(), raw.formats.data(), 1) == 1;
}

/// What does not fit goes when the socket takes more; `read` empties it the other way meanwhile:
/// the server may be unable to read before somebody reads what it says.
void Link::flush() {
  const int left = PQflush(connection_.get());
  if (left < 0) return lose(reason());
  writing_ = left > 0;
  if (!writing_) {
    // Unless it was answered already.
    if (!sent_.empty()) sent_.back()->flushed = true;
    return;
  }
  socket_.async_wait(Descriptor::wait_write, [self = shared_from_this()](error_code error) {
    if (error || !self->connection_) return;
    self->flush();
    self->pump();
  });
}

void Link::read() {
  if (!connection_ || sent_.empty() || std::exchange(reading_, true)) return;
  socket_.async_wait(Descriptor::wait_read, [self = shared_from_this()](error_code error) {
    self->reading_ = false;
    if (error || !self->connection_) return;
    if (!take_input(self->connection_.get())) return self->lose(self->reason());
    self->take_results();
    self->read();
  });
}

void Link::take_results() {
  bool separated = false;
  while (connection_ && !sent_.empty() && PQisBusy(connection_.get()) == 0) {
    Rows result(PQgetResult(connection_.get()));
    const bool nothing = result.get() == nullptr;
    if (PQstatus(connection_.get()) != CONNECTION_OK || (nothing && separated)) {
      return lose(reason());
    }
    const auto first = sent_.front();
    if (!nothing) {
      take(*first, std::move(result));
    } else if (first->is_script()) {
      finish_first();
    }
    separated = nothing && !first->is_script();
  }
}

void Link::take(Exchange& exchange, Rows result) {
  const auto status = PQresultStatus(result.get());
  if (status == PGRES_PIPELINE_SYNC) {
    if (--exchange.syncs == 0) finish_first();
    return;
  }
  const auto place = exchange.results++;
  if (status == PGRES_TUPLES_OK) return exchange.rows.push_back(std::move(result));
  if (status != PGRES_FATAL_ERROR && status != PGRES_PIPELINE_ABORTED) return;
  if (place < exchange.expected.size() && exchange.expected[place] != nullptr) {
    prepared_.erase(exchange.expected[place]);
  }
  if (exchange.error.get() == nullptr) exchange.error = std::move(result);
}

void Link::finish_first() {
  const auto exchange = std::move(sent_.front());
  sent_.pop_front();
  const bool failed = exchange->error.get() != nullptr;
  if (failed) {
    exchange->finish(judge(*exchange));
  } else {
    exchange->finish(std::move(exchange->rows));
  }
  if (exchange == session_) {
    if (failed) return lose(connecting_->problem);
    ready_ = true;
    limit_.cancel();
    connecting_->succeeded();
  }
  end_if_idle();
  if (connection_) pump();
}

Errc Link::judge(Exchange& exchange) {
  const char* found = PQresultErrorField(exchange.error.get(), PG_DIAG_SQLSTATE);
  const std::string sqlstate = found == nullptr ? "" : found;
  connecting_->problem =
      one_line(PQresultErrorField(exchange.error.get(), PG_DIAG_MESSAGE_PRIMARY)) + " (SQLSTATE " +
      sqlstate + ")";
  exchange.collided = sqlstate == "40001" || sqlstate == "40P01";
  const auto code = meaning(sqlstate);
  if (code != Errc::stale)
    log().warn("postgres: refused: {}", printable(connecting_->problem, 512));
  if (!spoils_connection(sqlstate)) return code;
  retired_ = true;
  return Errc::unavailable;
}

}  // namespace sluice::postgres
