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
// Of a transaction that failed it is the end, too.
constexpr Statement kCommit{"commit", "COMMIT"};

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
    auto answer = co_await ask(call);
    if (call->collided && collisions < kCollisionsMax) continue;
    if (!answer) co_return answer.error();
    co_return answer->empty() ? Rows() : std::move(answer->back());
  }
}

Task<std::vector<Rows>> Pool::snapshot(Ticks deadline, std::vector<Query> queries) {
  const Params none;
  const auto call = exchange(deadline);
  call->queries = std::move(queries);
  call->queries.insert(call->queries.begin(), Query{&kBegin, &none});
  call->queries.push_back(Query{&kCommit, &none});
  auto answer = co_await ask(call);
  // Nothing was changed whose fate could be unknown.
  if (!answer && answer.error() == Errc::unknown) co_return Errc::unavailable;
  co_return answer;
}

Task<> Pool::script(Ticks deadline, std::string sql) {
  const auto call = exchange(deadline);
  call->script = std::move(sql);
  const auto answer = co_await ask(call);
  if (!answer) co_return answer.error();
  co_return Result<void>{};
}

std::shared_ptr<Exchange> Pool::exchange(Ticks deadline) const {
  return std::make_shared<Exchange>(executor_, deadline);
}

Task<std::vector<Rows>> Pool::ask(std::shared_ptr<Exchange> exchange) {
  if (std::chrono::steady_clock::now() >= exchange->over.expiry()) co_return Errc::unavailable;
  const auto link = pick();
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
  if (usable.size() < settings_.pool_size && std::ranges::all_of(usable, busy) &&
      std::chrono::steady_clock::now() >= connecting_->next_attempt) {
    usable.push_back(std::make_shared<Link>(executor_, settings_, connecting_));
    links_.push_back(usable.back());
    usable.back()->open();
  }
  const auto cost = [](const auto& link) { return std::pair(!link->ready(), link->load()); };
  const auto least = std::ranges::min_element(usable, {}, cost);
  return least == usable.end() ? nullptr : *least;
}

}  // namespace sluice::postgres
