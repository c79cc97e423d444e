#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "sluice/domain/order.hpp"

#include "http/answer.hpp"

namespace sluice::http {

/// An order as its row says, for operators, as a JSON object.
std::string operator_order(const Order& order);

/// Reads a body whose one member is `user`.
std::variant<UserId, Answer> parse_user(std::string_view body);

}  // namespace sluice::http
