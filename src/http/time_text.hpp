#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/time.hpp"

namespace sluice::http {

/// RFC 3339 in UTC with milliseconds: 2026-01-02T03:04:05.678Z.
std::string rfc3339(TimePoint time);

/// Any RFC 3339 date-time with seconds, years 1970 … 9999; fractions are cut to milliseconds. Leap
/// seconds are not accepted.
std::optional<TimePoint> parse_rfc3339(std::string_view text);

/// As the Date header has it: Fri, 02 Jan 2026 03:04:05 GMT.
std::string http_date(std::chrono::sys_seconds time);

}  // namespace sluice::http
