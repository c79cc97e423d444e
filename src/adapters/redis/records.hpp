#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/domain/lane.hpp"
#include "sluice/domain/order.hpp"

namespace sluice::redis {

/// The keys of one lane, in one hash slot.
struct LaneKeys {
  explicit LaneKeys(LaneId lane);
  std::string sale;
  std::string stock;
  std::string success;
  std::string pending;
  std::string staging;  ///< Prefix of keys under which a rebuild collects winners.
};

/// A success record: status (q, c, p), order id (36 characters), quantity.
std::string make_record(const OrderView& order);
std::optional<OrderView> parse_record(std::string_view record);

/// A pending member (order id, quantity, ':', user) with its score, the time of the reservation.
std::optional<OrderMessage> parse_pending(LaneId lane, std::string_view member,
                                          std::string_view score);

}  // namespace sluice::redis
