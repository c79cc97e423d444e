#include "settings/table.hpp"

namespace sluice {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kHour = 60 * kMinute;

using Rows = std::vector<Setting>;

void add(Rows& rows, std::string key, Binding binding, std::string meaning) {
  rows.push_back({"degrade." + std::move(key), std::move(binding), std::move(meaning), false});
}

void add_breaker(Rows& rows, BreakerSettings& breaker, const std::string& name,
                 const std::string& service) {
  add(rows, name + "_calls_min", whole(breaker.calls_min, 1, 1'000'000),
      "Calls to " + service + " in the window before they are judged.");
  add(rows, name + "_failure_ratio", number(breaker.failure_ratio, 0.01, 1),
      "From this share of failures on nothing is sent there any more.");
  add(rows, name + "_slow_ms", millis(breaker.slow, 1, kMinute), "A longer call is slow.");
  add(rows, name + "_slow_ratio", number(breaker.slow_ratio, 0.01, 1),
      "From this share of slow calls on nothing is sent there any more.");
  add(rows, name + "_window_ms", millis(breaker.window, 10, kHour), "How far back calls count.");
  add(rows, name + "_open_for_ms", millis(breaker.open_for, 1, kHour),
      "How long nothing is sent before a few trials; it doubles while they fail.");
  add(rows, name + "_open_max_ms", millis(breaker.open_max, 1, kHour), "It doubles up to this.");
  add(rows, name + "_trials", whole(breaker.trials, 1, 1'000),
      "Good calls in a row after which all is well again.");
}

void add_direct(Rows& rows, AimdSettings& direct) {
  add(rows, "direct_start_per_s", number(direct.start_per_s, 1, 1e9),
      "Purchases a second that a node lets in when it begins to write to the store directly "
      "(bypass and database mode). From there the rate follows what the store takes.");
  add(rows, "direct_floor_per_s", number(direct.floor_per_s, 0.1, 1e9),
      "The rate never falls below this.");
  add(rows, "direct_ceiling_per_s", number(direct.ceiling_per_s, 1, 1e9),
      "The rate never rises above this.");
  add(rows, "direct_target_ms", millis(direct.target, 1, kMinute),
      "The rate rises while the store answers faster, and falls while it does not.");
}

void add_lag(Rows& rows, LagSettings& backlog) {
  add(rows, "lag_slow_wait_ms", millis(backlog.slow_wait, 1, 9 * kMinute),
      "Orders that would wait longer for their decision are answered as backlogged, and fewer are "
      "let in, until the wait is half of it.");
  add(rows, "lag_stalled_after_ms", millis(backlog.stalled_after, 1, kHour),
      "No order applied for so long: the backlog does not drain.");
  add(rows, "lag_admit_share", number(backlog.admit_share, 0, 1),
      "What is let in then, as a share of the rate at which the backlog drains.");
  add(rows, "lag_trickle_per_s", number(backlog.trickle_per_s, 0, 1e9),
      "What is let in at least, also while it does not drain.");
  add(rows, "lag_messages_max", whole(backlog.messages_max, 1, 1'000'000'000),
      "From this backlog on nothing is let in.");
}

}  // namespace

void add_degrade_settings(std::vector<Setting>& rows, Settings& settings) {
  auto& degrade = settings.degrade;
  add_breaker(rows, degrade.inventory, "inventory", "Redis");
  add_breaker(rows, degrade.queue, "queue", "Kafka");
  add_direct(rows, degrade.flow.direct);
  add_lag(rows, degrade.flow.lag);
}

}  // namespace sluice
