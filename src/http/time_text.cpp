#include "http/time_text.hpp"

#include <fmt/chrono.h>

namespace sluice::http {
namespace {

using std::chrono::days;
using std::chrono::floor;

/// Takes `count` digits from the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int number = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return number;
}

/// Takes one character out of `allowed`.
bool take(std::string_view& text, std::string_view allowed) {
  if (text.empty() || allowed.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<int> take_then(std::string_view& text, std::size_t count, std::string_view after) {
  const auto number = take_number(text, count);
  return number && take(text, after) ? number : std::nullopt;
}

/// "." and at least one digit, or nothing.
std::optional<Millis> take_fraction(std::string_view& text) {
  if (!take(text, ".")) return Millis{0};
  int millis = 0;
  std::size_t count = 0;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; ++count) {
    if (count < 3) millis = millis * 10 + (text[0] - '0');
    text.remove_prefix(1);
  }
  if (count == 0) return std::nullopt;
  for (; count < 3; ++count) millis *= 10;
  return Millis{millis};
}

/// "Z" or ±hh:mm at the end of the text.
std::optional<std::chrono::minutes> take_offset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes{0};
  if (text.empty()) return std::nullopt;
  const int sign = text[0] == '-' ? -1 : 1;
  if (!take(text, "+-")) return std::nullopt;
  const auto hours = take_then(text, 2, ":");
  const auto minutes = hours ? take_number(text, 2) : std::nullopt;
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  return std::chrono::minutes{sign * (*hours * 60 + *minutes)};
}

}  // namespace

std::string rfc3339(TimePoint time) {
  const auto day = floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::optional<TimePoint> parse_rfc3339(std::string_view text) {
  const auto year = take_then(text, 4, "-");
  const auto month = year ? take_then(text, 2, "-") : std::nullopt;
  const auto day = month ? take_then(text, 2, "Tt") : std::nullopt;
  const auto hour = day ? take_then(text, 2, ":") : std::nullopt;
  const auto minute = hour ? take_then(text, 2, ":") : std::nullopt;
  const auto second = minute ? take_number(text, 2) : std::nullopt;
  if (!second || *year < 1970 || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const auto fraction = take_fraction(text);
  const auto offset = fraction ? take_offset(text) : std::nullopt;
  if (!offset) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + *fraction - *offset;
}

std::string http_date(std::chrono::sys_seconds time) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(time));
}

}  // namespace sluice::http
