#include "adapters/redis/records.hpp"

#include <array>
#include <fmt/format.h>

#include "sluice/base/text.hpp"

namespace sluice::redis {
namespace {

constexpr std::size_t kIdLength = 36;

/// Of queued, confirmed and paid orders, which come first in OrderStatus.
constexpr std::array<std::string_view, 3> kLetters = {"q", "c", "p"};

/// An order id and a quantity.
std::optional<OrderView> parse_order(OrderStatus status, std::string_view text) {
  const auto id = OrderId::parse(text.substr(0, kIdLength));
  if (!id) return std::nullopt;
  const auto quantity = parse_number<std::uint32_t>(text.substr(kIdLength));
  if (quantity.value_or(0) == 0) return std::nullopt;
  return OrderView{*id, status, *quantity};
}

}  // namespace

std::string lane_key(std::string_view kind, LaneId lane) {
  return fmt::format("seckill:{}:{{{}:{}}}", kind, lane.sale, lane.index);
}

std::string make_record(const OrderView& order) {
  const auto letter = kLetters.at(static_cast<std::size_t>(order.status));
  return std::string(letter) + order.id.text() + std::to_string(order.quantity);
}

std::optional<OrderView> parse_record(std::string_view record) {
  const auto status = find_name<OrderStatus>(kLetters, record.substr(0, 1));
  return status ? parse_order(*status, record.substr(1)) : std::nullopt;
}

std::optional<OrderMessage> parse_pending(LaneId lane, std::string_view member,
                                          std::string_view score) {
  const auto colon = member.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto order = parse_order(OrderStatus::queued, member.substr(0, colon));
  const auto user = UserId::parse(member.substr(colon + 1));
  const auto time_ms = parse_number<std::int64_t>(score);
  if (!order || !user || !time_ms) return std::nullopt;
  return OrderMessage{
      order->id, lane, order->id.epoch(), *user, order->quantity, TimePoint{Millis{*time_ms}}};
}

}  // namespace sluice::redis
