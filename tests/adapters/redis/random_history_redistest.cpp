#include <algorithm>
#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "sluice/adapters/memory/memory.hpp"

#include "adapters/memory/lanes.hpp"
#include "redis_support.hpp"
#include "support/inventory_contract.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using std::chrono::hours;

constexpr int kHistories = 25;
constexpr int kSteps = 800;
constexpr std::size_t kStoryLines = 40;

class MemoryWorld final : public InventoryWorld {
 public:
  boost::asio::io_context& context() override { return context_; }
  Inventory& inventory() override { return *inventory_; }
  LaneId make_lane(std::uint32_t index) override { return {1, index}; }
  void lose(LaneId lane) override { lanes_->forget(lane); }

 private:
  boost::asio::io_context context_{1};
  MemoryLanes lanes_ = create_memory_lanes(system_clock());
  std::unique_ptr<Inventory> inventory_ = create_memory_inventory(lanes_);
};

std::string text(const OrderView& order) {
  return order.id.text() + '/' + std::string(name(order.status)) + '/' +
         std::to_string(order.quantity);
}

std::string text(const Result<ReserveReply>& reply) {
  if (!reply) return error_of(reply);
  std::string all = "v" + std::to_string(reply->version) + (reply->may_return ? " may return" : "");
  for (const auto& one : reply->reservations) {
    const bool has_order = one.verdict == Verdict::granted || one.verdict == Verdict::already;
    all += ' ' + std::to_string(static_cast<int>(one.verdict));
    if (has_order) all += ':' + text(one.existing);
  }
  return all;
}

std::string text(const Result<std::vector<std::optional<OrderView>>>& found) {
  if (!found) return error_of(found);
  std::string all;
  for (const auto& order : *found) all += (order ? text(*order) : "-") + ' ';
  return all;
}

std::string text(const LaneView& view) {
  if (!view.ready) return view.epoch == 0 && view.stock == 0 ? "not ready" : "half a view";
  const auto ms = [](TimePoint time) { return std::to_string(time.time_since_epoch().count()); };
  return "epoch " + std::to_string(view.epoch) + " v" + std::to_string(view.version) + " stock " +
         std::to_string(view.stock) + " pending " + std::to_string(view.pending) + " held " +
         std::to_string(view.held) + ' ' + std::string(name(view.window.state)) + ' ' +
         ms(view.window.starts_at) + ' ' + ms(view.window.ends_at) + ' ' +
         std::to_string(view.window.revision);
}

std::string text(const Result<WinnersPage>& page) {
  if (!page) return error_of(page);
  std::string all = "v" + std::to_string(page->version) + " stock " + std::to_string(page->stock) +
                    (page->may_return ? " may return" : "") + " next " + page->next +
                    (page->last ? " last" : "");
  for (const auto hash : page->hashes) all += ' ' + std::to_string(hash);
  return all;
}

/// Two reservations of one millisecond have no order.
std::string text(const std::vector<OrderMessage>& overdue) {
  std::set<std::string> lines;
  for (const auto& message : overdue) {
    lines.insert(message.id.text() + '/' + std::to_string(message.epoch) + '/' +
                 message.user.text() + '/' + std::to_string(message.quantity));
  }
  std::string all;
  for (const auto& line : lines) all += line + ' ';
  return all;
}

/// The same random calls on a lane in Redis and on one in memory, which is damaged in the same way
/// as far as the port knows: a lane whose keys are in ruins is one that was closed, and one without
/// keys is one that never was.
class TwinHistory {
 public:
  TwinHistory(RedisWorld& redis, std::uint64_t seed)
      : redis_world_(redis), redis_(redis), memory_(memory_world_), random_(seed) {
    memory_.lane = redis_.lane;
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) step();
    if (!testing::Test::HasFatalFailure()) return;
    std::string story;
    for (const auto& line : story_) story += line + '\n';
    ADD_FAILURE() << "the last steps, as memory answered them:\n" << story;
  }

  const std::map<std::string, int>& seen() const { return seen_; }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void step() {
    const auto pick = below(24);
    if (pick == 0) return close();
    if (pick == 1) return damage();
    if (pick <= 3) return rebuild();
    if (pick <= 5) return change_window();
    if (pick == 6) return look();
    if (pick == 7) return find();
    if (pick == 8) return overdue();
    if (pick <= 13) return settle();
    reserve();
  }

  template <class Ask>
  void compare(const std::string& step, Ask ask) {
    // Mostly the epoch that the lane has, else from one below to three above it.
    const auto other = static_cast<Epoch>(std::max<std::uint64_t>(1, epoch_ + below(5)) - 1);
    const auto epoch = below(15) == 0 ? other : epoch_;
    redis_.epoch = memory_.epoch = epoch;
    const std::string expected = ask(memory_);
    story_.push_back(step + " under " + std::to_string(epoch) + ": " + expected);
    if (story_.size() > kStoryLines) story_.pop_front();
    ++seen_[step + (expected.find("ready") != std::string::npos ? ", not ready" : "")];
    ASSERT_EQ(ask(redis_), expected) << step;
  }

  Attempt random_attempt() {
    if (!attempts_.empty() && below(3) == 0) return attempts_[below(attempts_.size())];
    redis_.epoch = epoch_;
    const auto quantity = static_cast<std::uint32_t>(below(3) + 1);
    attempts_.push_back(redis_.attempt("user" + std::to_string(below(15)), quantity));
    return attempts_.back();
  }

  void reserve() {
    std::vector<Attempt> batch;
    for (auto count = below(6); count > 0; --count) batch.push_back(random_attempt());
    compare("reserve", [&](LaneDriver& lane) { return text(lane.try_reserve(batch)); });
  }

  void settle() {
    std::vector<Settlement> batch;
    for (auto count = below(6); count > 0 && !attempts_.empty(); --count) {
      const auto action = static_cast<SettleAction>(below(3));
      // Of the last ones most are undecided yet.
      const auto recent = std::min<std::uint64_t>(attempts_.size(), 12);
      const auto at = attempts_.size() - 1 - below(recent);
      batch.push_back(settlement_of(attempts_[at], action));
      if (below(4) == 0) batch.push_back(batch.back());
    }
    compare("settle", [&](LaneDriver& lane) { return error_of(lane.try_settle(batch)); });
    look();
  }

  void find() {
    std::vector<UserId> users;
    for (auto count = below(6); count > 0; --count) {
      users.push_back(*UserId::parse("user" + std::to_string(below(17))));
    }
    compare("find", [&](LaneDriver& lane) { return text(lane.try_find(users)); });
  }

  void look() {
    compare("view", [](LaneDriver& lane) { return text(lane.view()); });
    const auto cursor = std::to_string(below(8));
    const auto max = 1 + below(5);
    compare("winners", [&](LaneDriver& lane) { return text(lane.try_winners(cursor, max)); });
  }

  void overdue() {
    const bool lost = pending_lost_;
    compare("overdue", [&](LaneDriver& lane) {
      return lost && &lane == &memory_ ? std::string() : text(lane.overdue());
    });
    const auto max = below(4);
    compare("overdue, some", [&](LaneDriver& lane) {
      const auto count = lane.overdue(Millis{0}, max).size();
      return std::to_string(lost && &lane == &memory_ ? 0 : count);
    });
    compare("overdue, old", [](LaneDriver& lane) { return text(lane.overdue(hours(1))); });
  }

  void change_window() {
    auto window = open_window();
    window.revision = static_cast<std::uint32_t>(below(5));
    if (below(3) == 0) window.state = static_cast<SaleState>(below(4));
    if (below(6) == 0) window.starts_at += hours(2);
    if (below(6) == 0) window.ends_at -= hours(2);
    compare("window", [&](LaneDriver& lane) { return error_of(lane.set_window(window)); });
  }

  void close() {
    if (below(3) != 0) return;
    compare("close", [](LaneDriver& lane) { return error_of(lane.close()); });
    epoch_ = std::max(epoch_, redis_.epoch);
    highest_ = std::max(highest_, redis_.epoch);
    look();
    overdue();
  }

  void rebuild() {
    const bool ready = text(memory_.view()) != "not ready";
    if (ready && below(4) != 0) return;
    // Over ruins Redis knows only the epochs of the keys that are left, memory its own.
    const auto low = ruins_ ? highest_ + 1 : std::max<Epoch>(1, epoch_ - 1);
    const auto epoch = static_cast<Epoch>(low + below(3));
    auto image = redis_.image(static_cast<std::int64_t>(below(20)), epoch);
    image.window.revision = static_cast<std::uint32_t>(below(3));
    if (below(10) == 0) image.stock = -1;
    for (std::uint64_t i = 0; i < below(6); ++i) {
      redis_.epoch = std::max<Epoch>(1, epoch_);
      const auto won = redis_.attempt("user" + std::to_string(3 * i), 1);
      const auto status = below(2) == 0 ? OrderStatus::confirmed : OrderStatus::paid;
      image.winners.emplace_back(won.user, OrderView{won.id, status, 1});
      attempts_.push_back(won);
    }
    std::string done;
    compare("rebuild", [&](LaneDriver& lane) { return done = error_of(lane.rebuild(image)); });
    if (done == "ok") {
      epoch_ = epoch;
      highest_ = std::max(highest_, epoch);
      ruins_ = pending_lost_ = false;
    }
    look();
  }

  void damage() {
    if (below(4) != 0) return;
    const auto keys = keys_of(redis_.lane);
    if (below(4) == 0) {
      note("all keys are lost");
      redis_world_.lose(redis_.lane);
      memory_world_.lose(memory_.lane);
      ruins_ = pending_lost_ = false;
    } else {
      const auto at = below(keys.size());
      const bool whole = !memory_.view().ready || below(2) == 0;
      whole ? replace(keys[at]) : damage_fields(keys);
      memory_.epoch = epoch_;
      ASSERT_EQ(error_of(memory_.close()), "ok");
      ruins_ = true;
      pending_lost_ = pending_lost_ || (whole && at == 3);
    }
    look();
    overdue();
  }

  void note(const std::string& what) {
    story_.push_back(what);
    ++seen_[what];
  }

  void ask(const std::vector<std::string>& words) { redis_world_.admin().ask(words); }

  void replace(const std::string& key) {
    ask({"DEL", key});
    switch (below(4)) {
      case 0:
        return note("a key is lost");
      case 1:
        ask({"SET", key, "something else"});
        return note("a key becomes a string");
      case 2:
        ask({"RPUSH", key, "something", "else"});
        return note("a key becomes a list");
      default:
        ask({"SADD", key, "something", "else"});
        return note("a key becomes a set");
    }
  }

  void damage_fields(const std::vector<std::string>& keys) {
    const std::vector<std::vector<std::string>> ways = {
        {"HDEL", keys[0], "version"},
        {"HDEL", keys[0], "replid"},
        {"HSET", keys[0], "state", "nonsense"},
        {"HSET", keys[0], "epoch", ""},
        {"HSET", keys[0], "revision", "1e3"},
        {"HSET", keys[0], "replid", std::string(40, 'a')},
        {"HDEL", keys[1], "units"},
        {"HDEL", keys[1], "held"},
        {"HSET", keys[1], "units", "nonsense"},
        {"HSET", keys[1], "units", "1.5"},
        {"HSET", keys[1], "held", ""},
        {"HDEL", keys[2], "#epoch"},
        {"HSET", keys[2], "#epoch", "nonsense"},
        {"ZREM", keys[3], "#epoch"},
        {"SETRANGE", keys[4], "0", "nonsense"},
        {"SETRANGE", keys[4], "0", "        "},
    };
    ask(ways[below(ways.size())]);
    note("a field is wrong");
  }

  RedisWorld& redis_world_;
  MemoryWorld memory_world_;
  LaneDriver redis_;
  LaneDriver memory_;
  std::mt19937_64 random_;
  Epoch epoch_ = 0;            // Of the last rebuild, or the higher one of a closing since.
  Epoch highest_ = 0;          // Of all rebuilds and closings.
  bool ruins_ = false;         // Something is left of a lane that is not ready any more.
  bool pending_lost_ = false;  // The pending records are not part of it.
  std::vector<Attempt> attempts_;
  std::deque<std::string> story_;
  std::map<std::string, int> seen_;
};

TEST(RedisScripts, AnswerRandomHistoriesAsTheMemoryInventoryDoes) {
  RedisWorld world(settings_of(shared_redis_url()));
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 1; seed <= kHistories; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TwinHistory history(world, seed);
    history.run(kSteps);
    if (HasFatalFailure()) return;
    for (const auto& [what, count] : history.seen()) seen[what] += count;
  }
  for (const auto* const what :
       {"reserve", "reserve, not ready", "settle", "find", "view", "view, not ready", "winners",
        "overdue", "window", "window, not ready", "close", "rebuild", "all keys are lost",
        "a key is lost", "a key becomes a string", "a key becomes a list", "a key becomes a set",
        "a field is wrong"}) {
    EXPECT_GE(seen[what], 20) << what << ": the histories miss it";
  }
}

}  // namespace
}  // namespace sluice::test
