#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/domain/lane.hpp"
#include "sluice/domain/order.hpp"

namespace sluice::redis {

/// The lane's key of that kind. All keys of a lane are in one hash slot.
std::string lane_key(std::string_view kind, LaneId lane);

/// The success record of a live order: status (q, c, p), order id (36 characters), quantity.
std::string make_record(const OrderView& order);
std::optional<OrderView> parse_record(std::string_view record);

/// A pending member (order id, quantity, ':', user) with its score, the time of the reservation.
std::optional<OrderMessage> parse_pending(LaneId lane, std::string_view member,
                                          std::string_view score);

}  // namespace sluice::redis
