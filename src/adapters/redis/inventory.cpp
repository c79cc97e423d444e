#include <algorithm>
#include <array>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "sluice/adapters/redis/redis.hpp"
#include "sluice/base/hash.hpp"
#include "sluice/base/log.hpp"
#include "sluice/domain/sale.hpp"

#include "adapters/redis/connection.hpp"
#include "adapters/redis/records.hpp"
#include "adapters/redis/script.hpp"

namespace sluice {
namespace redis {
namespace {

constexpr std::size_t kBatchMax = 1024;     // users in one script call
constexpr std::size_t kOverdueStep = 2000;  // reservations in one reply
constexpr std::int64_t kScanStep = 4000;    // winners looked at in one script call
constexpr std::size_t kStageStep = 1000;    // winners staged in one command
constexpr std::int64_t kStagingTtlMs = 600'000;
constexpr std::string_view kSentinel = "#epoch";

constexpr Step kReserve{"reserve"};
constexpr Step kSettle{"settle"};
constexpr Step kFind{"find"};
constexpr Step kView{"view"};
constexpr Step kWinners{"winners", Step::Weight::bulk};
constexpr Step kOverdue{"overdue", Step::Weight::bulk};
constexpr Step kClose{"close"};
constexpr Step kStage{"stage", Step::Weight::bulk};
constexpr Step kRebuild{"rebuild", Step::Weight::bulk};
constexpr Step kSetWindow{"set_window"};

struct Scripts {
  Script reserve{"reserve.lua"};
  Script settle{"settle.lua"};
  Script find{"find.lua"};
  Script view{"view.lua"};
  Script winners{"winners.lua"};
  Script overdue{"overdue.lua"};
  Script open{"open.lua"};
  Script close{"close.lua"};
  Script window{"window.lua"};
};

const Scripts& scripts() {
  static const Scripts all;
  return all;
}

std::int64_t unix_ms(TimePoint time) { return time.time_since_epoch().count(); }

/// The beginning of a script's words: a lane's keys, perhaps one more, and the epoch.
Command keys_of(const LaneKeys& keys, const std::string* fifth = nullptr) {
  Command words;
  words.add(std::int64_t{fifth ? 5 : 4});
  words.add(keys.sale).add(keys.stock).add(keys.success).add(keys.pending);
  if (fifth) words.add(*fifth);
  return words;
}

Command words_for(const Call& call) {
  Command words = keys_of(LaneKeys(call.lane));
  words.add(std::int64_t{call.epoch});
  return words;
}

/// Every script answers 0 for a lane that is not ready.
bool not_ready(const redisReply& reply) {
  return reply.type == REDIS_REPLY_INTEGER && reply.integer == 0;
}

Errc garbled(const char* script) {
  log().critical("redis: {} answered in a form that this program does not know", script);
  return Errc::internal;
}

std::string_view action_name(SettleAction action) {
  if (action == SettleAction::keep) return "keep";
  return action == SettleAction::give_back ? "give_back" : "drop";
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
  if (words.size() != attempts.size() + 2) return std::nullopt;
  ReserveReply out;
  out.version = static_cast<std::uint64_t>(words[0]->integer);
  out.may_return = words[1]->integer > 0;
  out.reservations.reserve(attempts.size());
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    auto reservation = read_reservation(*words[i + 2], attempts[i]);
    if (!reservation) return std::nullopt;
    out.reservations.push_back(std::move(*reservation));
  }
  return out;
}

void add_window(Command& words, const LaneWindow& window) {
  words.add(name(window.state)).add(unix_ms(window.starts_at)).add(unix_ms(window.ends_at));
  words.add(std::int64_t{window.revision});
}

std::optional<LaneView> read_view(const redisReply& reply) {
  const auto words = elements(reply);
  if (words.size() != 9) return std::nullopt;
  const auto state = parse_name<SaleState>(text(*words[5]));
  if (!state) return std::nullopt;
  LaneView view;
  view.ready = true;
  view.epoch = static_cast<Epoch>(words[0]->integer);
  view.version = static_cast<std::uint64_t>(words[1]->integer);
  view.stock = words[2]->integer;
  view.pending = static_cast<std::uint64_t>(words[3]->integer);
  view.held = words[4]->integer;
  view.window.state = *state;
  view.window.starts_at = TimePoint{Millis{words[6]->integer}};
  view.window.ends_at = TimePoint{Millis{words[7]->integer}};
  view.window.revision = static_cast<std::uint32_t>(words[8]->integer);
  return view;
}

void add_users(std::span<redisReply* const> names, std::vector<UserId>& users) {
  for (const auto* name : names) {
    auto user = UserId::parse(text(*name));
    if (user) {
      users.push_back(std::move(*user));
    } else {
      log().error("redis: a winner's name is not valid: {}", printable(text(*name)));
    }
  }
}

void add_pending(LaneId lane, std::string_view member, std::string_view score,
                 std::vector<OrderMessage>& out) {
  auto message = parse_pending(lane, member, score);
  if (message) {
    out.push_back(std::move(*message));
  } else {
    log().error("redis: a pending record cannot be read: {}", printable(member));
  }
}

/// A valid image of the lane, in which no user wins twice.
bool valid(const Call& call, const LaneImage& image) {
  if (image.lane != call.lane || image.epoch < 1 || image.epoch > kEpochMax || image.stock < 0) {
    return false;
  }
  std::unordered_set<std::string_view> users;
  users.reserve(image.winners.size());
  return std::ranges::all_of(image.winners, [&](const auto& winner) {
    return is_live(winner.second.status) && winner.second.quantity > 0 &&
           users.insert(winner.first.text()).second;
  });
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
  Task<Winners> winners(Call call) override;
  Task<std::vector<OrderMessage>> overdue(Call call, Millis age, std::size_t max) override;
  Task<> close(Call call) override;
  Task<> rebuild(Call call, const LaneImage& image) override;
  Task<> set_window(Call call, LaneWindow window) override;

 private:
  Task<> stage(Ticks deadline, std::string key, const LaneImage& image);
  /// Runs a script through the dependency.
  Task<Reply> run(Step step, Ticks deadline, const Script& script, Command words);
  /// The same, where a lane that is not ready is an error.
  Task<Reply> run_ready(Step step, Ticks deadline, const Script& script, Command words);
  /// Sends a part of an image through the dependency.
  Task<Reply> send(Ticks deadline, Command command);

  RedisConnection connection_;
  Dependency& dependency_;
};

Task<Reply> RedisInventory::run(Step step, Ticks deadline, const Script& script, Command words) {
  auto work = [this, deadline, &script, words = std::move(words)] {
    return redis::run(*connection_, deadline, script, words);
  };
  return dependency_.call<Reply>(step, deadline, std::move(work));
}

Task<Reply> RedisInventory::run_ready(Step step, Ticks deadline, const Script& script,
                                      Command words) {
  auto reply = co_await run(step, deadline, script, std::move(words));
  if (reply.has_value() && not_ready(*reply.value())) co_return Errc::not_ready;
  co_return reply;
}

Task<Reply> RedisInventory::send(Ticks deadline, Command command) {
  auto work = [this, deadline, command = std::move(command)] {
    return execute(*connection_, deadline, command);
  };
  return dependency_.call<Reply>(kStage, deadline, std::move(work));
}

Task<ReserveReply> RedisInventory::reserve(Call call, In<Attempt> attempts) {
  if (!valid(call, attempts)) co_return Errc::invalid;
  Command words = words_for(call);
  words.reserve(256 + attempts.size() * 96);
  for (const auto& attempt : attempts) {
    words.add(attempt.id.text()).add(attempt.user.text()).add(std::int64_t{attempt.quantity});
  }
  auto reply = co_await run(kReserve, call.deadline, scripts().reserve, std::move(words));
  if (reply.has_error()) co_return reply.error();
  if (not_ready(*reply.value())) co_return Errc::not_ready;
  auto out = read_reserve(*reply.value(), attempts);
  if (!out) co_return garbled("reserve");
  co_return std::move(*out);
}

Task<> RedisInventory::settle(Call call, In<Settlement> settlements) {
  for (std::size_t at = 0; at < settlements.size(); at += kBatchMax) {
    const auto part = settlements.subspan(at, std::min(kBatchMax, settlements.size() - at));
    Command words = words_for(call);
    for (const auto& one : part) {
      words.add(one.id.text()).add(one.user.text()).add(action_name(one.action));
    }
    auto reply = co_await run(kSettle, call.deadline, scripts().settle, std::move(words));
    if (reply.has_error()) co_return reply.error();
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
    auto reply = co_await run_ready(kFind, call.deadline, scripts().find, std::move(words));
    if (reply.has_error()) co_return reply.error();
    const auto records = elements(*reply.value());
    if (records.size() != count) co_return garbled("find");
    for (const auto* record : records) {
      if (record->type == REDIS_REPLY_NIL) {
        found.emplace_back();
        continue;
      }
      const auto order = parse_record(text(*record));
      if (!order) co_return garbled("find");
      found.emplace_back(*order);
    }
  } while (found.size() < users.size());
  co_return std::move(found);
}

Task<LaneView> RedisInventory::view(Call call) {
  Command words = keys_of(LaneKeys(call.lane));
  auto reply = co_await run(kView, call.deadline, scripts().view, std::move(words));
  if (reply.has_error()) co_return reply.error();
  if (not_ready(*reply.value())) co_return LaneView{};
  const auto view = read_view(*reply.value());
  if (!view) co_return garbled("view");
  co_return *view;
}

Task<Winners> RedisInventory::winners(Call call) {
  Winners out;
  std::string cursor = "0";
  bool complete = false;
  while (!complete) {
    Command words = words_for(call);
    words.add(cursor).add(kScanStep);
    auto reply = co_await run_ready(kWinners, call.deadline, scripts().winners, std::move(words));
    if (reply.has_error()) co_return reply.error();
    const auto step = elements(*reply.value());
    if (step.size() < 2) co_return garbled("winners");
    const auto version = static_cast<std::uint64_t>(step[0]->integer);
    if (cursor != "0" && version != out.version) {
      // A unit came back meanwhile: its new buyer may be in a part already read. Begin again.
      out = Winners{};
      cursor = "0";
      continue;
    }
    out.version = version;
    add_users(step.subspan(2), out.users);
    cursor = text(*step[1]);
    complete = cursor == "0";
  }
  // A scan may show a field twice.
  std::ranges::sort(out.users);
  out.users.erase(std::unique(out.users.begin(), out.users.end()), out.users.end());
  co_return std::move(out);
}

Task<std::vector<OrderMessage>> RedisInventory::overdue(Call call, Millis age, std::size_t max) {
  std::vector<OrderMessage> out;
  // The sentinel's score is its epoch, below every time.
  std::string lowest = "(" + std::to_string(kEpochMax);
  std::size_t skip = 0;
  std::size_t seen = 0;
  while (seen < max) {
    const auto limit = std::min(max - seen, kOverdueStep);
    Command words = keys_of(LaneKeys(call.lane));
    words.add(std::int64_t{age.count()}).add(static_cast<std::int64_t>(limit));
    words.add(lowest).add(static_cast<std::int64_t>(skip));
    auto reply = co_await run(kOverdue, call.deadline, scripts().overdue, std::move(words));
    if (reply.has_error()) co_return reply.error();
    const auto found = elements(*reply.value());
    for (std::size_t i = 0; i + 1 < found.size(); i += 2) {
      const auto score = text(*found[i + 1]);
      skip = score == lowest ? skip + 1 : 1;
      lowest = score;
      add_pending(call.lane, text(*found[i]), score, out);
    }
    seen += found.size() / 2;
    if (found.size() / 2 < limit) break;
  }
  co_return std::move(out);
}

Task<> RedisInventory::close(Call call) {
  auto reply = co_await run(kClose, call.deadline, scripts().close, words_for(call));
  if (reply.has_error()) co_return reply.error();
  co_return Result<void>{};
}

Task<> RedisInventory::stage(Ticks deadline, std::string key, const LaneImage& image) {
  const std::string epoch = std::to_string(image.epoch);
  Command first;
  first.add("HSET").add(key).add(kSentinel).add(epoch);
  auto reply = co_await send(deadline, first);
  if (reply.has_error()) co_return reply.error();
  // Redis deletes the staging key of a rebuild that stops half-way.
  Command expire;
  expire.add("PEXPIRE").add(key).add(kStagingTtlMs);
  reply = co_await send(deadline, expire);
  if (reply.has_error()) co_return reply.error();
  for (std::size_t at = 0; at < image.winners.size(); at += kStageStep) {
    const auto end = std::min(at + kStageStep, image.winners.size());
    Command more;
    more.add("HSET").add(key);
    for (std::size_t i = at; i < end; ++i) {
      more.add(image.winners[i].first.text()).add(make_record(image.winners[i].second));
    }
    reply = co_await send(deadline, more);
    if (reply.has_error()) co_return reply.error();
  }
  co_return Result<void>{};
}

Task<> RedisInventory::rebuild(Call call, const LaneImage& image) {
  if (!valid(call, image)) co_return Errc::invalid;
  const LaneKeys keys(image.lane);
  // Two leaders that rebuild the same lane never write to the same key.
  const std::string staging = keys.staging + random_hex(8);
  const auto staged = co_await stage(call.deadline, staging, image);
  // Staging does not touch the lane: even an unknown outcome left it as it was.
  if (staged.has_error()) {
    co_return staged.error() == Errc::unknown ? make_error_code(Errc::unavailable) : staged.error();
  }
  Command words = keys_of(keys, &staging);
  words.add(std::int64_t{image.epoch});
  add_window(words, image.window);
  words.add(image.stock).add(static_cast<std::int64_t>(image.winners.size() + 1));
  auto reply = co_await run(kRebuild, call.deadline, scripts().open, std::move(words));
  if (reply.has_error()) co_return reply.error();
  const auto opened = reply.value()->integer;
  if (opened == 1) co_return Result<void>{};
  co_return opened == 2 ? Errc::stale : Errc::unavailable;
}

Task<> RedisInventory::set_window(Call call, LaneWindow window) {
  Command words = words_for(call);
  add_window(words, window);
  auto reply = co_await run_ready(kSetWindow, call.deadline, scripts().window, std::move(words));
  if (reply.has_error()) co_return reply.error();
  co_return Result<void>{};
}

}  // namespace
}  // namespace redis

std::unique_ptr<Inventory> create_redis_inventory(RedisConnection connection,
                                                  Dependency& dependency) {
  return std::make_unique<redis::RedisInventory>(std::move(connection), dependency);
}

}  // namespace sluice
