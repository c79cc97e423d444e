#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <iterator>
#include <span>
#include <string>
#include <utility>

#include "sluice/adapters/redis/redis.hpp"
#include "sluice/base/log.hpp"
#include "sluice/base/text.hpp"
#include "sluice/domain/sale.hpp"
#include "sluice/inventory/winner_set.hpp"

#include "adapters/redis/connection.hpp"
#include "adapters/redis/records.hpp"
#include "adapters/redis/remote_clock.hpp"
#include "adapters/redis/script.hpp"

namespace sluice {
namespace redis {
namespace {

constexpr std::size_t kBatchMax = 1024;     // users in one script call
constexpr std::size_t kOverdueStep = 2000;  // reservations in one reply

constexpr std::array<std::string_view, 3> kActions = {"keep", "give_back", "drop"};

/// Each with the calls of the port's function of that name.
struct Scripts {
  Script reserve{"reserve"};
  Script settle{"settle"};
  Script find{"find"};
  Script view{"view"};
  Script winners{"winners"};
  Script overdue{"overdue", Step::Weight::bulk};
  Script close{"close"};
  Script stage{"stage", Step::Weight::bulk};
  Script unstage{"unstage"};
  Script rebuild{"rebuild", Step::Weight::bulk};
  Script set_window{"set_window"};
};

const Scripts& scripts() {
  static const Scripts all;
  return all;
}

std::int64_t unix_ms(TimePoint time) { return time.time_since_epoch().count(); }

constexpr std::array<const char*, 5> kLaneKeys = {"sale", "stock", "success", "pending", "winners"};

/// Where records and list of the live orders of a rebuild collect beside the lane, the same for all
/// epochs: what a rebuild leaves behind goes when the next one begins.
std::array<std::string, 2> staging_keys(LaneId lane) {
  return {lane_key("staging", lane), lane_key("staged", lane)};
}

/// The beginning of a script's words: the lane's keys, perhaps those of a rebuild, and the epoch.
Command words_for(const Call& call, std::span<const std::string> staging = {}) {
  Command words;
  words.add(kLaneKeys.size() + staging.size());
  for (const char* kind : kLaneKeys) words.add(lane_key(kind, call.lane));
  for (const auto& key : staging) words.add(key);
  words.add(call.epoch);
  return words;
}

/// The bytes of a hash as they stand in the list: every machine that runs this is little-endian.
void add_hash(std::string& list, const UserId& user) {
  static_assert(std::endian::native == std::endian::little);
  const auto hash = winner_hash(user);
  list.append(reinterpret_cast<const char*>(&hash), sizeof(hash));
}

std::optional<std::vector<std::uint64_t>> read_hashes(std::string_view list) {
  std::vector<std::uint64_t> hashes(list.size() / sizeof(std::uint64_t));
  if (list.size() != hashes.size() * sizeof(std::uint64_t)) return std::nullopt;
  if (!list.empty()) std::memcpy(hashes.data(), list.data(), list.size());
  return hashes;
}

/// winners.lua's answer about what follows the first `from`.
std::optional<WinnersPage> read_page(const redisReply& reply, std::size_t from) {
  const auto words = elements(reply);
  if (words.size() != 5) return std::nullopt;
  auto hashes = read_hashes(text(*words[4]));
  const auto listed = static_cast<std::size_t>(words[3]->integer);
  if (!hashes || from + hashes->size() > listed) return std::nullopt;
  WinnersPage page;
  page.version = static_cast<std::uint64_t>(words[0]->integer);
  page.stock = words[1]->integer;
  page.may_return = words[2]->integer > 0;
  page.hashes = std::move(*hashes);
  const auto next = from + page.hashes.size();
  page.next = std::to_string(next);
  page.last = next == listed;
  return page;
}

Errc garbled(const char* script) {
  log().critical("redis: {} answered in a form that this program does not know", script);
  return Errc::internal;
}

/// reserve.lua's words. `not_after`: see there.
Command reserve_words(const Call& call, In<Attempt> attempts, std::int64_t not_after) {
  Command words = words_for(call);
  words.reserve(320 + attempts.size() * 104);
  std::string hashes;
  hashes.reserve(attempts.size() * sizeof(std::uint64_t));
  for (const auto& attempt : attempts) add_hash(hashes, attempt.user);
  words.add(hashes).add(late(call, attempts) ? 1 : 0).add(not_after);
  for (const auto& attempt : attempts) {
    words.add(attempt.id.text()).add(attempt.user.text()).add(attempt.quantity);
  }
  return words;
}

/// One element of reserve.lua's answer.
std::optional<Reservation> read_reservation(const redisReply& answer, const Attempt& attempt) {
  constexpr std::array kVerdicts = {Verdict::granted, Verdict::sold_out, Verdict::insufficient,
                                    Verdict::not_open};
  if (answer.type == REDIS_REPLY_INTEGER) {
    const auto place = answer.integer - 1;
    if (place < 0 || place >= std::ssize(kVerdicts)) return std::nullopt;
    const auto verdict = kVerdicts[static_cast<std::size_t>(place)];
    if (verdict != Verdict::granted) return Reservation{verdict, {}};
    return Reservation{verdict, {attempt.id, OrderStatus::queued, attempt.quantity}};
  }
  const auto record = parse_record(text(answer));
  if (!record) return std::nullopt;
  // A repeated attempt finds itself; once decided it is an order like any other.
  const bool itself = record->id == attempt.id && record->status == OrderStatus::queued;
  return Reservation{itself ? Verdict::granted : Verdict::already, *record};
}

std::optional<ReserveReply> read_reserve(const redisReply& reply, In<Attempt> attempts) {
  const auto words = elements(reply);
  if (words.size() != attempts.size() + 3) return std::nullopt;
  ReserveReply out;
  out.version = static_cast<std::uint64_t>(words[1]->integer);
  out.may_return = words[2]->integer > 0;
  out.reservations.reserve(attempts.size());
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    auto reservation = read_reservation(*words[i + 3], attempts[i]);
    if (!reservation) return std::nullopt;
    out.reservations.push_back(std::move(*reservation));
  }
  return out;
}

void add_window(Command& words, const LaneWindow& window) {
  words.add(name(window.state)).add(unix_ms(window.starts_at)).add(unix_ms(window.ends_at));
  words.add(window.revision);
}

std::optional<LaneView> read_view(const redisReply& reply) {
  const auto words = elements(reply);
  if (words.size() != 9) return std::nullopt;
  const auto number = [&](std::size_t i) { return std::int64_t{words[i]->integer}; };
  const auto state = parse_name<SaleState>(text(*words[5]));
  if (!state) return std::nullopt;
  return LaneView{
      .ready = true,
      .epoch = static_cast<Epoch>(number(0)),
      .version = static_cast<std::uint64_t>(number(1)),
      .stock = number(2),
      .pending = static_cast<std::uint64_t>(number(3)),
      .held = number(4),
      .window = {*state, TimePoint{Millis{number(6)}}, TimePoint{Millis{number(7)}},
                 static_cast<std::uint32_t>(number(8))},
  };
}

void add_pending(LaneId lane, Epoch granting, std::string_view member, std::string_view score,
                 std::vector<OrderMessage>& out) {
  auto message = parse_pending(lane, member, score);
  if (message) {
    message->epoch = std::max(message->epoch, granting);
    out.push_back(std::move(*message));
  } else {
    log().error("redis: a pending record cannot be read: {}", printable(member));
  }
}

/// The port over scripts. The coroutines hold `this`: see connect_redis.
class RedisInventory final : public Inventory {
 public:
  RedisInventory(RedisConnection connection, Dependency& dependency)
      : connection_(std::move(connection)), dependency_(dependency) {}

  Task<ReserveReply> reserve(Call call, In<Attempt> attempts) override;
  Task<> settle(Call call, In<Settlement> settlements) override;
  Task<std::vector<std::optional<OrderView>>> find(Call call, In<UserId> users) override;
  Task<LaneView> view(Call call) override;
  Task<WinnersPage> winners(Call call, std::string cursor, std::size_t max) override;
  Task<std::vector<OrderMessage>> overdue(Call call, Millis age, std::size_t max) override;
  Task<> close(Call call) override;
  Task<> stage(Call call, std::size_t place, In<LiveOrder> orders) override;
  Task<> unstage(Call call) override;
  Task<> rebuild(Call call, const LaneImage& image, std::size_t staged) override;
  Task<> set_window(Call call, LaneWindow window) override;

 private:
  /// Runs a script through the dependency.
  Task<Reply> run(const Script& script, Ticks deadline, const Command& words);

  RedisConnection connection_;
  Dependency& dependency_;
  RemoteClock clock_;
};

Task<Reply> RedisInventory::run(const Script& script, Ticks deadline, const Command& words) {
  Dependency::Operation<Reply> work = [this, deadline, &script, &words] {
    return redis::run(*connection_, deadline, script, words);
  };
  auto reply = co_await dependency_.call<Reply>(script.step, deadline, std::move(work));
  // Every script answers 0 for a lane that is not ready.
  const bool zero = reply && (*reply)->type == REDIS_REPLY_INTEGER && (*reply)->integer == 0;
  if (zero) co_return Errc::not_ready;
  co_return reply;
}

Task<ReserveReply> RedisInventory::reserve(Call call, In<Attempt> attempts) {
  if (!valid(call, attempts)) co_return Errc::invalid;
  for (bool again = false;; again = true) {
    const Command words = reserve_words(call, attempts, clock_.at(call.deadline));
    const auto reply = co_await run(scripts().reserve, call.deadline, words);
    if (!reply) co_return reply.error();
    const auto heard = elements(**reply);
    if (heard.empty()) co_return garbled("reserve");
    const auto now = std::chrono::steady_clock::now();
    clock_.heard(now, heard.front()->integer);
    if (heard.size() > 1) {
      auto out = read_reserve(**reply, attempts);
      if (!out) co_return garbled("reserve");
      co_return std::move(*out);
    }
    // Nothing was done. In time all the same, the clock was set: it is known better now.
    if (again || now >= call.deadline) co_return Errc::unavailable;
  }
}

Task<> RedisInventory::settle(Call call, In<Settlement> settlements) {
  for (std::size_t at = 0; at < settlements.size(); at += kBatchMax) {
    const auto part = settlements.subspan(at, std::min(kBatchMax, settlements.size() - at));
    Command words = words_for(call);
    for (const auto& one : part) {
      words.add(one.id.text()).add(one.user.text());
      words.add(kActions.at(static_cast<std::size_t>(one.action)));
    }
    const auto reply = co_await run(scripts().settle, call.deadline, words);
    if (!reply && reply.error() != Errc::not_ready) co_return reply.error();
  }
  co_return Result<void>{};
}

Task<std::vector<std::optional<OrderView>>> RedisInventory::find(Call call, In<UserId> users) {
  std::vector<std::optional<OrderView>> found;
  found.reserve(users.size());
  do {
    const auto count = std::min(kBatchMax, users.size() - found.size());
    const auto part = users.subspan(found.size(), count);
    Command words = words_for(call);
    for (const auto& user : part) words.add(user.text());
    const auto reply = co_await run(scripts().find, call.deadline, words);
    if (!reply) co_return reply.error();
    const auto records = elements(**reply);
    if (records.size() != count) co_return garbled("find");
    for (const auto* record : records) {
      found.push_back(parse_record(text(*record)));
      if (!found.back() && record->type != REDIS_REPLY_NIL) co_return garbled("find");
    }
  } while (found.size() < users.size());
  co_return std::move(found);
}

Task<LaneView> RedisInventory::view(Call call) {
  const Command words = words_for(call);
  const auto reply = co_await run(scripts().view, call.deadline, words);
  if (!reply && reply.error() == Errc::not_ready) co_return LaneView{};
  if (!reply) co_return reply.error();
  const auto view = read_view(**reply);
  if (!view) co_return garbled("view");
  co_return *view;
}

Task<WinnersPage> RedisInventory::winners(Call call, std::string cursor, std::size_t max) {
  const auto from = parse_number<std::size_t>(cursor.empty() ? "0" : cursor);
  if (!from || max < 1 || max > kWinnersPageMax) co_return Errc::invalid;
  Command words = words_for(call);
  words.add(*from).add(max);
  const auto reply = co_await run(scripts().winners, call.deadline, words);
  if (!reply) co_return reply.error();
  // The list is shorter than that: it is another one.
  if ((*reply)->type == REDIS_REPLY_INTEGER) co_return Errc::invalid;
  auto page = read_page(**reply, *from);
  if (!page) co_return garbled("winners");
  co_return std::move(*page);
}

Task<std::vector<OrderMessage>> RedisInventory::overdue(Call call, Millis age, std::size_t max) {
  std::vector<OrderMessage> out;
  // The sentinel's score is its epoch, below every time.
  std::string lowest = "(" + std::to_string(kEpochMax);
  std::size_t skip = 0;
  std::size_t seen = 0;
  while (seen < max) {
    const auto limit = std::min(max - seen, kOverdueStep);
    Command words = words_for(call);
    words.add(age.count()).add(limit).add(lowest).add(skip);
    const auto reply = co_await run(scripts().overdue, call.deadline, words);
    if (!reply) co_return reply.error();
    const auto found = elements(**reply);
    if (found.empty()) co_return garbled("overdue");
    const auto granting = static_cast<Epoch>(found.front()->integer);
    for (std::size_t i = 1; i + 1 < found.size(); i += 2) {
      const auto score = text(*found[i + 1]);
      skip = score == lowest ? skip + 1 : 1;
      lowest = score;
      add_pending(call.lane, granting, text(*found[i]), score, out);
    }
    seen += found.size() / 2;
    if (found.size() / 2 < limit) break;
  }
  co_return std::move(out);
}

Task<> RedisInventory::close(Call call) {
  const Command words = words_for(call);
  const auto reply = co_await run(scripts().close, call.deadline, words);
  if (!reply && reply.error() != Errc::not_ready) co_return reply.error();
  co_return Result<void>{};
}

Task<> RedisInventory::stage(Call call, std::size_t place, In<LiveOrder> orders) {
  if (!valid(call, orders)) co_return Errc::invalid;
  Command words = words_for(call, staging_keys(call.lane));
  words.reserve(256 + orders.size() * 104);
  words.add(place);
  std::string hashes;
  hashes.reserve(orders.size() * sizeof(std::uint64_t));
  for (const auto& [user, order] : orders) add_hash(hashes, user);
  words.add(hashes);
  for (const auto& [user, order] : orders) words.add(user.text()).add(make_record(order));
  const auto reply = co_await run(scripts().stage, call.deadline, words);
  // The lane is as it was, and what is staged now is counted by whoever goes on with it.
  if (!reply && reply.error() == Errc::unknown) co_return Errc::unavailable;
  if (!reply) co_return reply.error();
  constexpr std::array kRefusals = {Errc::stale, Errc::unavailable, Errc::invalid};
  const auto answer = (*reply)->integer;
  if (answer == 1) co_return Result<void>{};
  if (answer < 2 || answer > 4) co_return garbled("stage");
  co_return kRefusals.at(static_cast<std::size_t>(answer - 2));
}

Task<> RedisInventory::unstage(Call call) {
  const Command words = words_for(call, staging_keys(call.lane));
  const auto reply = co_await run(scripts().unstage, call.deadline, words);
  if (!reply) co_return reply.error();
  co_return Result<void>{};
}

Task<> RedisInventory::rebuild(Call call, const LaneImage& image, std::size_t staged) {
  if (!valid(call, image)) co_return Errc::invalid;
  call.epoch = image.epoch;
  Command words = words_for(call, staging_keys(call.lane));
  add_window(words, image.window);
  words.add(image.stock).add(staged);
  const auto reply = co_await run(scripts().rebuild, call.deadline, words);
  if (!reply) co_return reply.error();
  const auto opened = (*reply)->integer;
  if (opened == 1) co_return Result<void>{};
  co_return opened == 2 ? Errc::stale : Errc::unavailable;
}

Task<> RedisInventory::set_window(Call call, LaneWindow window) {
  Command words = words_for(call);
  add_window(words, window);
  const auto reply = co_await run(scripts().set_window, call.deadline, words);
  if (!reply) co_return reply.error();
  co_return Result<void>{};
}

}  // namespace
}  // namespace redis

std::unique_ptr<Inventory> create_redis_inventory(RedisConnection connection,
                                                  Dependency& dependency) {
  return std::make_unique<redis::RedisInventory>(std::move(connection), dependency);
}

}  // namespace sluice
