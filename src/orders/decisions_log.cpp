#include "sluice/orders/decisions_log.hpp"

#include <fmt/format.h>

#include "sluice/base/log.hpp"

namespace sluice {
namespace {

constexpr int kUnusualMax = 16;  // Lines at level info for one batch.

}  // namespace

void log_decisions(In<OrderMessage> messages, In<Outcome> outcomes) {
  int unusual = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& message = messages[i];
    const auto& outcome = outcomes[i];
    const bool parked = outcome.status == OrderStatus::queued;
    const bool rejected = outcome.status == OrderStatus::rejected;
    const bool is_told = (parked || rejected) && unusual++ < kUnusualMax;
    const auto level = is_told ? spdlog::level::info : spdlog::level::debug;
    if (!log().should_log(level)) continue;
    log().log(level, "order {} of sale {}, lane {}, epoch {}: {}{}{} (request {})",
              message.id.text(), message.lane.sale, message.lane.index, message.epoch,
              parked ? "parked" : name(outcome.status), rejected ? ", " : "",
              rejected ? name(outcome.reason) : "",
              message.request_id.empty() ? "unknown" : message.request_id);
  }
}

}  // namespace sluice
