#pragma once

#include <string_view>

namespace sluice::http {

/// ASCII only; `lower` must be lower case.
bool equals_ignoring_case(std::string_view text, std::string_view lower);

/// Takes the first element of a list, trimmed, and the separator behind it.
std::string_view take_element(std::string_view& list, char separator = ',');

}  // namespace sluice::http
