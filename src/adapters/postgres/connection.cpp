#include "adapters/postgres/connection.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <libpq-fe.h>
#include <poll.h>
#include <string_view>
#include <utility>

#include "sluice/base/log.hpp"

namespace sluice::postgres {
namespace {

Ticks now() { return std::chrono::steady_clock::now(); }

std::string one_line(const char* text) {
  std::string line = text == nullptr ? "" : text;
  for (char& c : line) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

bool is_collision(std::string_view sqlstate) { return sqlstate == "40001" || sqlstate == "40P01"; }

/// What an error means that the server answered after it rolled the statement back.
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

}  // namespace

void Connection::Close::operator()(pg_conn* connection) const { PQfinish(connection); }

Connection::Connection(PostgresSettings settings) : settings_(std::move(settings)) {}
Connection::~Connection() = default;

bool Connection::collided() const { return is_collision(sqlstate_); }

Result<Rows> Connection::run(Ticks deadline, const Statement& statement, const Params& params) {
  if (const auto ready = make_ready(deadline); ready.has_error()) return ready.error();
  if (!prepared_.contains(statement.name)) {
    auto send = [&] {
      return PQsendPrepare(connection_.get(), statement.name, statement.sql, 0, nullptr);
    };
    const auto prepared = exchange(deadline, send);
    if (prepared.has_error()) {
      return prepared.error() == Errc::unknown ? Errc::unavailable : prepared.error();
    }
    prepared_.insert(statement.name);
  }
  const auto raw = params.raw();
  auto send = [&] {
    return PQsendQueryPrepared(connection_.get(), statement.name,
                               static_cast<int>(raw.values.size()), raw.values.data(),
                               raw.lengths.data(), raw.formats.data(), 1);
  };
  return exchange(deadline, send);
}

Result<void> Connection::script(Ticks deadline, const std::string& sql) {
  if (const auto ready = make_ready(deadline); ready.has_error()) return ready.error();
  const auto answer =
      exchange(deadline, [&] { return PQsendQuery(connection_.get(), sql.c_str()); });
  if (answer.has_error()) return answer.error();
  return {};
}

Result<void> Connection::transaction(Ticks deadline, const std::function<Result<void>()>& work) {
  return within(deadline, "BEGIN", work);
}

Result<void> Connection::snapshot(Ticks deadline, const std::function<Result<void>()>& work) {
  const auto read = within(deadline, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work);
  // Nothing was changed whose fate could be unknown.
  if (read.has_error() && read.error() == Errc::unknown) return Errc::unavailable;
  return read;
}

Result<void> Connection::within(Ticks deadline, const char* begin,
                                const std::function<Result<void>()>& work) {
  auto done = script(deadline, begin);
  if (done.has_value()) {
    in_transaction_ = true;
    try {
      done = work();
    } catch (...) {
      connection_.reset();
      in_transaction_ = false;
      throw;
    }
    if (done.has_value()) {
      done = script(deadline, "COMMIT");
      in_transaction_ = false;
      return done;
    }
    const auto problem = problem_;
    const auto sqlstate = sqlstate_;
    if (connection_ && script(deadline, "ROLLBACK").has_error()) connection_.reset();
    in_transaction_ = false;
    problem_ = problem;
    sqlstate_ = sqlstate;
  }
  return done.error() == Errc::unknown ? Errc::unavailable : done.error();
}

Result<void> Connection::make_ready(Ticks deadline) {
  sqlstate_.clear();
  if (connection_ && !still_open()) connection_.reset();
  if (connection_) return {};
  if (in_transaction_) {
    problem_ = "the connection was lost within a transaction";
    return Errc::unavailable;
  }
  if (now() < next_attempt_ || now() >= deadline) return Errc::unavailable;
  // libpq's own message about a wrong URL repeats it, password and all.
  if (const auto wrong = check_postgres_url(settings_.url)) {
    problem_ = *wrong;
    return Errc::unavailable;
  }
  return connect(deadline);
}

/// The server may have closed the connection while it was idle. Finding that out before sending
/// spares the caller an `unknown`.
bool Connection::still_open() {
  while (wait(POLLIN, Ticks{}) != 0) {
    if (PQconsumeInput(connection_.get()) == 0) return false;
    while (PGnotify* notify = PQnotifies(connection_.get())) PQfreemem(notify);
  }
  return PQstatus(connection_.get()) == CONNECTION_OK;
}

Result<void> Connection::connect(Ticks deadline) {
  const auto limit = std::min(deadline, now() + settings_.connect_timeout);
  const auto user_timeout = std::to_string(settings_.tcp_user_timeout.count());
  const char* keywords[] = {"dbname", "client_encoding", "fallback_application_name",
                            "tcp_user_timeout", nullptr};
  const char* values[] = {settings_.url.c_str(), "UTF8", "sluice", user_timeout.c_str(), nullptr};
  prepared_.clear();
  connection_.reset(PQconnectStartParams(keywords, values, 1));
  auto ready = Result<void>(Errc::unavailable);
  if (connection_ && shake_hands(limit)) ready = prepare_session(limit);

  if (ready.has_error()) {
    connection_.reset();
    backoff_ = std::clamp(backoff_ * 2, settings_.backoff_min, settings_.backoff_max);
    next_attempt_ = now() + backoff_;
    if (!was_down_) log().warn("postgres: cannot connect: {}", problem_);
    was_down_ = true;
    return Errc::unavailable;
  }
  if (was_down_) log().info("postgres: connected again");
  was_down_ = false;
  backoff_ = Millis{0};
  return {};
}

bool Connection::shake_hands(Ticks limit) {
  PQsetNoticeReceiver(connection_.get(), ignore_notice, nullptr);
  if (PQstatus(connection_.get()) == CONNECTION_BAD) {
    problem_ = one_line(PQerrorMessage(connection_.get()));
    return false;
  }
  auto state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) {
      problem_ = one_line(PQerrorMessage(connection_.get()));
      return false;
    }
    if (wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, limit) == 0) {
      problem_ = "the server did not answer in time";
      return false;
    }
    state = PQconnectPoll(connection_.get());
  }
  return true;
}

Result<void> Connection::prepare_session(Ticks deadline) {
  if (PQsetnonblocking(connection_.get(), 1) != 0) return Errc::internal;
  const char* encoding = PQparameterStatus(connection_.get(), "server_encoding");
  if (encoding == nullptr || std::string_view(encoding) != "UTF8") {
    problem_ = "the database's encoding must be UTF8";
    return Errc::unavailable;
  }
  const auto lock_timeout = std::to_string(settings_.lock_timeout.count());
  const auto statement_timeout = std::to_string(settings_.statement_timeout.count());
  // Plans are made for the table as it is, not as it was when it was empty. An outcome once
  // answered must survive a crash, so a server that is set to lose commits is overruled.
  const auto sql = "SET statement_timeout = " + statement_timeout +
                   "; SET lock_timeout = " + lock_timeout +
                   "; SET idle_in_transaction_session_timeout = " + statement_timeout +
                   "; SET client_connection_check_interval = 1000"
                   "; SET plan_cache_mode = force_custom_plan"
                   "; SELECT set_config('synchronous_commit', 'on', false)"
                   " WHERE current_setting('synchronous_commit') = 'off'";
  const auto answer =
      exchange(deadline, [&] { return PQsendQuery(connection_.get(), sql.c_str()); });
  if (answer.has_error()) return answer.error();
  return {};
}

Result<Rows> Connection::exchange(Ticks deadline, const std::function<int()>& send) {
  // What ends the request goes out last: until all is flushed the server has nothing to commit.
  if (send() == 0 || !flush(deadline)) {
    return lose(Errc::unavailable, "nothing could be sent");
  }
  return receive(deadline);
}

bool Connection::flush(Ticks deadline) {
  for (;;) {
    const int left = PQflush(connection_.get());
    if (left <= 0) return left == 0;
    const short ready = wait(POLLIN | POLLOUT, deadline);
    if (ready == 0) return false;
    // The server may be unable to read before somebody reads what it says.
    if ((ready & POLLIN) != 0 && PQconsumeInput(connection_.get()) == 0) return false;
  }
}

Result<Rows> Connection::receive(Ticks deadline) {
  Rows kept;
  pg_result* kept_result = nullptr;
  for (;;) {
    while (PQisBusy(connection_.get()) != 0) {
      if (wait(POLLIN, deadline) == 0) {
        return lose(Errc::unknown, "the server did not answer in time");
      }
      if (PQconsumeInput(connection_.get()) == 0) {
        return lose(Errc::unknown, one_line(PQerrorMessage(connection_.get())));
      }
    }
    pg_result* result = PQgetResult(connection_.get());
    if (result == nullptr) break;
    Rows rows(result);
    if (kept_result != nullptr && PQresultStatus(kept_result) == PGRES_FATAL_ERROR) continue;
    kept = std::move(rows);
    kept_result = result;
  }
  if (kept_result == nullptr || PQstatus(connection_.get()) != CONNECTION_OK) {
    return lose(Errc::unknown, one_line(PQerrorMessage(connection_.get())));
  }
  return judge(std::move(kept), kept_result);
}

Result<Rows> Connection::judge(Rows rows, pg_result* result) {
  const auto status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
    return rows;
  }
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  sqlstate_ = sqlstate == nullptr ? "" : sqlstate;
  problem_ = one_line(message) + " (SQLSTATE " + sqlstate_ + ")";
  const auto code = meaning(sqlstate_);
  if (code != Errc::stale) log().warn("postgres: refused: {}", printable(problem_, 512));
  if (spoils_connection(sqlstate_)) {
    connection_.reset();
    return Errc::unavailable;
  }
  return code;
}

/// The events that came; 0 when the deadline passed first. A deadline in the past looks once.
short Connection::wait(short events, Ticks deadline) {
  pollfd watched{PQsocket(connection_.get()), events, 0};
  if (watched.fd < 0) return POLLERR;
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(deadline - now()).count();
    const int timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    const int count = ::poll(&watched, 1, timeout);
    if (count > 0) return watched.revents;
    if (count < 0 && errno != EINTR) return POLLERR;
    if (count == 0 && now() >= deadline) return 0;
  }
}

Errc Connection::lose(Errc code, std::string problem) {
  problem_ = std::move(problem);
  sqlstate_.clear();
  connection_.reset();
  log().warn("postgres: connection dropped: {}", printable(problem_));
  return code;
}

}  // namespace sluice::postgres
