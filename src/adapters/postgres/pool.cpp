#include "adapters/postgres/pool.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

namespace sluice::postgres {
namespace {

constexpr int kCollisionsMax = 5;

constexpr Statement kBegin{"begin", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"};
// The reader has other things to do between two calls, but a dead one must not keep the instant.
constexpr Statement kPatience{"patience", "SET LOCAL idle_in_transaction_session_timeout = '60s'"};
// Of a transaction that failed it is the end, too.
constexpr Statement kCommit{"commit", "COMMIT"};

const Params kNone;

}  // namespace

Pool::Pool(boost::asio::any_io_executor executor, PostgresSettings settings)
    : executor_(std::move(executor)), settings_(std::move(settings)) {}

Pool::~Pool() {
  for (const auto& link : links_) link->close();
}

Task<Rows> Pool::run(Ticks deadline, const Statement& statement, const Params& params) {
  const Query query{&statement, &params};
  for (int collisions = 0;; ++collisions) {
    const auto call = exchange(deadline);
    call->queries.push_back(query);
    auto answer = co_await ask(pick(), call);
    if (call->collided && collisions < kCollisionsMax) continue;
    if (!answer) co_return answer.error();
    co_return answer->empty() ? Rows() : std::move(answer->back());
  }
}

Pool::Snapshot::Snapshot(Pool& pool) : pool_(pool), link_(pool.take_idle()) {}

Pool::Snapshot::~Snapshot() {
  if (!link_ || !begun_ || link_->load() > 0 || !link_->usable()) {
    if (link_) link_->close();
    return;
  }
  const auto end = pool_.exchange(Ticks::max());
  end->queries.push_back(Query{&kCommit, &kNone});
  // Nobody waits for it, and whatever is sent later comes after it.
  end->finish(Errc::unavailable);
  link_->submit(end);
  pool_.give_back(std::move(link_));
}

Task<std::vector<Rows>> Pool::Snapshot::run(Ticks deadline, std::vector<Query> queries) {
  const auto call = pool_.exchange(deadline);
  call->queries = std::move(queries);
  if (!std::exchange(begun_, true)) {
    const std::vector<Query> first{{&kBegin, &kNone}, {&kPatience, &kNone}};
    call->queries.insert(call->queries.begin(), first.begin(), first.end());
  }
  auto answer = co_await pool_.ask(link_, call);
  // Nothing was changed whose fate could be unknown.
  if (!answer && answer.error() == Errc::unknown) co_return Errc::unavailable;
  co_return answer;
}

Task<> Pool::script(Ticks deadline, std::string sql) {
  const auto call = exchange(deadline);
  call->script = std::move(sql);
  const auto answer = co_await ask(pick(), call);
  if (!answer) co_return answer.error();
  co_return Result<void>{};
}

std::shared_ptr<Exchange> Pool::exchange(Ticks deadline) const {
  return std::make_shared<Exchange>(executor_, deadline);
}

Task<std::vector<Rows>> Pool::ask(std::shared_ptr<Link> link, std::shared_ptr<Exchange> exchange) {
  if (std::chrono::steady_clock::now() >= exchange->over.expiry()) co_return Errc::unavailable;
  if (!link) co_return Errc::unavailable;
  link->submit(exchange);
  if (!exchange->answer) {
    const auto token = boost::asio::as_tuple(boost::asio::use_awaitable);
    co_await exchange->over.async_wait(token);
  }
  if (!exchange->answer) link->give_up(*exchange);
  co_return *std::move(exchange->answer);
}

/// The connection with the least to do; another one is opened while all have something. Null while
/// there is none and the next attempt is not due.
std::shared_ptr<Link> Pool::pick() {
  std::vector<std::shared_ptr<Link>> usable;
  std::ranges::copy_if(links_, std::back_inserter(usable), &Link::usable);
  std::erase_if(links_, [](const auto& link) { return link->closed(); });
  const auto busy = [](const auto& link) { return link->ready() && link->load() > 0; };
  if (usable.size() < settings_.pool_size && std::ranges::all_of(usable, busy)) {
    if (const auto link = connect()) {
      usable.push_back(link);
      links_.push_back(link);
    }
  }
  const auto cost = [](const auto& link) { return std::pair(!link->ready(), link->load()); };
  const auto least = std::ranges::min_element(usable, {}, cost);
  return least == usable.end() ? nullptr : *least;
}

/// A connection with nothing to do, for its taker alone; another one is opened if there is none.
/// Null as `pick`.
std::shared_ptr<Link> Pool::take_idle() {
  const auto idle = std::ranges::find_if(links_, [](const auto& link) {
    return link->usable() && link->ready() && link->load() == 0;
  });
  if (idle == links_.end()) return connect();
  auto link = *idle;
  links_.erase(idle);
  return link;
}

/// Null while the next attempt is not due.
std::shared_ptr<Link> Pool::connect() {
  if (std::chrono::steady_clock::now() < connecting_->next_attempt) return nullptr;
  auto link = std::make_shared<Link>(executor_, settings_, connecting_);
  link->open();
  return link;
}

void Pool::give_back(std::shared_ptr<Link> link) {
  std::erase_if(links_, [](const auto& other) { return other->closed(); });
  if (links_.size() >= settings_.pool_size) return link->close();
  links_.push_back(std::move(link));
}

}  // namespace sluice::postgres
