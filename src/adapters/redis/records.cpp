#include "adapters/redis/records.hpp"

#include "sluice/base/text.hpp"

namespace sluice::redis {
namespace {

constexpr std::size_t kIdLength = 36;

char letter(OrderStatus status) {
  if (status == OrderStatus::confirmed) return 'c';
  return status == OrderStatus::paid ? 'p' : 'q';
}

std::optional<OrderStatus> status_of(char letter) {
  switch (letter) {
    case 'q':
      return OrderStatus::queued;
    case 'c':
      return OrderStatus::confirmed;
    case 'p':
      return OrderStatus::paid;
    default:
      return std::nullopt;
  }
}

std::optional<std::uint32_t> parse_quantity(std::string_view text) {
  const auto number = parse_number<std::uint32_t>(text);
  return number && *number > 0 ? number : std::nullopt;
}

}  // namespace

LaneKeys::LaneKeys(LaneId lane) {
  const auto tag = "{" + std::to_string(lane.sale) + ":" + std::to_string(lane.index) + "}";
  sale = "seckill:sale:" + tag;
  stock = "seckill:stock:" + tag;
  success = "seckill:success:" + tag;
  pending = "seckill:pending:" + tag;
  staging = "seckill:staging:" + tag + ":";
}

std::string make_record(const OrderView& order) {
  return letter(order.status) + order.id.text() + std::to_string(order.quantity);
}

std::optional<OrderView> parse_record(std::string_view record) {
  if (record.size() <= 1 + kIdLength) return std::nullopt;
  const auto status = status_of(record.front());
  const auto id = OrderId::parse(record.substr(1, kIdLength));
  const auto quantity = parse_quantity(record.substr(1 + kIdLength));
  if (!status || !id || !quantity) return std::nullopt;
  return OrderView{*id, *status, *quantity};
}

std::optional<OrderMessage> parse_pending(LaneId lane, std::string_view member,
                                          std::string_view score) {
  const auto colon = member.find(':');
  if (colon == std::string_view::npos || colon <= kIdLength) return std::nullopt;
  const auto id = OrderId::parse(member.substr(0, kIdLength));
  const auto quantity = parse_quantity(member.substr(kIdLength, colon - kIdLength));
  const auto user = UserId::parse(member.substr(colon + 1));
  const auto time_ms = parse_number<std::int64_t>(score);
  if (!id || !quantity || !user || !time_ms) return std::nullopt;
  return OrderMessage{*id, lane, id->epoch(), *user, *quantity, TimePoint{Millis{*time_ms}}};
}

}  // namespace sluice::redis
